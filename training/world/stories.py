"""Word problems of two steps: a product and a change, or two changes, told as a small story."""

from collections.abc import Callable
from dataclasses import dataclass

from training.world.draft import Draft, Phrasings, Rng

WHO = ("Ann", "Ben", "Tom", "Mia", "Sam", "Eva", "Leo", "Ida", "Max", "Zoe")
THINGS = (
    "apples", "pears", "eggs", "books", "pens", "stamps", "cards", "coins", "shells", "stones", "marbles", "cookies",
)  # fmt: skip
BOXES = ("bags", "boxes", "packs", "baskets", "bundles")
Numbers = tuple[int, int, int, int]
Solve = Callable[[int, int, int, int], tuple[int, tuple[str, ...]]]


def _bought_and_gave(a: int, b: int, c: int, d: int) -> tuple[int, tuple[str, ...]]:
    total = a + b * c
    return total - d, (f"{b}*{c}={b * c}", f"{a}+{b * c}={total}", f"{total}-{d}={total - d}")


def _packed_and_lost(a: int, b: int, c: int, d: int) -> tuple[int, tuple[str, ...]]:
    return b * c - d, (f"{b}*{c}={b * c}", f"{b * c}-{d}={b * c - d}")


def _found_and_lost(a: int, b: int, c: int, d: int) -> tuple[int, tuple[str, ...]]:
    return a + c - d, (f"{a}+{c}={a + c}", f"{a + c}-{d}={a + c - d}")


def _packed_and_more(a: int, b: int, c: int, d: int) -> tuple[int, tuple[str, ...]]:
    return b * c + a, (f"{b}*{c}={b * c}", f"{b * c}+{a}={b * c + a}")


@dataclass(frozen=True, slots=True)
class Plot:
    """A story's arithmetic with the ways to tell it."""

    solve: Solve
    phrasings: Phrasings


PLOTS = (
    Plot(
        _bought_and_gave,
        Phrasings(
            seen=(
                "{who} has {a} {things}, buys {b} {boxes} of {c} and gives away {d}. How many are left?",
                "{who} has {a} {things}. Then {who} buys {b} {boxes} of {c} and gives away {d}. How many are left?",
                "{who} had {a} {things}, bought {b} {boxes} with {c} each and gave {d} away. How many are there now?",
                "There are {a} {things} in a bowl. {b} {boxes} of {c} are added and {d} taken out. How many are there?",
                "{who} owns {a} {things}, gets {b} {boxes} of {c} and loses {d}. How many {things} has {who} now?",
                "A shop has {a} {things}, gets {b} {boxes} of {c} and sells {d}. How many are left?",
            ),
            unseen=(
                "{who} starts with {a} {things}, adds {b} {boxes} of {c} and gives {d} to a friend. How many remain?",
                "After buying {b} {boxes} of {c}, {who}, who had {a} {things}, gives away {d}. How many are left?",
            ),
        ),
    ),
    Plot(
        _packed_and_lost,
        Phrasings(
            seen=(
                "{who} buys {b} {boxes} of {c} {things} and gives away {d}. How many are left?",
                "{who} has {b} {boxes} with {c} {things} each and loses {d}. How many are left?",
                "There are {b} {boxes} of {c} {things}. {who} takes {d}. How many are left?",
                "A shop has {b} {boxes} with {c} {things} each and sells {d} {things}. How many are left?",
                "{b} {boxes} hold {c} {things} each. {d} are broken. How many are good?",
                "{who} packs {b} {boxes} of {c} {things} and then uses {d}. How many {things} remain?",
            ),
            unseen=(
                "From {b} {boxes} of {c} {things}, {who} gives {d} to a friend. How many does {who} keep?",
                "{who} got {b} {boxes}, each with {c} {things}, but lost {d}. How many {things} are left?",
            ),
        ),
    ),
    Plot(
        _found_and_lost,
        Phrasings(
            seen=(
                "{who} has {a} {things}, finds {c} more and loses {d}. How many are left?",
                "{who} had {a} {things}, got {c} more and gave away {d}. How many {things} does {who} have now?",
                "There are {a} {things} on a table. {who} adds {c} and takes {d} away. How many are there now?",
                "A shop has {a} {things}, buys {c} and sells {d}. How many are left?",
                "{who} buys {a} {things} and then {c} more, and eats or loses {d}. How many are left?",
                "A bus has {a} people. {c} get on and {d} get off. How many are on the bus?",
            ),
            unseen=(
                "{who} collects {a} {things} and then {c} others, but drops {d}. How many remain?",
                "With {a} {things} at first, {who} gets {c} and gives {d} to a friend. How many are left?",
            ),
        ),
    ),
    Plot(
        _packed_and_more,
        Phrasings(
            seen=(
                "{who} has {b} {boxes} of {c} {things} and {a} more. How many {things} are there in all?",
                "{who} buys {b} {boxes} with {c} {things} each and finds {a} more. How many are there in all?",
                "There are {b} {boxes} of {c} {things} and {a} loose ones. How many are there?",
                "{b} {boxes} hold {c} {things} each, and {a} lie beside them. How many {things} are there?",
                "{who} has {a} {things} and gets {b} {boxes} of {c}. How many has {who} now?",
                "{who} packs {b} {boxes} of {c} {things}; {a} are left over. How many were there in all?",
            ),
            unseen=(
                "How many {things} has {who} with {b} {boxes} of {c} and {a} single ones?",
                "{who} counts {b} {boxes} of {c} {things} plus {a} others. How many in all?",
            ),
        ),
    ),
)


def story(rng: Rng) -> Draft:
    a, b, c = rng.randint(2, 60), rng.randint(2, 9), rng.randint(2, 12)
    plot = rng.choice(PLOTS)
    d = rng.randint(1, min(20, b * c - 1, a + c - 1))
    answer, steps = plot.solve(a, b, c, d)
    slots = {"who": rng.choice(WHO), "things": rng.choice(THINGS), "boxes": rng.choice(BOXES)}
    return Draft(f"{a} {b} {c} {d}", plot.phrasings, str(answer), steps, slots | {"a": a, "b": b, "c": c, "d": d})
