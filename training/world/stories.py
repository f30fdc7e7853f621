"""Word problems of two or three steps, told as small stories."""

from collections.abc import Callable
from dataclasses import dataclass

from training.world import columns, draft
from training.world.draft import Draft, Rng

TOLD = draft.load("story")
NAMES = (
    "Ann", "Ben", "Tom", "Mia", "Sam", "Eva", "Leo", "Ida", "Max", "Zoe", "Maria", "Peter", "John", "Lisa", "Omar", "Sara",
    "Nina", "Paul", "Emma", "Jack", "Lucy", "Amir", "Rosa", "Kim", "Anna", "David", "Grace", "Tim", "Julia", "Carlos",
    "Lena", "Noah", "Yusuf", "Hana", "Ella", "Liam", "Priya", "Ivy", "Pete", "Sofia", "Jonas", "Kate", "Ravi", "Alice",
)  # fmt: skip
THINGS = (
    "apples", "pears", "eggs", "books", "pens", "stamps", "cards", "coins", "shells", "stones", "marbles", "cookies",
    "oranges", "pencils", "balloons", "stickers", "candies", "flowers", "tickets", "toys", "buttons", "beads", "plums",
    "lemons", "nuts", "roses", "bottles", "cups", "bananas", "sweets", "rolls", "tomatoes", "comics", "photos", "mugs",
)  # fmt: skip
BOXES = ("bags", "boxes", "packs", "baskets", "bundles", "crates", "packets", "trays", "jars", "cartons")
NOTES = (10, 20, 50, 100, 200)
Told = tuple[int, columns.Steps]


@dataclass(frozen=True, slots=True)
class Plot:
    """What happens to the numbers a, b, c, d: the result with its working, and what they must be so that it comes out."""

    solve: Callable[[int, int, int, int], Told]
    fits: Callable[[int, int, int, int], bool] = lambda a, b, c, d: True
    factors: str = ""  # which of the four are multiplied or divided by, and so kept small


def _product(b: int, c: int) -> Told:
    """At once where both are in the small times table, else digit by digit."""
    return b * c, (f"{b}*{c}={b * c}",) if max(b, c) <= 12 else columns.multiply(max(b, c), min(b, c))


def _then(so_far: Told, change: int) -> Told:
    """The next step: `change` more, or less where it is below zero."""
    value, steps = so_far
    return value + change, (*steps, *columns.change(value, change))


def _less(a: int, so_far: Told) -> Told:
    value, steps = so_far
    return a - value, (*steps, *columns.subtract(a, value))


def _plus(one: Told, other: Told) -> Told:
    return one[0] + other[0], (*one[1], *other[1], *columns.add(one[0], other[0]))


def _minus(one: Told, other: Told) -> Told:
    return one[0] - other[0], (*one[1], *other[1], *columns.subtract(one[0], other[0]))


def _times(so_far: Told, factor: int) -> Told:
    value, steps = _product(so_far[0], factor)
    return value, (*so_far[1], *steps)


def _shared(so_far: Told, by: int) -> Told:
    value, steps = so_far
    return value // by, (*steps, *columns.divide(value, by))


def _start(value: int) -> Told:
    return value, ()


