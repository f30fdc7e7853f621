"""Numbers themselves: comparing and sorting them, writing them the Roman way."""

from training.world import draft
from training.world.draft import Draft, Rng

COMPARISONS, NUMERALS = draft.load("compare"), draft.load("roman")
ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
    (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip


def compare(rng: Rng) -> Draft:
    kind = rng.random()
    if kind < 0.4:
        return _which(rng)
    values = _values(rng, rng.randint(3, 5))
    listed = ", ".join(values)
    rising = sorted(values, key=float)
    padded = dict(zip(values, aligned(values), strict=True))
    steps = (" ".join(padded[value] for value in rising),)
    if kind < 0.75:
        falling = rng.random() < 0.4
        ordered = rising[::-1] if falling else rising
        phrasings = COMPARISONS["descending" if falling else "ascending"]
        return Draft(tuple(values), phrasings, ", ".join(ordered), steps, {"list": listed})
    largest = rng.random() < 0.5
    phrasings = COMPARISONS["maximum" if largest else "minimum"]
    return Draft(tuple(values), phrasings, rising[-1 if largest else 0], steps, {"list": listed})


def _values(rng: Rng, count: int) -> list[str]:
    """Different numbers, whole ones mostly."""
    if rng.random() < 0.75:
        return [str(value) for value in rng.sample(range(1, 100 if rng.random() < 0.6 else 1000), count)]
    whole = rng.choice((0, 0, rng.randint(1, 20)))
    found: dict[float, str] = {}
    while len(found) < count:
        value = _decimal(rng, whole)
        found.setdefault(float(value), value)
    return list(found.values())


def _decimal(rng: Rng, whole: int) -> str:
    places = rng.randint(1, 3)
    whole = whole if rng.random() < 0.8 else rng.randint(0, 9)
    return f"{whole}.{rng.randint(1, 10**places - 1):0{places}d}".rstrip("0")


def _which(rng: Rng) -> Draft:
    if rng.random() < 0.7:
        whole = rng.choice((0, 0, 0, rng.randint(1, 20)))
        a, b = _decimal(rng, whole), _decimal(rng, whole)
    else:
        a, b = (str(rng.randint(1, 10 ** rng.randint(1, 4) - 1)) for _ in range(2))
    if float(a) == float(b):
        return _which(rng)
    larger = rng.random() < 0.5
    x, y = aligned((a, b))
    place = next(i for i, pair in enumerate(zip(x, y, strict=True)) if pair[0] != pair[1])
    sign = "<" if x[place] < y[place] else ">"
    kind, answer = "larger" if larger else "smaller", a if (float(a) > float(b)) == larger else b
    if rng.random() < 0.2:
        kind, answer = f"is_{kind}", "yes" if answer == a else "no"
    return Draft((a, b), COMPARISONS[kind], answer, (f"{x} {y}", f"{x[place]}{sign}{y[place]}"), {"a": a, "b": b})


def aligned(values: list[str] | tuple[str, ...]) -> list[str]:
    """The numbers padded with zeros to the same places before and after the point."""
    parts = [value.partition(".") for value in values]
    whole, places = max(len(i) for i, _, _ in parts), max(len(f) for _, _, f in parts)
    point = "." if places else ""
    return [f"{i.zfill(whole)}{point}{f.ljust(places, '0')}" for i, _, f in parts]


def to_roman(n: int) -> str:
    letters = ""
    for value, sign in ROMAN:
        while n >= value:
            letters, n = letters + sign, n - value
    return letters


def roman(rng: Rng) -> Draft:
    n = rng.randint(1, 3999 if rng.random() < 0.75 else 100)
    digits = str(n)
    places = [int(d) * 10 ** (len(digits) - 1 - i) for i, d in enumerate(digits) if d != "0"]
    if rng.random() < 0.55:
        steps = (" ".join(f"{place}={to_roman(place)}" for place in places),)
        return Draft((n,), NUMERALS["to_roman"], to_roman(n), steps, {"n": n})
    steps = (" ".join(f"{to_roman(place)}={place}" for place in places),)
    return Draft((n,), NUMERALS["from_roman"], digits, steps, {"n": to_roman(n)})
