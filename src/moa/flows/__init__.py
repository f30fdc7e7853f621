"""The methods of the field, one page each: pure coroutines that await only Ask and Fork (`core/flow.py`).

layered.py     Mixture-of-Agents (arXiv 2406.04692)       self_moa.py    one agent, n samples (arXiv 2502.00674)
sparse.py      a judge passes k on (arXiv 2411.03284)     tree.py        groups fused early (arXiv 2512.18126)
debate.py      until they agree (arXiv 2305.14325)        refine.py      criticise and revise (arXiv 2303.17651)
consortium.py  until agreement is measured                escalate.py    more only on disagreement (arXiv 2602.19509)
route.py       who answers, by rules                      alone.py       one member by itself
combine.py     synthesise, select                         rank.py        judges compare or rank
council.py     anonymous peer ranking, a chairman         fusion.py      an analysis, then the answer
vote.py        the answer most give                       adaptive.py    a vote, a few at a time (arXiv 2305.11860)
weigh.py       votes by what each is worth                router.py      whom to ask, as learnt (arXiv 2403.12031)
medoid.py      the one most like the others               best_of.py     by a verifier
classify.py    of which category a question is            modes.py       solo, auto, full
fields.py      JSON, voted on field by field              pool.py        probabilities into one, calibrated
guard.py       never worse than the best proposal         sift.py        copies count once; who stands outside
gate.py        what must not leave in an answer           schema.py      an answer that must obey a schema
orders.py      orders to other models, taken out          spelling.py    how a secret may be spelt
addresses.py   what would be loaded, where a click leads
acting.py      the call that acts: tools, schema, sampling  answers.py     what the answer of a text is
agreement.py   how far they agree, and of whom that says something
members.py     who can stand in a layer                   topology.py    how a mixture is put together from its parts
check.py       what a verifier says, whatever it does    leave_one_out.py  on whom an answer hangs
"""
