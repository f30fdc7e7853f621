"""Sums: adding and subtracting, multiplying and dividing, percent and fractions."""

from decimal import Decimal

from training.world import columns, draft
from training.world.draft import Draft, Rng

SUMS, PRODUCTS, PARTS = draft.load("add"), draft.load("multiply"), draft.load("percent")
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
}


def number(rng: Rng, digits: int = 3) -> int:
    """A number from 1 up, small ones often enough to be known well."""
    return rng.randint(1, 10 ** rng.choices(range(1, digits + 1), (1, 3, 6)[:digits])[0] - 1)


def add(rng: Rng) -> Draft:
    a, b, kind = number(rng), number(rng), rng.random()
    if kind < 0.4:
        return Draft(f"{a}+{b}", SUMS["plus"], str(a + b), columns.add(a, b), {"a": a, "b": b})
    if kind < 0.75:
        a, b = max(a, b), min(a, b)
        return Draft(f"{a}-{b}", SUMS["minus"], str(a - b), columns.subtract(a, b), {"a": a, "b": b})
    return _chain(rng, a, b, number(rng))


def _chain(rng: Rng, a: int, b: int, c: int) -> Draft:
    """Three terms; the first sign is a minus where that stays above zero."""
    less = a > b and rng.random() < 0.3
    first, total = (columns.subtract(a, b), a - b) if less else (columns.add(a, b), a + b)
    if rng.random() < 0.5 or total < c:
        signs, last, result = ("+-"[less], "+"), columns.add(total, c), total + c
    else:
        signs, last, result = ("+-"[less], "-"), columns.subtract(total, c), total - c
    text = f"{a} {signs[0]} {b} {signs[1]} {c}"
    return Draft(text, SUMS["chain"], str(result), (*first, *last), {"sum": text})


def multiply(rng: Rng) -> Draft:
    a, b = number(rng, 2), number(rng, 2)
    if rng.random() < 0.5:
        return Draft(f"{a}*{b}", PRODUCTS["times"], str(a * b), columns.multiply(a, b), {"a": a, "b": b})
    b = max(b, 2)
    return Draft(f"{a * b}/{b}", PRODUCTS["divide"], str(a), columns.divide(a * b, b), {"n": a * b, "b": b})


def percent(rng: Rng) -> Draft:
    return _percent(rng) if rng.random() < 0.6 else _fraction(rng)


def _percent(rng: Rng) -> Draft:
    """Multiplied out, then the point moved by two; most results are whole."""
    while True:
        part = rng.randrange(5, 100, 5) if rng.random() < 0.65 else rng.randint(1, 99)
        n = 20 * rng.randint(1, 49) if rng.random() < 0.5 else number(rng)
        if part * n % 100 == 0 or (part * n % 10 == 0 and rng.random() < 0.2):
            break
    answer = plain(Decimal(part * n) / 100)
    short_part, short_n, hundred = part, n, 100
    for _ in range(2):  # zeros at the ends need not be multiplied
        if short_n % 10 == 0 and hundred > 1:
            short_n, hundred = short_n // 10, hundred // 10
    if short_part % 10 == 0 and hundred > 1:
        short_part, hundred = short_part // 10, hundred // 10
    product = columns.multiply(max(short_n, short_part), min(short_n, short_part))
    steps = (f"{short_n}*{short_part}/{hundred}", *(product if min(short_n, short_part) > 1 else ()))
    return Draft(f"{part}% {n}", PARTS["percent"], answer, steps, {"part": part, "n": n})


def _fraction(rng: Rng) -> Draft:
    """Divided by the lower number, multiplied by the upper."""
    if rng.random() < 0.5:
        (a, b), words = rng.choice(list(FRACTIONS.items()))
        text = rng.choice(words)
    else:
        b = rng.randint(2, 10)
        a = rng.randint(1, b - 1)
        text = f"{a}/{b}"
    quotient = rng.randint(2, 99)
    n = b * quotient
    steps = columns.divide(n, b)
    if a > 1:
        steps = (*steps, f"{quotient}*{a}: {columns.times_digit(quotient, a)}")
    return Draft(f"{a}/{b} {n}", PARTS["fraction"], str(quotient * a), steps, {"part": text, "n": n})


def plain(value: Decimal) -> str:
    """A decimal number without zeros at its end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
