"""The methods of the field, one page each: pure coroutines that await only Ask and Fork (`core/flow.py`).

layered.py   Mixture-of-Agents (arXiv 2406.04692)         self_moa.py   one agent, n samples (arXiv 2502.00674)
combine.py   synthesise, select: aggregators              vote.py       the answer most agents give
answers.py   what the answer of a text is                 members.py    who can stand in a layer
topology.py  how a mixture is put together from its parts
"""
