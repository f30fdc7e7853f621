"""Sums: adding and subtracting, multiplying and dividing, percent and fractions."""

from decimal import Decimal
from fractions import Fraction

from training.world import columns, conversions, draft
from training.world.conversions import FRACTIONS, NAMES
from training.world.conversions import plain as plain
from training.world.draft import Draft, Rng

SUMS, PRODUCTS, PARTS = draft.load("add"), draft.load("multiply"), draft.load("percent")
COUNTED = ("many", "people", "umber of", "sheep", "pupils", "eggs", "visitors", "members", "herd", "tiles", "town")
UNCOUNTED = PARTS["percent"].without("many", "umber of")  # there are no 12.4 people
CHAINS = {"total3": (1, 1), "plus_minus": (1, -1), "minus_plus": (-1, 1), "minus_minus": (-1, -1)}
QUARTERS = {25: (1, 4), 50: (1, 2), 75: (3, 4)}
LONG = 3  # steps of a product of one digit, and not more
MULTIPLES = {
    2: (("double", "twice", "two times"), "double", "doubled"),
    3: (("triple", "three times", "thrice"), "triple", "tripled"),
    4: (("quadruple", "four times"), "quadruple", "quadrupled"),
}
DIVISIONS = {
    2: (("half", "half", "one half"), "two"),
    3: (("a third", "one third"), "three"),
    4: (("a quarter", "one quarter", "a fourth"), "four"),
    5: (("a fifth", "one fifth"), "five"),
    10: (("a tenth", "one tenth"), "ten"),
}
TENTHS = (2, 4, 5, 10)
JOINTS = (" + ", "+", "; ", ", ", " and ", " | ", " & ", " plus ", "  ", " , ")
SIGNS = ("+", "-", "−", "=", "/", "*", "×", "·", "÷", ":", "&", "{b}s", "{b} to")
TENS = (10, 100, 1000)
NEW = 0.3  # of the draws of a skill: the kinds that a stranger might ask beyond the plain ones


def number(rng: Rng, digits: int = 3) -> int:
    """A number from 1 up, small ones often enough to be known well."""
    return rng.randint(1, 10 ** rng.choices(range(1, digits + 1), (1, 3, 6)[:digits])[0] - 1)


def _worded(
    rng: Rng, phrasings: draft.Phrasings, answer: str, steps: columns.Steps, slots: dict[str, object]
) -> tuple[draft.Phrasings, str, columns.Steps, dict[str, object]]:
    """What makes up a draft, but a small second number now and then written out."""
    if slots["b"] in NAMES and rng.random() < 0.2:
        return phrasings.without(*SIGNS), answer, steps, {**slots, "b": NAMES[int(str(slots["b"]))]}
    return phrasings, answer, steps, slots


def add(rng: Rng) -> Draft:
    if rng.random() < NEW:
        return rng.choice((_difference, _missing_term, _missing_term, _listed))(rng)
    a, b, kind = number(rng), number(rng), rng.random()
    if kind < 0.4:
        return Draft(
            ("+", a, b), *_worded(rng, SUMS["plus"], str(a + b), columns.add(a, b), {"a": a, "b": b, "sum": f"{a}+{b}"})
        )
    if kind < 0.75:
        a, b = max(a, b), min(a, b)
        return Draft(
            ("-", a, b),
            *_worded(rng, SUMS["minus"], str(a - b), columns.subtract(a, b), {"a": a, "b": b, "sum": f"{a}-{b}"}),
        )
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


def _difference(rng: Rng) -> Draft:
    """How far two numbers are apart, whichever is named first."""
    a, b = number(rng), number(rng)
    large, small = max(a, b), min(a, b)
    slots = {"a": a, "b": b, "sum": f"{large}-{small}"}
    return Draft(("-", large, small), SUMS["difference"], str(large - small), columns.subtract(large, small), slots)


def _missing_term(rng: Rng) -> Draft:
    """A sum or a difference with its result, but one of its terms is not told."""
    kind, a, b = rng.choice(("missing_addend", "missing_addend", "missing_minuend", "missing_subtrahend")), 0, 0
    while a == b:
        a, b = number(rng), number(rng)
    if kind == "missing_minuend":
        return Draft(("+", a, b), SUMS[kind], str(a + b), columns.add(a, b), {"a": a, "c": b, "sum": f"{a}+{b}"})
    c, a = max(a, b), min(a, b)
    slots = {"a": a, "c": c, "sum": f"{c}-{a}"}
    return Draft(("-", c, a), SUMS[kind], str(c - a), columns.subtract(c, a), slots)


