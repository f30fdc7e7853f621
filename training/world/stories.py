"""Word problems of two or three steps, told as small stories."""

from training.world import columns, draft
from training.world.draft import Draft, Rng

PLOTS = draft.load("story")
NAMES = (
    "Ann", "Ben", "Tom", "Mia", "Sam", "Eva", "Leo", "Ida", "Max", "Zoe", "Maria", "Peter", "John", "Lisa", "Omar", "Sara",
    "Nina", "Paul", "Emma", "Jack", "Lucy", "Amir", "Rosa", "Kim", "Anna", "David", "Grace", "Tim", "Julia", "Carlos",
)  # fmt: skip
THINGS = (
    "apples", "pears", "eggs", "books", "pens", "stamps", "cards", "coins", "shells", "stones", "marbles", "cookies",
    "oranges", "pencils", "balloons", "stickers", "candies", "flowers", "tickets", "toys", "buttons", "beads", "plums",
    "lemons", "nuts", "roses", "bottles", "cups", "bananas", "sweets",
)  # fmt: skip
BOXES = ("bags", "boxes", "packs", "baskets", "bundles", "crates", "packets", "trays", "jars", "cartons")
Told = tuple[int, columns.Steps]


def _product(b: int, c: int) -> Told:
    """At once where both are in the small times table, else digit by digit."""
    return b * c, (f"{b}*{c}={b * c}",) if c <= 12 else columns.multiply(c, b)


def _then(so_far: Told, change: int) -> Told:
    """The next step: `change` more, or less where it is below zero."""
    value, steps = so_far
    work = columns.add(value, change) if change >= 0 else columns.subtract(value, -change)
    return value + change, (*steps, *work)


def _shared(a: int, b: int, c: int, d: int) -> Told:
    total, steps = _then((a, ()), c)
    return total // b, (*steps, *columns.divide(total, b))


def _spent(a: int, b: int, c: int, d: int) -> Told:
    cost, steps = _product(b, c)
    return a - cost, (*steps, *columns.subtract(a, cost))


SOLVE = {
    "bought_gave": lambda a, b, c, d: _then(_then(_product(b, c), a), -d),
    "packs_lost": lambda a, b, c, d: _then(_product(b, c), -d),
    "packs_more": lambda a, b, c, d: _then(_product(b, c), a),
    "found_lost": lambda a, b, c, d: _then(_then((a, ()), c), -d),
    "lost_found": lambda a, b, c, d: _then(_then((a, ()), -d), c),
    "spent": _spent,
    "shared": _shared,
    "lost_twice": lambda a, b, c, d: _then(_then((a, ()), -c), -d),
    "joined": lambda a, b, c, d: _then(_then((a, ()), c), d),
}


def _fits(plot: str, a: int, b: int, c: int, d: int) -> bool:
    """Whether nothing runs short and what is shared comes out even."""
    return {
        "bought_gave": d < a + b * c,
        "packs_lost": d < b * c,
        "found_lost": d < a + c,
        "lost_found": d < a,
        "spent": b * c < a,
        "shared": (a + c) % b == 0,
        "lost_twice": c + d < a,
    }.get(plot, True)


def story(rng: Rng) -> Draft:
    plot = rng.choice(list(PLOTS))
    while True:
        packs = plot in ("bought_gave", "packs_lost", "packs_more", "spent")
        a, b = rng.randint(2, 60 if rng.random() < 0.7 else 250), rng.randint(2, 9)
        c = rng.randint(2, 12 if rng.random() < 0.85 else 40) if packs else rng.randint(2, 30 if a < 61 else 120)
        d = rng.randint(2, 20 if rng.random() < 0.8 else 60)
        if _fits(plot, a, b, c, d):
            break
    answer, steps = SOLVE[plot](a, b, c, d)
    who, other = rng.sample(NAMES, 2)
    slots = {"who": who, "who2": other, "things": rng.choice(THINGS), "boxes": rng.choice(BOXES)}
    key = f"{plot} {a} {b} {c} {d}"
    return Draft(key, PLOTS[plot], str(answer), steps, slots | {"a": a, "b": b, "c": c, "d": d})
