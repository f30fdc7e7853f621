"""What is learnt and shown from graded records: which agents to trust on what, and what a mixture gains.

records.py   graded answers of agents to questions         weights.py   what each agent's vote is worth
reputation.py   who agreed with verified answers       rated.py   records of own runs that were rated
"""
