"""Sums: adding and subtracting, multiplying and dividing, percent and fractions."""

from decimal import Decimal
from fractions import Fraction

from training.world import columns, draft
from training.world.draft import Draft, Rng

SUMS, PRODUCTS, PARTS = draft.load("add"), draft.load("multiply"), draft.load("percent")
UNCOUNTED = PARTS["percent"].without("many", "umber of")  # there are no 12.4 people
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


CHAINS = {"total3": (1, 1), "plus_minus": (1, -1), "minus_plus": (-1, 1), "minus_minus": (-1, -1)}
QUARTERS = {25: (1, 4), 50: (1, 2), 75: (3, 4)}
LONG = 3  # steps of a product of one digit, and not more
HUNDREDTHS = (2, 4, 5, 10, 20, 25, 50)


def number(rng: Rng, digits: int = 3) -> int:
    """A number from 1 up, small ones often enough to be known well."""
    return rng.randint(1, 10 ** rng.choices(range(1, digits + 1), (1, 3, 6)[:digits])[0] - 1)


def add(rng: Rng) -> Draft:
    a, b, kind = number(rng), number(rng), rng.random()
    if kind < 0.4:
        return Draft(("+", a, b), SUMS["plus"], str(a + b), columns.add(a, b), {"a": a, "b": b})
    if kind < 0.75:
        a, b = max(a, b), min(a, b)
        return Draft(("-", a, b), SUMS["minus"], str(a - b), columns.subtract(a, b), {"a": a, "b": b})
    return _chain(rng)


def _chain(rng: Rng) -> Draft:
    """Three terms, as a formula or told in words; nothing goes below zero on the way."""
    kind, (first, last) = rng.choices(list(CHAINS.items()), (4, 3, 2, 1))[0]
    while True:
        a, b, c = number(rng), number(rng), number(rng)
        middle, total = a + first * b, a + first * b + last * c
        if min(middle, total) >= 0:
            break
    signs = "+-"[first < 0], "+-"[last < 0]
    text = f"{a} {signs[0]} {b} {signs[1]} {c}"
    steps = (*columns.change(a, first * b), *columns.change(middle, last * c))
    phrasings = SUMS["chain" if rng.random() < 0.45 else kind]
    return Draft((*signs, a, b, c), phrasings, str(total), steps, {"sum": text, "a": a, "b": b, "c": c})


def multiply(rng: Rng) -> Draft:
    a, b = number(rng, 2), number(rng, 2)
    if rng.random() < 0.5:
        return Draft(("*", a, b), PRODUCTS["times"], str(a * b), columns.multiply(a, b), {"a": a, "b": b})
    b = max(b, 2)
    return Draft(("/", a * b, b), PRODUCTS["divide"], str(a), columns.divide(a * b, b), {"n": a * b, "b": b})


def percent(rng: Rng) -> Draft:
    kinds = (_percent, _fraction, _changed, _what_percent, _as_percent)
    return rng.choices(kinds, (0.4, 0.25, 0.18, 0.12, 0.05))[0](rng)


def _share(rng: Rng, even: bool) -> tuple[int, int, Decimal, columns.Steps]:
    """A percentage, a number, the one of the other, and how that is worked out.

    `even`: a whole number comes out, and the percentage is one that people take in their heads, mostly.
    """
    while True:
        part = rng.randrange(5, 100, 5) if even or rng.random() < 0.65 else rng.randint(1, 99)
        n = 20 * rng.randint(1, 49) if rng.random() < 0.5 else number(rng)
        steps = _quarters(part, n) or _hundredths(part, n)
        if even and len(steps) > LONG and rng.random() < 0.75:
            continue
        if part * n % 100 == 0 or (not even and part * n % 10 == 0 and rng.random() < 0.2):
            return part, n, Decimal(part * n) / 100, steps


def _quarters(part: int, n: int) -> columns.Steps:
    """A half, a quarter or three of them, where that comes out even; else nothing."""
    if part not in QUARTERS or n % QUARTERS[part][1]:
        return ()
    a, b = QUARTERS[part]
    return (
        f"{n}*{a}/{b}",
        *columns.divide(n, b),
        *((f"{n // b}*{a}: {columns.times_digit(n // b, a)}",) if a > 1 else ()),
    )


def _hundredths(part: int, n: int) -> columns.Steps:
    """Multiplied out, then the point moved by two; zeros at the ends are left out."""
    hundred = 100
    for _ in range(2):
        if n % 10 == 0 and hundred > 1:
            n, hundred = n // 10, hundred // 10
    if part % 10 == 0 and hundred > 1:
        part, hundred = part // 10, hundred // 10
    large, small = max(n, part), min(n, part)
    return (f"{n}*{part}/{hundred}", *(columns.multiply(large, small) if small > 1 else ()))


def _percent(rng: Rng) -> Draft:
    part, n, share, steps = _share(rng, even=False)
    phrasings = PARTS["percent"] if share == int(share) else UNCOUNTED
    return Draft(("%", part, n), phrasings, plain(share), steps, {"part": part, "n": n})


def _changed(rng: Rng) -> Draft:
    """A number raised or cut by a percentage of itself."""
    part, n, share, steps = _share(rng, even=True)
    kind, sign = rng.choice((("raised", 1), ("cut", -1)))
    result = n + sign * int(share)
    steps = (f"{n}{'+-'[sign < 0]}{part}%", *steps, *columns.change(n, sign * int(share)))
    return Draft(("%", part, n), PARTS[kind], str(result), steps, {"part": part, "n": n})


def _what_percent(rng: Rng) -> Draft:
    """A hundred times the part, divided by the whole; zeros that both end with are left out."""
    part, n, share, _ = _share(rng, even=True)
    a = int(share)
    over, under = a * 100, n
    while over % 10 == 0 and under % 10 == 0:
        over, under = over // 10, under // 10
    steps = (f"{a}*100/{n}", *(columns.divide(over, under) if under > 1 else ()))
    return Draft(("%", part, n), PARTS["what_percent"], str(part), steps, {"a": a, "n": n})


def _as_percent(rng: Rng) -> Draft:
    b = rng.choice(HUNDREDTHS)
    a = rng.randint(1, b - 1)
    text = f"{a}/{b}" if rng.random() < 0.8 or (a, b) not in FRACTIONS else rng.choice(FRACTIONS[a, b])
    steps = (f"{a}*100/{b}", *columns.divide(a * 100, b))
    return Draft((Fraction(a, b), "%"), PARTS["as_percent"], str(a * 100 // b), steps, {"part": text})


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
    return Draft((Fraction(a, b), n), PARTS["fraction"], str(quotient * a), steps, {"part": text, "n": n})


def plain(value: Decimal) -> str:
    """A decimal number without zeros at its end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
