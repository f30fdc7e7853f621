"""Fractions, decimals and percentages: the same number written in another way, or in lower terms."""

from decimal import Decimal
from fractions import Fraction

from training.world import columns, draft
from training.world.draft import Draft, Rng

PARTS = draft.load("percent")
FRACTIONS = {
    (1, 2): ("half", "one half", "1/2"),
    (1, 3): ("a third", "one third", "1/3"),
    (2, 3): ("two thirds", "2/3"),
    (1, 4): ("a quarter", "one quarter", "a fourth", "1/4"),
    (3, 4): ("three quarters", "three fourths", "3/4"),
    (1, 5): ("a fifth", "one fifth", "1/5"),
    (2, 5): ("two fifths", "2/5"),
    (3, 5): ("three fifths", "3/5"),
    (4, 5): ("four fifths", "4/5"),
    (1, 10): ("a tenth", "one tenth", "1/10"),
    (3, 10): ("three tenths", "3/10"),
    (7, 10): ("seven tenths", "7/10"),
    (9, 10): ("nine tenths", "9/10"),
}
NAMES = {
    1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten",
    11: "eleven", 12: "twelve", 15: "fifteen", 20: "twenty", 25: "twenty-five", 30: "thirty", 35: "thirty-five",
    40: "forty", 45: "forty-five", 50: "fifty", 55: "fifty-five", 60: "sixty", 65: "sixty-five", 70: "seventy",
    75: "seventy-five", 80: "eighty", 85: "eighty-five", 90: "ninety", 95: "ninety-five",
}  # fmt: skip
HUNDREDTHS = (2, 4, 5, 10, 20, 25, 50)
PRIMES = (2, 3, 5, 7)


def _vulgar(rng: Rng) -> tuple[int, int, str]:
    """A fraction of so many hundredths, and how it is written."""
    b = rng.choice(HUNDREDTHS)
    a = rng.randint(1, b - 1)
    return a, b, f"{a}/{b}" if rng.random() < 0.8 or (a, b) not in FRACTIONS else rng.choice(FRACTIONS[a, b])


def _hundredth(rng: Rng) -> int:
    return rng.randrange(5, 100, 5) if rng.random() < 0.4 else rng.randint(1, 99)


def _percentage(rng: Rng, part: int) -> str:
    if part in NAMES and rng.random() < 0.2:
        return f"{NAMES[part]} percent"
    return rng.choice((f"{part}%", f"{part}%", f"{part} %", f"{part} percent", f"{part} per cent"))


def as_percent(rng: Rng) -> Draft:
    """A fraction or a decimal times a hundred."""
    if rng.random() < 0.4:
        part = _hundredth(rng) + (100 if rng.random() < 0.1 else 0)
        text = plain(Decimal(part) / 100)
        return Draft((Fraction(part, 100), "%"), PARTS["as_percent"], str(part), (f"{text}*100",), {"part": text})
    a, b, text = _vulgar(rng)
    steps = (f"{a}*100/{b}", *columns.divide(a * 100, b))
    return Draft((Fraction(a, b), "%"), PARTS["as_percent"], str(a * 100 // b), steps, {"part": text})


def decimal(rng: Rng) -> Draft:
    """A fraction or a percentage as a decimal number."""
    if rng.random() < 0.45:
        a, b = _hundredth(rng), 100
        text, steps = _percentage(rng, a), (f"{a}.00/100",)
    else:
        a, b, text = _vulgar(rng)
        steps = (f"{a}.00/{b}", *columns.divide(a * 100, b))
    return Draft((Fraction(a, b), "decimal"), PARTS["decimal"], plain(Decimal(a) / b), steps, {"part": text})


def fraction(rng: Rng) -> Draft:
    """A percentage or a decimal as a fraction in lowest terms."""
    part = _hundredth(rng)
    text = _percentage(rng, part) if rng.random() < 0.55 else plain(Decimal(part) / 100)
    operands = Fraction(part, 100), "fraction"
    return Draft(operands, PARTS["as_fraction"], str(operands[0]), _reduced(part, 100), {"part": text})


def simplified(rng: Rng) -> Draft:
    """A fraction that can be reduced, mostly by a small number."""
    while True:
        b = rng.randint(2, 12)
        a, times = rng.randint(1, b - 1), rng.choice((2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10))
        if Fraction(a, b).denominator == b:
            break
    over, under = a * times, b * times
    slots = {"a": over, "b": under, "part": f"{over}/{under}"}
    return Draft(("simplify", over, under), PARTS["simplify"], f"{a}/{b}", _reduced(over, under), slots)


def joined(rng: Rng) -> Draft:
    """Two fractions with the same lower number, added or subtracted."""
    b = rng.randint(3, 20)
    whole = rng.randint(2, b)
    a = rng.randint(1, whole - 1)
    c, kind, sign, result = whole - a, "fractions_sum", "+", whole
    if rng.random() < 0.4:
        a, c, kind, sign, result = whole, a, "fractions_minus", "-", whole - a
    slots = {"a": f"{a}/{b}", "c": f"{c}/{b}"}
    steps = (f"{a}{sign}{c}={result}", *_reduced(result, b))
    return Draft((sign, *slots.values()), PARTS[kind], str(Fraction(result, b)), steps, slots)


def _reduced(a: int, b: int) -> columns.Steps:
    """A fraction, divided by small numbers again and again: ("12/16", ":2 6/8", ":2 3/4")."""
    steps = [f"{a}/{b}"]
    for prime in PRIMES:
        while a % prime == 0 and b % prime == 0 and a < b:
            a, b = a // prime, b // prime
            steps.append(f":{prime} {a}/{b}")
    return tuple(steps)


def plain(value: Decimal) -> str:
    """A decimal number without zeros at its end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
