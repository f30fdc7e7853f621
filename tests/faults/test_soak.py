"""Simulated worlds, one a seed: invariants I1 to I5 hold in all of them, and a seed makes the same world again.

300 seeds here; `python benchmarks/soak.py --full` lives through 10,000. `MOA_SEED=n pytest tests/faults/test_soak.py` one of them.
"""

from __future__ import annotations

import os

import pytest

from faults.simulated import lived

SEEDS = [int(os.environ["MOA_SEED"])] if "MOA_SEED" in os.environ else range(300)
BATCH = 20


@pytest.mark.parametrize("first", SEEDS[::BATCH] if len(SEEDS) > 1 else SEEDS)
def test_whatever_happens_every_run_ends_once_is_paid_right_and_is_in_time(first: int) -> None:
    for seed in range(first, min(first + BATCH, SEEDS[-1] + 1)):
        world = lived(seed)
        assert not world.problems, f"seed {seed}: {world.problems}"


@pytest.mark.parametrize("seed", [3, 77, 214])
def test_the_same_seed_makes_the_same_world(seed: int) -> None:
    assert lived(seed).story == lived(seed).story