def _listed(rng: Rng) -> Draft:
    """Two or three numbers to be added, in a row."""
    terms = [number(rng) for _ in range(rng.choice((2, 3, 3)))]
    first, second, *others = terms
    steps = columns.add(first, second)
    for other in others:
        steps = (*steps, *columns.add(first + second, other))
    slots = {"list": rng.choice(JOINTS).join(map(str, terms)), "sum": "+".join(map(str, terms))}
    return Draft((*"+" * (len(terms) - 1), *terms), SUMS["listed"], str(sum(terms)), steps, slots)


def multiply(rng: Rng) -> Draft:
    if rng.random() < NEW:
        kinds = (_multiple, _divided, _square, _missing_factor, _three_factors, _by_tens)
        return rng.choices(kinds, (3, 3, 2, 5, 2, 2))[0](rng)
    a, b = number(rng, 2), number(rng, 2)
    if rng.random() < 0.5:
        return Draft(
            ("*", a, b), *_worded(rng, PRODUCTS["times"], str(a * b), columns.multiply(a, b), {"a": a, "b": b})
        )
    b = max(b, 2)
    return Draft(
        ("/", a * b, b), *_worded(rng, PRODUCTS["divide"], str(a), columns.divide(a * b, b), {"n": a * b, "b": b})
    )


def _multiple(rng: Rng) -> Draft:
    """Doubled, tripled, quadrupled."""
    a, (b, (names, verb, done)) = number(rng, 2), rng.choices(list(MULTIPLES.items()), (5, 3, 1))[0]
    slots = {"a": a, "times": rng.choice(names), "verb": verb, "done": done}
    return Draft(("*", a, b), PRODUCTS["multiple"], str(a * b), columns.multiply(a, b), slots)


def _divided(rng: Rng) -> Draft:
    """Half of a number, a third of it and so on."""
    a, (b, (names, parts)) = number(rng, 2), rng.choices(list(DIVISIONS.items()), (5, 3, 3, 1, 1))[0]
    slots = {"n": a * b, "part": rng.choice(names), "parts": parts}
    return Draft(("/", a * b, b), PRODUCTS["part"], str(a), columns.divide(a * b, b), slots)


def _square(rng: Rng) -> Draft:
    a = number(rng, 2)
    return Draft(("*", a, a), PRODUCTS["square"], str(a * a), columns.multiply(a, a), {"a": a})


def _missing_factor(rng: Rng) -> Draft:
    """A product or a quotient with its result, but one of its numbers is not told."""
    kind = rng.choice(("missing_factor", "missing_factor", "missing_divisor", "missing_dividend"))
    a, b = number(rng, 2), max(number(rng, 2), 2)
    if kind == "missing_dividend":
        return Draft(("*", a, b), PRODUCTS[kind], str(a * b), columns.multiply(a, b), {"b": b, "c": a})
    return Draft(("/", a * b, b), PRODUCTS[kind], str(a), columns.divide(a * b, b), {"n": a * b, "b": b})


def _three_factors(rng: Rng) -> Draft:
    a, b, c = (rng.randint(2, rng.choice((6, 12))) for _ in range(3))
    low, middle, high = sorted((a, b, c))
    steps = (*columns.multiply(a, b), *columns.multiply(a * b, c))
    slots = {"a": a, "b": b, "c": c}
    return Draft(("*", f"{low}*{middle}", high), PRODUCTS["three"], str(a * b * c), steps, slots)


def _by_tens(rng: Rng) -> Draft:
    """Zeros hung on, or taken off."""
    b = rng.choice(TENS)
    a = number(rng, 3 if b < TENS[-1] else 2)
    if rng.random() < 0.6:
        a, b = rng.choice(((a, b), (a, b), (b, a)))
        return Draft(("*", a, b), PRODUCTS["times"], str(a * b), (f"{a}*{b}",), {"a": a, "b": b})
    return Draft(("/", a * b, b), PRODUCTS["divide"], str(a), (f"{a * b}/{b}",), {"n": a * b, "b": b})


