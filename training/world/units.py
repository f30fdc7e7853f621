"""Units of length, mass, volume and time: one conversion at a time, by the factor between the two."""

from dataclasses import dataclass
from decimal import Decimal

from training.world import columns, draft
from training.world.arithmetic import plain
from training.world.draft import Draft, Rng
from training.world.noise import singular

KINDS = draft.load("units")
AMERICAN = {"metres": "meters", "litres": "liters"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A larger unit, a smaller one, how many of the smaller make the larger, and what they measure."""

    large: tuple[str, str]
    small: tuple[str, str]
    factor: int
    measures: str

    @property
    def decimal(self) -> bool:
        """Whether decimals make sense."""
        return self.measures != "time"


PAIRS = (
    Pair(("km", "kilometres"), ("m", "metres"), 1000, "length"),
    Pair(("m", "metres"), ("cm", "centimetres"), 100, "length"),
    Pair(("cm", "centimetres"), ("mm", "millimetres"), 10, "length"),
    Pair(("m", "metres"), ("mm", "millimetres"), 1000, "length"),
    Pair(("m", "metres"), ("dm", "decimetres"), 10, "length"),
    Pair(("dm", "decimetres"), ("cm", "centimetres"), 10, "length"),
    Pair(("kg", "kilograms"), ("g", "grams"), 1000, "mass"),
    Pair(("t", "tonnes"), ("kg", "kilograms"), 1000, "mass"),
    Pair(("g", "grams"), ("mg", "milligrams"), 1000, "mass"),
    Pair(("l", "litres"), ("ml", "millilitres"), 1000, "volume"),
    Pair(("l", "litres"), ("cl", "centilitres"), 100, "volume"),
    Pair(("l", "litres"), ("dl", "decilitres"), 10, "volume"),
    Pair(("cl", "centilitres"), ("ml", "millilitres"), 10, "volume"),
    Pair(("h", "hours"), ("min", "minutes"), 60, "time"),
    Pair(("min", "minutes"), ("s", "seconds"), 60, "time"),
    Pair(("h", "hours"), ("s", "seconds"), 3600, "time"),
    Pair(("days", "days"), ("hours", "hours"), 24, "time"),
    Pair(("weeks", "weeks"), ("days", "days"), 7, "time"),
    Pair(("years", "years"), ("months", "months"), 12, "time"),
)
FAR = (
    Pair(("km", "kilometres"), ("cm", "centimetres"), 100_000, "length"),
    Pair(("km", "kilometres"), ("mm", "millimetres"), 1_000_000, "length"),
    Pair(("km", "kilometres"), ("dm", "decimetres"), 10_000, "length"),
    Pair(("dm", "decimetres"), ("mm", "millimetres"), 100, "length"),
    Pair(("kg", "kilograms"), ("mg", "milligrams"), 1_000_000, "mass"),
    Pair(("t", "tonnes"), ("g", "grams"), 1_000_000, "mass"),
    Pair(("dl", "decilitres"), ("cl", "centilitres"), 10, "volume"),
    Pair(("dl", "decilitres"), ("ml", "millilitres"), 100, "volume"),
    Pair(("days", "days"), ("min", "minutes"), 1440, "time"),
    Pair(("weeks", "weeks"), ("hours", "hours"), 168, "time"),
    Pair(("years", "years"), ("weeks", "weeks"), 52, "time"),
    Pair(("years", "years"), ("days", "days"), 365, "time"),
    Pair(("decades", "decades"), ("years", "years"), 10, "time"),
    Pair(("centuries", "centuries"), ("years", "years"), 100, "time"),
)
RARE = frozenset(("dm", "dl", "cl", "s", "months"))
SHORT = 3  # the longest abbreviation
COMPARED = {
    "length": (("longer", "longest"), ("shorter", "shortest")),
    "mass": (("heavier", "heaviest"), ("lighter", "lightest")),
    "volume": (("more", "most"), ("less", "least")),
    "time": (("longer", "longest"), ("shorter", "shortest")),
}  # what is said of the greater of two measures and of the smaller


def _weight(pair: Pair) -> float:
    return 0.4 if RARE & {pair.small[0], pair.large[0]} else 1.0


def units(rng: Rng) -> Draft:
    pair = rng.choice(FAR) if rng.random() < 0.12 else rng.choices(PAIRS, [_weight(pair) for pair in PAIRS])[0]
    long = rng.random() < 0.7
    names = [pair.large[long], pair.small[long if rng.random() < 0.8 else not long]]
    if rng.random() < 0.3:
        names = [_american(name) for name in names]
    equal = f"1 {pair.large[0]}={pair.factor} {pair.small[0]}"
    kind = rng.random()
    if pair in FAR or kind > 0.38:
        return _convert(rng, pair, names, equal)
    if kind < 0.1:
        return _longer(rng, pair, names, equal)
    return _mixed(
        rng,
        pair,
        names,
        equal,
        "mixed" if kind < 0.19 else "plus" if kind < 0.25 else "minus" if kind < 0.3 else "split",
    )


def _convert(rng: Rng, pair: Pair, names: list[str], equal: str) -> Draft:
    amount = Decimal(rng.randint(2 if pair in FAR else 1, 99 if pair.decimal else 30 if pair.factor < 100 else 9))
    if pair.decimal and rng.random() < 0.6:
        amount = Decimal(rng.randint(1, 999)) / rng.choice((10, 100 if pair.factor > 10 else 10))
    elif pair.factor % 2 == 0 and not pair.decimal and rng.random() < 0.15:
        amount = Decimal(rng.randint(0, 9)) + Decimal("0.5")
    large, small = plain(amount), plain(amount * pair.factor)
    between = pair.large[0], pair.small[0]
    down = rng.random() < 0.6
    terse = len(names[not down]) <= SHORT and rng.random() < 0.4
    phrasings = KINDS["terse" if terse else "convert" if rng.random() < 0.6 else pair.measures]
    if down:
        slots = {"n": large, "unit": names[0], "to": names[1]}
        return Draft((large, *between), phrasings, small, (equal, f"{large}*{pair.factor}={small}"), slots)
    slots = {"n": small, "unit": names[1], "to": names[0]}
    return Draft((large, *between), phrasings, large, (equal, f"{small}/{pair.factor}={large}"), slots)


def _mixed(rng: Rng, pair: Pair, names: list[str], equal: str, kind: str) -> Draft:
    """So many of the larger unit with or without so many of the smaller, in the smaller; or that, split into both."""
    a, b = rng.randint(1, 12), rng.randint(1, min(pair.factor, 1000) - 1)
    if pair.factor >= 100 and rng.random() < 0.7:
        b = 50 * rng.randint(1, 19) if pair.factor == 1000 else 5 * rng.randint(1, 19)
    whole = a * pair.factor
    to = rng.choice(pair.small) if rng.random() < 0.4 else names[1]
    slots = {"a": a, "unit": names[0], "b": b, "unit2": names[1], "to": to, "n": whole + b}
    steps, answer = (equal, f"{a}*{pair.factor}={whole}", *columns.add(whole, b)), str(whole + b)
    if kind == "minus":
        steps, answer = (equal, f"{a}*{pair.factor}={whole}", *columns.subtract(whole, b)), str(whole - b)
    elif kind == "split":
        steps = (f"{whole + b}: {equal}", f"{a}*{pair.factor}={whole}", *columns.subtract(whole + b, whole))
        answer = singular(f"{a} {names[0]} {b} {names[1]}")
    return Draft((a, b, pair.large[0], pair.small[0]), KINDS[kind], answer, steps, slots)


def _longer(rng: Rng, pair: Pair, names: list[str], equal: str) -> Draft:
    """Which of two measures in different units is the greater, or the smaller: as it stands in the question."""
    a = rng.randint(1, 12)
    whole = a * pair.factor
    b = whole
    while b == whole:
        b = max(1, round(whole * rng.uniform(0.1, 2)))
        if rng.random() < 0.8 and len(str(b)) > 2:
            b -= b % 10 ** (len(str(b)) - 2)
    less = rng.random() < 0.4
    first, other = singular(f"{a} {names[0]}"), singular(f"{b} {names[1]}")
    steps = (f"{a} or {b}: {equal}", f"{a}*{pair.factor}={whole}", f"{whole}{'>' if whole > b else '<'}{b}")
    shown = [first, other] if rng.random() < 0.5 else [other, first]
    more, most = COMPARED[pair.measures][less]
    slots = {"x": shown[0], "y": shown[1], "more": more, "most": most}
    answer = first if (whole > b) != less else other
    return Draft((a, b, pair.large[0], pair.small[0]), KINDS["longer"], answer, steps, slots)


def _american(name: str) -> str:
    for british, american in AMERICAN.items():
        name = name.replace(british, american)
    return name
