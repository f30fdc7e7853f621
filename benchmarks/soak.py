"""Simulated worlds, one a seed: random mixtures, faults, cancellations and deadlines; invariants I1 to I5 hold in all (S3 of the
reliability page). And any n-1 of n agents dead: an answer by the deadline (G2).

    python benchmarks/soak.py            # 1,000 seeds
    python benchmarks/soak.py --full     # 10,000 seeds, half an hour
    python benchmarks/soak.py --seed 77  # one of them, told in full
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / "tests")]

from _report import Figure, arguments, report, tell

from faults.rigged import ask
from faults.simulated import lived
from moa.core.errors import BadReply, Cut, Overloaded
from moa.providers.fake import Script


def answered_in_time(seeds: range) -> tuple[float, float]:
    """Of runs with one agent alive of n: the per cent with an answer, and the most seconds any ended after its deadline."""
    answered, latest = 0, 0.0
    for seed in seeds:
        rng = random.Random(seed)
        names = [f"m{n}" for n in range(rng.randint(2, 7))]
        faults = (Script(hang=True), Overloaded("down"), Cut("cut"), BadReply("garbage"), Script(""))
        scripts = {name: rng.choice(faults) for name in names} | {"agg": Script("answer", delay=0.5)}
        scripts[rng.choice(names)] = Script("alive", delay=rng.random())
        deadline = rng.uniform(5.0, 60.0)
        asked, _ = ask(scripts, [names] * rng.randint(1, 3), deadline=deadline)
        answered += bool(asked.answer)
        latest = max(latest, asked.seconds - deadline)
    return 100 * answered / len(seeds), latest


def main() -> int:
    """Live through the seeds, print what went wrong, report."""
    parser = arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))  # type: ignore[union-attr]
    parser.add_argument("--quick", action="store_true", help="20 seeds")
    parser.add_argument("--full", action="store_true", help="10,000 seeds")
    parser.add_argument("--seed", type=int, help="one seed, told in full")
    args = parser.parse_args()
    if args.seed is not None:
        world = lived(args.seed)
        tell(args, world.story)
        return report([Figure("soak.violations", float(len(world.problems)), 0)], args)
    seeds = range(20 if args.quick else 10_000 if args.full else 1000)
    runs, violations, outcomes = 0, 0, Counter[str]()
    for seed in seeds:
        world = lived(seed)
        runs += len(world.runs)
        violations += len(world.problems)
        outcomes.update(outcome.partition(" ")[2].split(" ")[0][:20] for outcome in world.outcomes)
        for problem in world.problems:
            tell(args, f"seed {seed}: {problem}")
    differ = sum(lived(seed).story != lived(seed).story for seed in seeds[:: max(1, len(seeds) // 200)])
    percent, late = answered_in_time(seeds)
    tell(args, f"{len(seeds)} seeds, {runs} runs")
    figures = [
        Figure("soak.violations", float(violations), 0),
        Figure("soak.seeds_that_differ_when_lived_again", float(differ), 0),
        Figure("G2.simulated.answered.percent", percent, 100, ">="),
        Figure("G2.simulated.seconds_after_deadline", late, 0.1),
    ]
    return report(figures, args, {"seeds": len(seeds), "runs": runs, "outcomes": dict(outcomes.most_common(12))})


if __name__ == "__main__":
    raise SystemExit(main())