def percent(rng: Rng) -> Draft:
    if rng.random() < NEW:
        new = (
            _amount,
            _reverse,
            conversions.decimal,
            conversions.fraction,
            conversions.simplified,
            conversions.joined,
        )
        return rng.choices(new, (4, 3, 3, 2, 2, 2))[0](rng)
    kinds = (_percent, _fraction, _changed, _what_percent, conversions.as_percent)
    return rng.choices(kinds, (0.4, 0.25, 0.18, 0.12, 0.08))[0](rng)


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
        if part * n % 100 == 0 or (not even and rng.random() < (0.25 if part * n % 10 == 0 else 0.12)):
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
    """A share of a number; the percentage may be written in words."""
    part, n, share, steps = _share(rng, even=False)
    phrasings, text = PARTS["percent"] if share == int(share) else UNCOUNTED, str(part)
    if part in NAMES and n != 100 and rng.random() < 0.3:
        phrasings, text = phrasings.without("%"), NAMES[part]
    return Draft(("%", part, n), phrasings, plain(share), steps, {"part": text, "n": n})


def _amount(rng: Rng) -> Draft:
    """What is added or saved: a tip, a tax, a discount."""
    part, n, share, steps = _share(rng, even=False)
    return Draft(("%", part, n), PARTS["amount"], plain(share), steps, {"part": part, "n": n})


def _changed(rng: Rng) -> Draft:
    """A number raised or cut by a percentage of itself, reckoned in hundredths where that is not a whole number."""
    part, n, share, steps = _share(rng, even=rng.random() < 0.6)
    kind, sign = rng.choice((("raised", 1), ("cut", -1)))
    scale = 1
    while share * scale != int(share * scale):
        scale *= 10
    steps = (f"{n}{'+-'[sign < 0]}{part}%", *steps, *((plain(share),) if scale > 1 else ()))
    steps = (*steps, *columns.change(n * scale, sign * int(share * scale)))
    phrasings = PARTS[kind] if scale == 1 else PARTS[kind].without(*COUNTED)
    return Draft(("%", part, n), phrasings, plain(n + sign * share), steps, {"part": part, "n": n})


def _reverse(rng: Rng) -> Draft:
    """The whole, when a part is told: a hundred times the part, divided by the percentage."""
    part, n, share, _ = _share(rng, even=True)
    a = int(share)
    over, under = a * 100, part
    while over % 10 == 0 and under % 10 == 0:
        over, under = over // 10, under // 10
    steps = (f"{a}*100/{part}", *(columns.divide(over, under) if under > 1 else ()))
    return Draft(("%", part, n), PARTS["reverse"], str(n), steps, {"part": part, "a": a})


def _what_percent(rng: Rng) -> Draft:
    """A hundred times the part, divided by the whole; zeros that both end with are left out."""
    part, n, share, _ = _share(rng, even=True)
    while n in conversions.HUNDREDTHS:  # those are asked about as fractions, and held out as such
        part, n, share, _ = _share(rng, even=True)
    a = int(share)
    over, under = a * 100, n
    while over % 10 == 0 and under % 10 == 0:
        over, under = over // 10, under // 10
    steps = (f"{a}*100/{n}", *(columns.divide(over, under) if under > 1 else ()))
    return Draft(("%", part, n), PARTS["what_percent"], str(part), steps, {"a": a, "n": n})


def _fraction(rng: Rng) -> Draft:
    """Divided by the lower number, multiplied by the upper; or the other way round, where no whole number comes out."""
    if rng.random() < 0.5:
        (a, b), words = rng.choice(list(FRACTIONS.items()))
        text = rng.choice(words)
    else:
        b = rng.randint(2, 10)
        a = rng.randint(1, b - 1)
        text = f"{a}/{b}"
    n = b * rng.randint(2, 99)
    if b in TENTHS and rng.random() < 0.3:
        n = number(rng)
    phrasings, share = PARTS["fraction"], Decimal(n * a) / b
    if n % b == 0:
        steps = columns.divide(n, b)
        steps = (*steps, f"{n // b}*{a}: {columns.times_digit(n // b, a)}") if a > 1 else steps
    else:
        phrasings = phrasings.without(*COUNTED)
        steps = (f"{n}*{a}/{b}", *((f"{n}*{a}: {columns.times_digit(n, a)}",) if a > 1 else ()))
        places = len(plain(share).partition(".")[2])
        steps = steps if b == max(TENTHS) else (*steps, *columns.divide(n * a * 10**places, b))
    return Draft((Fraction(a, b), n), phrasings, plain(share), steps, {"part": text, "n": n})
