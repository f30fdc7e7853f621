"""The methods of the field, one page each: pure coroutines that await only Ask and Fork (`core/flow.py`).

layered.py   Mixture-of-Agents (arXiv 2406.04692)         self_moa.py   one agent, n samples (arXiv 2502.00674)
combine.py   synthesise, select: aggregators              vote.py       the answer most agents give
answers.py   what the answer of a text is                 members.py    who can stand in a layer
rank.py      judges compare or rank                    council.py    anonymous peer ranking, a chairman
fusion.py    analysis, then answer                     guard.py      never worse than the best proposal
medoid.py    most like the others                      best_of.py    by a verifier
sparse.py    a judge passes k on (arXiv 2411.03284)    tree.py       groups fused early (arXiv 2512.18126)
debate.py    until they agree (arXiv 2305.14325)       refine.py     critique and revise (arXiv 2303.17651)
consortium.py  until agreement is measured             schema.py     an answer that must obey a schema
topology.py  how a mixture is put together from its parts
"""