PLOTS = {
    "bought_gave": Plot(lambda a, b, c, d: _then(_then(_product(b, c), a), -d), lambda a, b, c, d: d < a + b * c, "bc"),
    "packs_lost": Plot(lambda a, b, c, d: _then(_product(b, c), -d), lambda a, b, c, d: d < b * c, "bc"),
    "packs_more": Plot(lambda a, b, c, d: _then(_product(b, c), a), factors="bc"),
    "found_lost": Plot(lambda a, b, c, d: _then(_then(_start(a), c), -d), lambda a, b, c, d: d < a + c),
    "lost_found": Plot(lambda a, b, c, d: _then(_then(_start(a), -d), c), lambda a, b, c, d: d < a),
    "spent": Plot(lambda a, b, c, d: _less(a, _product(b, c)), lambda a, b, c, d: b * c < a, "bc"),
    "shared": Plot(lambda a, b, c, d: _shared(_then(_start(a), c), b), lambda a, b, c, d: (a + c) % b == 0, "b"),
    "lost_twice": Plot(lambda a, b, c, d: _then(_then(_start(a), -c), -d), lambda a, b, c, d: c + d < a),
    "joined": Plot(lambda a, b, c, d: _then(_then(_start(a), c), d)),
    "more_together": Plot(lambda a, b, c, d: _then(_then(_start(a), b), a)),
    "fewer_together": Plot(lambda a, b, c, d: _then(_then(_start(a), -b), a), lambda a, b, c, d: b < a),
    "times_together": Plot(lambda a, b, c, d: _then(_product(b, a), a), lambda a, b, c, d: a < 100, "b"),
    "two_kinds": Plot(lambda a, b, c, d: _plus(_product(a, b), _product(c, d)), factors="abcd"),
    "packs_needed": Plot(
        lambda a, b, c, d: _shared(_then(_start(a), -b), c), lambda a, b, c, d: b < a and (a - b) % c == 0, "c"
    ),
    "three_factors": Plot(lambda a, b, c, d: _times(_product(a, b), c), lambda a, b, c, d: b < 13, "abc"),
    "doubled_lost": Plot(lambda a, b, c, d: _then(_product(2, a), -b), lambda a, b, c, d: b < 2 * a),
    "half_more": Plot(lambda a, b, c, d: _then(_shared(_start(a), 2), b), lambda a, b, c, d: a % 2 == 0),
    "half_less": Plot(lambda a, b, c, d: _then(_shared(_start(a), 2), -b), lambda a, b, c, d: a % 2 == 0 and 2 * b < a),
    "each_both": Plot(lambda a, b, c, d: _times(_then(_start(b), c), a), factors="abc"),
    "shared_more": Plot(lambda a, b, c, d: _then(_shared(_start(a), b), c), lambda a, b, c, d: a % b == 0, "b"),
    "shared_less": Plot(
        lambda a, b, c, d: _then(_shared(_start(a), b), -c), lambda a, b, c, d: a % b == 0 and b * c < a, "b"
    ),
    "lost_shared": Plot(
        lambda a, b, c, d: _shared(_then(_start(a), -c), b), lambda a, b, c, d: c < a and (a - c) % b == 0, "b"
    ),
    "pooled_shared": Plot(lambda a, b, c, d: _shared(_product(b, c), d), lambda a, b, c, d: b * c % d == 0, "bcd"),
    "note_change": Plot(lambda a, b, c, d: _less(a, _product(b, c)), lambda a, b, c, d: a in NOTES and b * c < a, "bc"),
    "fee_rate": Plot(lambda a, b, c, d: _then(_product(b, c), a), factors="bc"),
    "age_times": Plot(lambda a, b, c, d: _then(_product(a, b), c), lambda a, b, c, d: a * b < 100, "ab"),
    "ran_down": Plot(lambda a, b, c, d: _less(a, _product(b, c)), lambda a, b, c, d: b * c < a, "bc"),
    "pooled_groups": Plot(lambda a, b, c, d: _shared(_then(_start(a), b), c), lambda a, b, c, d: (a + b) % c == 0, "c"),
    "third_part": Plot(lambda a, b, c, d: _then(_then(_start(a), -b), -c), lambda a, b, c, d: b + c < a),
    "all_groups": Plot(lambda a, b, c, d: _times(_then(_start(a), b), c), factors="abc"),
    "rope_cut": Plot(
        lambda a, b, c, d: _then(_shared(_start(a), b), -c), lambda a, b, c, d: a % b == 0 and b * c < a, "b"
    ),
    "packs_sold": Plot(
        lambda a, b, c, d: _minus(_product(a, b), _product(c, d)), lambda a, b, c, d: c * d < a * b, "abcd"
    ),
    "unit_rate": Plot(
        lambda a, b, c, d: _times(_shared(_start(a), b), c), lambda a, b, c, d: a % b == 0 and b != c, "bc"
    ),
}
FIRST, LATER = 9, 23  # the oldest and commonest plots come twice as often, those from the second on a little oftener


def story(rng: Rng) -> Draft:
    names = list(PLOTS)
    name = rng.choices(names, [2 if place < FIRST else 1 if place < LATER else 1.4 for place in range(len(names))])[0]
    plot = PLOTS[name]
    while True:
        a, b, c, d = (_factor(rng) if letter in plot.factors else _amount(rng, letter) for letter in "abcd")
        if plot.fits(a, b, c, d):
            break
    answer, steps = plot.solve(a, b, c, d)
    who, other = rng.sample(NAMES, 2)
    slots = {"who": who, "who2": other, "things": rng.choice(THINGS), "boxes": rng.choice(BOXES)}
    numbers = {"a": a, "b": b, "c": c, "d": d}
    told = [numbers[letter] for letter in numbers if f"{{{letter}}}" in TOLD[name].seen[0]]
    return Draft((name, *told), TOLD[name], str(answer), steps, slots | numbers)


def _factor(rng: Rng) -> int:
    return rng.randint(2, 9) if rng.random() < 0.7 else rng.randint(2, 12) if rng.random() < 0.8 else rng.randint(2, 30)


def _amount(rng: Rng, letter: str) -> int:
    """What there is at first may be more than what comes and goes."""
    if letter == "a":
        return rng.randint(2, 60 if rng.random() < 0.6 else 150 if rng.random() < 0.8 else 400)
    return rng.randint(2, 20 if rng.random() < 0.7 else 60 if rng.random() < 0.7 else 150)
