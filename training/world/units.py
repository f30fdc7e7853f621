"""Units of length, mass, volume and time: one conversion at a time, by the factor between the two."""

from dataclasses import dataclass
from decimal import Decimal

from training.world import draft
from training.world.arithmetic import plain
from training.world.draft import Draft, Rng

CONVERT = draft.load("units")["convert"]
AMERICAN = {"metres": "meters", "litres": "liters", "tonnes": "tons"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A larger unit, a smaller one, how many of the smaller make the larger, and whether decimals make sense."""

    large: tuple[str, str]
    small: tuple[str, str]
    factor: int
    decimal: bool = True


PAIRS = (
    Pair(("km", "kilometres"), ("m", "metres"), 1000),
    Pair(("m", "metres"), ("cm", "centimetres"), 100),
    Pair(("cm", "centimetres"), ("mm", "millimetres"), 10),
    Pair(("m", "metres"), ("mm", "millimetres"), 1000),
    Pair(("m", "metres"), ("dm", "decimetres"), 10),
    Pair(("kg", "kilograms"), ("g", "grams"), 1000),
    Pair(("t", "tonnes"), ("kg", "kilograms"), 1000),
    Pair(("g", "grams"), ("mg", "milligrams"), 1000),
    Pair(("l", "litres"), ("ml", "millilitres"), 1000),
    Pair(("l", "litres"), ("cl", "centilitres"), 100),
    Pair(("l", "litres"), ("dl", "decilitres"), 10),
    Pair(("h", "hours"), ("min", "minutes"), 60, decimal=False),
    Pair(("min", "minutes"), ("s", "seconds"), 60, decimal=False),
    Pair(("h", "hours"), ("s", "seconds"), 3600, decimal=False),
    Pair(("days", "days"), ("hours", "hours"), 24, decimal=False),
    Pair(("weeks", "weeks"), ("days", "days"), 7, decimal=False),
    Pair(("years", "years"), ("months", "months"), 12, decimal=False),
)
RARE = frozenset(("dm", "dl", "cl", "s", "months"))


def units(rng: Rng) -> Draft:
    pair = rng.choices(PAIRS, [0.4 if pair.small[0] in RARE else 1.0 for pair in PAIRS])[0]
    amount = Decimal(rng.randint(1, 99 if pair.decimal else 30))
    if pair.decimal and rng.random() < 0.6:
        amount = Decimal(rng.randint(1, 999)) / rng.choice((10, 100 if pair.factor > 10 else 10))
    elif pair.factor % 2 == 0 and not pair.decimal and rng.random() < 0.15:
        amount = Decimal(rng.randint(0, 9)) + Decimal("0.5")
    large, small = plain(amount), plain(amount * pair.factor)
    long = rng.random() < 0.7
    names = [pair.large[long], pair.small[long if rng.random() < 0.8 else not long]]
    if rng.random() < 0.3:
        names = [_american(name) for name in names]
    equal = f"1 {pair.large[0]}={pair.factor} {pair.small[0]}"
    if rng.random() < 0.6:
        slots = {"n": large, "unit": names[0], "to": names[1]}
        return Draft(f"{large} {equal}", CONVERT, small, (equal, f"{large}*{pair.factor}={small}"), slots)
    slots = {"n": small, "unit": names[1], "to": names[0]}
    return Draft(f"{large} {equal}", CONVERT, large, (equal, f"{small}/{pair.factor}={large}"), slots)


def _american(name: str) -> str:
    for british, american in AMERICAN.items():
        name = name.replace(british, american)
    return name
