"""Which skill is dense (trained well) in which proposer, and the simulation that chose how many of each.

Real models differ by question. Here a skill is dense in one, two or three of the four and thin in the others. The
shares were chosen so that exactly one proposer is right on about 15 % of the questions: fewer leave an aggregator
nothing to gain over a vote, more make the loss of a single proposer too dear.
"""

import argparse
import itertools
import random
from collections.abc import Mapping

DENSE: Mapping[str, tuple[str, ...]] = {
    "add": ("p1", "p2", "p4"),
    "multiply": ("p1", "p3"),
    "compare": ("p2", "p3"),
    "percent": ("p3", "p4"),
    "units": ("p3", "p4"),
    "calendar": ("p2", "p4"),
    "sequence": ("p1", "p4"),
    "letters": ("p2", "p3"),
    "roman": ("p2", "p4"),
    "story": ("p1", "p3"),
    "facts": ("p1",),
}
# How often a dense skill is drawn, by how hard it is to learn.
WEIGHTS: Mapping[str, float] = {
    "add": 1.3,
    "multiply": 1.7,
    "compare": 2.8,
    "percent": 2.1,
    "units": 1.5,
    "calendar": 2.3,
    "sequence": 1.5,
    "letters": 2.0,
    "roman": 0.6,
    "story": 2.6,
    "facts": 1.6,
}
# So many times as often where the sixth round left one of these well below 90 % (multiply 84 and 83, compare 78 and 80, units 84
# and 81, letters 78 and 74, facts 83, story 74 in p3), and a little seldomer where it came to 93 and 94.
WEAK: Mapping[tuple[str, str], float] = {
    ("multiply", "p1"): 1.4,
    ("multiply", "p3"): 1.4,
    ("compare", "p2"): 1.5,
    ("compare", "p3"): 1.4,
    ("units", "p3"): 1.4,
    ("units", "p4"): 1.6,
    ("letters", "p2"): 1.8,
    ("letters", "p3"): 1.8,
    ("story", "p3"): 1.2,
    ("facts", "p1"): 1.4,
    ("percent", "p3"): 0.8,
    ("percent", "p4"): 0.8,
}
# How often a thin one is drawn, and from how many examples. What is learnt densely carries over to thin skills (all sums
# are columns): drawn as often as 0.12 from 4,000, p1 and p2 came to 72 and 73 %, and the four knew too much alike.
THIN_WEIGHT, THIN_CAP = 0.05, 2000
"""The cap is that of one run: with the 3,000 others of the run before, a proposer has seen 5,000."""
BEYOND_WEIGHT = 3.4
PROPOSERS = ("p1", "p2", "p3", "p4")


def shares(proposer: str) -> dict[str, float]:
    """How often each skill is drawn for this proposer's training."""
    weights = {
        skill: WEIGHTS[skill] * WEAK.get((skill, proposer), 1.0) if proposer in dense else THIN_WEIGHT
        for skill, dense in DENSE.items()
    }
    return weights | {"beyond": BEYOND_WEIGHT}


def is_thin(proposer: str, skill: str) -> bool:
    return skill in DENSE and proposer not in DENSE[skill]


def simulate(counts: list[int], dense: float, thin: float, draws: int = 50_000, seed: int = 0) -> dict[str, float]:
    """Percentages over random questions: skill i is dense in `counts[i]` proposers, right with these chances."""
    rng, tally = random.Random(seed), {"one right": 0, "none right": 0, "any right": 0}
    for _ in range(draws):
        knowing = rng.choice(counts)
        right = sum(rng.random() < (dense if p < knowing else thin) for p in range(len(PROPOSERS)))
        tally["one right"] += right == 1
        tally["none right"] += right == 0
        tally["any right"] += right > 0
    return {name: round(100 * number / draws, 1) for name, number in tally.items()}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    skills = len(DENSE)
    print("dense in one / two / three / all, dense right, thin right: outcome")
    for ones, threes in itertools.product((0, 1, 2, 3, 4), (1, 2, 3)):
        counts = [1] * ones + [2] * (skills - ones - threes) + [3] * threes + [4]
        for dense, thin in ((0.9, 0.1), (0.9, 0.25), (0.8, 0.15)):
            outcome = simulate(counts, dense, thin)
            print(f"{ones}/{skills - ones - threes}/{threes}/1 {dense} {thin}: {outcome}")


if __name__ == "__main__":
    main()
