"""Units of length, mass, volume and time: one conversion at a time, by the factor between the two."""

from dataclasses import dataclass
from decimal import Decimal

from training.world.draft import Draft, Phrasings, Rng

CONVERT = Phrasings(
    seen=(
        "How many {to} are {n} {unit}?",
        "How many {to} are in {n} {unit}?",
        "Convert {n} {unit} to {to}.",
        "What is {n} {unit} in {to}?",
        "{n} {unit} in {to}?",
        "How much is {n} {unit} in {to}?",
        "Change {n} {unit} into {to}.",
        "{n} {unit} = ? {to}",
        "Turn {n} {unit} into {to}.",
        "How many {to} make {n} {unit}?",
        "{n} {unit} is how many {to}?",
        "Give {n} {unit} in {to}.",
        "How many {to} do {n} {unit} have?",
        "What are {n} {unit} in {to}?",
        "Tell me {n} {unit} in {to}.",
    ),
    unseen=(
        "Express {n} {unit} in {to}.",
        "{n} {unit} equals how many {to}?",
        "Write {n} {unit} as {to}.",
        "How many {to} is {n} {unit}?",
    ),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A larger unit, a smaller one, how many of the smaller make the larger, and whether halves make sense."""

    large: tuple[str, str]
    small: tuple[str, str]
    factor: int
    decimal: bool = True


PAIRS = (
    Pair(("km", "kilometres"), ("m", "metres"), 1000),
    Pair(("m", "metres"), ("cm", "centimetres"), 100),
    Pair(("cm", "centimetres"), ("mm", "millimetres"), 10),
    Pair(("m", "metres"), ("mm", "millimetres"), 1000),
    Pair(("kg", "kilograms"), ("g", "grams"), 1000),
    Pair(("t", "tonnes"), ("kg", "kilograms"), 1000),
    Pair(("g", "grams"), ("mg", "milligrams"), 1000),
    Pair(("l", "litres"), ("ml", "millilitres"), 1000),
    Pair(("l", "litres"), ("cl", "centilitres"), 100),
    Pair(("hours", "hours"), ("minutes", "minutes"), 60, decimal=False),
    Pair(("minutes", "minutes"), ("seconds", "seconds"), 60, decimal=False),
    Pair(("days", "days"), ("hours", "hours"), 24, decimal=False),
    Pair(("weeks", "weeks"), ("days", "days"), 7, decimal=False),
)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def units(rng: Rng) -> Draft:
    pair = rng.choice(PAIRS)
    amount = Decimal(rng.randint(1, 99 if pair.decimal else 30))
    if pair.decimal and rng.random() < 0.6:
        amount = Decimal(rng.randint(1, 999)) / rng.choice((10, 100 if pair.factor > 10 else 10))
    large, small = _plain(amount), _plain(amount * pair.factor)
    long = rng.random() < 0.6
    names = pair.large[long], pair.small[long if rng.random() < 0.8 else not long]
    equal = f"1 {pair.large[0]}={pair.factor} {pair.small[0]}"
    if rng.random() < 0.6:
        slots = {"n": large, "unit": names[0], "to": names[1]}
        return Draft(f"{large} {equal}", CONVERT, small, (equal, f"{large}*{pair.factor}={small}"), slots)
    slots = {"n": small, "unit": names[1], "to": names[0]}
    return Draft(f"{large} {equal}", CONVERT, large, (equal, f"{small}/{pair.factor}={large}"), slots)
