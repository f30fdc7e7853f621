"""Units of length, mass, volume and time: one conversion at a time, by the factor between the two."""

from dataclasses import dataclass
from decimal import Decimal

from training.world import columns, draft
from training.world.arithmetic import plain
from training.world.draft import Draft, Rng

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
RARE = frozenset(("dm", "dl", "cl", "s", "months"))


def _weight(pair: Pair) -> float:
    return 0.4 if RARE & {pair.small[0], pair.large[0]} else 1.0


def units(rng: Rng) -> Draft:
    pair = rng.choices(PAIRS, [_weight(pair) for pair in PAIRS])[0]
    long = rng.random() < 0.7
    names = [pair.large[long], pair.small[long if rng.random() < 0.8 else not long]]
    if rng.random() < 0.3:
        names = [_american(name) for name in names]
    equal = f"1 {pair.large[0]}={pair.factor} {pair.small[0]}"
    return _mixed(rng, pair, names, equal) if rng.random() < 0.1 else _convert(rng, pair, names, equal)


def _convert(rng: Rng, pair: Pair, names: list[str], equal: str) -> Draft:
    amount = Decimal(rng.randint(1, 99 if pair.decimal else 30))
    if pair.decimal and rng.random() < 0.6:
        amount = Decimal(rng.randint(1, 999)) / rng.choice((10, 100 if pair.factor > 10 else 10))
    elif pair.factor % 2 == 0 and not pair.decimal and rng.random() < 0.15:
        amount = Decimal(rng.randint(0, 9)) + Decimal("0.5")
    large, small = plain(amount), plain(amount * pair.factor)
    between = pair.large[0], pair.small[0]
    phrasings = KINDS["convert" if rng.random() < 0.6 else pair.measures]
    if rng.random() < 0.6:
        slots = {"n": large, "unit": names[0], "to": names[1]}
        return Draft((large, *between), phrasings, small, (equal, f"{large}*{pair.factor}={small}"), slots)
    slots = {"n": small, "unit": names[1], "to": names[0]}
    return Draft((large, *between), phrasings, large, (equal, f"{small}/{pair.factor}={large}"), slots)


def _mixed(rng: Rng, pair: Pair, names: list[str], equal: str) -> Draft:
    """So many of the larger unit and so many of the smaller, in the smaller."""
    a, b = rng.randint(1, 12), rng.randint(1, min(pair.factor, 1000) - 1)
    if pair.factor == 1000 and rng.random() < 0.7:
        b = 50 * rng.randint(1, 19)
    whole = a * pair.factor
    steps = (equal, f"{a}*{pair.factor}={whole}", *columns.add(whole, b))
    slots = {"a": a, "unit": names[0], "b": b, "unit2": names[1], "to": names[1]}
    return Draft((a, b, pair.large[0], pair.small[0]), KINDS["mixed"], str(whole + b), steps, slots)


def _american(name: str) -> str:
    for british, american in AMERICAN.items():
        name = name.replace(british, american)
    return name
