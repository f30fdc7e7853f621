"""Numbers themselves: comparing and sorting them, writing them the Roman way."""

import re
from collections.abc import Sequence
from functools import cache

from training.world import columns, draft
from training.world.draft import Draft, Rng

COMPARISONS, NUMERALS = draft.load("compare"), draft.load("roman")
ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
    (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip


WRITTEN = (
    ("", ", ", ", "), ("", ", ", " and "), ("", ", ", " or "), ("", "; ", "; "), ("", " ", " "), ("", " or ", " or "),
    ("", " | ", " | "), ("", ", ", ", and "), ("", ", ", ", or "), ("", " and ", " and "), ("", " / ", " / "),
    ("", ",", ","), ("", ";", ";"), ("()", ", ", ", "), ("[]", ", ", ", "), ("{}", ", ", ", "), ("", " vs ", " vs "),
)  # fmt: skip
MEASURED = re.compile(
    r"(\b(k?g|[kcm]?m|s|secs?|seconds|minutes|hours|degrees|dollars|euros|litres|prices|lap|temperatures?|weigh\w*|speeds?)\b|=)",
    re.I,
)
COUNTED = re.compile(
    r"\b(ages?|year\w*|child\w*|pupils|people|members|floors|levels|cards?|tiles|balls|discs|pages|tickets?|guests?|wear|runners|players|"
    r"riders|points|scor\w*|games|goals|votes|coins|books|apples|eggs|seats|mistakes|errors|nuts|cakes|shells|numbered|rolled|crowds?|sizes|"
    r"visitors|sales|sold|marks|daily|stamps|strokes|sheep|goats|hens|pigs|drew|draws|entries|floor\w*|golf)\b",
    re.I,
)
"""What has decimals, and what is counted whole: nobody has 0.488 guests."""
NAMES = ("Ann", "Ben", "Cara", "Dan", "Eva", "Finn", "Gus", "Ida", "Kim", "Leo", "Mia", "Tom", "Zoe", "Max", "Lily")


def written(rng: Rng, values: Sequence[str]) -> str:
    """The values as a list, with commas mostly, else in one of the other ways people write lists."""
    around, between, last = WRITTEN[0] if rng.random() < 0.45 else rng.choice(WRITTEN)
    listed = f"{between.join(values[:-1])}{last}{values[-1]}"
    return f"{around[0]}{listed}{around[1]}" if around else listed


def _apt(phrasings: draft.Phrasings, values: Sequence[str], measured: bool = False) -> draft.Phrasings:
    """Wordings in which the values make sense: decimals are of nothing that is counted whole; `measured`: of what has a measure."""
    return _of_decimals(phrasings, measured) if any("." in one for one in values) else phrasings


@cache
def _of_decimals(phrasings: draft.Phrasings, measured: bool) -> draft.Phrasings:
    return phrasings.where(lambda one: not COUNTED.search(one) and (not measured or bool(MEASURED.search(one))))


def compare(rng: Rng) -> Draft:
    kind = rng.random()
    if kind < 0.4:
        return rng.choices([new for new, _ in NEW], [weight for _, weight in NEW])[0](rng)
    if kind < 0.64:
        return _which(rng)
    values = _values(rng, rng.randint(3, 6) if rng.random() < 0.7 else 3)
    steps = (_ranked(values),)
    rising = sorted(values, key=float)
    listed = written(rng, values)
    if kind < 0.85:
        falling = rng.random() < 0.4
        ordered = rising[::-1] if falling else rising
        phrasings = _apt(COMPARISONS["descending" if falling else "ascending"], values)
        listed = listed.replace(" or ", " and ").replace(" vs ", ", ")  # all of them are to be sorted
        return Draft(tuple(values), phrasings, ", ".join(ordered), steps, {"list": listed})
    largest = rng.random() < 0.5
    phrasings = _apt(COMPARISONS["maximum" if largest else "minimum"], values)
    return Draft(tuple(values), phrasings, rising[-1 if largest else 0], steps, {"list": listed})


def _ranked(values: Sequence[str]) -> str:
    """The values padded to one length, the smallest first."""
    padded = dict(zip(values, aligned(tuple(values)), strict=True))
    return " ".join(padded[value] for value in sorted(values, key=float))


def _second(rng: Rng) -> Draft:
    values = _values(rng, rng.randint(3, 6))
    large = rng.random() < 0.6
    size = rng.choice(("largest", "biggest", "highest", "greatest") if large else ("smallest", "smallest", "lowest"))
    answer = sorted(values, key=float)[-2 if large else 1]
    steps = (f"second {'last' if large else 'first'}: {_ranked(values)}",)
    kind = ("second", "large" if large else "small")
    phrasings = _apt(COMPARISONS["second"], values)
    return Draft((*kind, *values), phrasings, answer, steps, {"list": written(rng, values), "size": size})


def _median(rng: Rng) -> Draft:
    values = _values(rng, 3 if rng.random() < 0.8 else 5)
    answer, steps = sorted(values, key=float)[len(values) // 2], (f"middle: {_ranked(values)}",)
    phrasings = _apt(COMPARISONS["median"], values)
    return Draft(("median", *values), phrasings, answer, steps, {"list": written(rng, values)})


def _two(rng: Rng) -> tuple[str, str]:
    """Two numbers, the same ones now and then, or such as look alike."""
    a, other = rng.choice((_decimal(rng, rng.choice((0, 0, 3))), str(rng.randint(1, 999)))), rng.random()
    if other < 0.45:
        zeros = "0" * rng.randint(1, 2)
        b = a + zeros if "." in a else f"{a}.{zeros}" if rng.random() < 0.5 else a
    elif other < 0.75:
        swapped = a.replace(".", ".0") if "." in a else a[:-2] + a[::-1][:2]
        b = rng.choice((swapped, a + "1" if "." in a else str(int(a) + 1)))
    else:
        b = _decimal(rng, int(float(a))) if "." in a else str(rng.randint(1, 999))
    return (a, b) if rng.random() < 0.5 else (b, a)


def _sides(a: str, b: str) -> tuple[str, str]:
    """The first place where two numbers differ, as "3<5", and the sign between the numbers; "=" where there is none."""
    for p, q in zip(*aligned((a, b)), strict=True):
        if p != q:
            sign = "<" if p < q else ">"
            return f"{p}{sign}{q}", sign
    return "all =", "="


def _equal(rng: Rng) -> Draft:
    a, b = _two(rng)
    place, sign = _sides(a, b)
    steps = ("same? " + " ".join(aligned((a, b))), place)
    return Draft(
        ("equal", a, b), _apt(COMPARISONS["equal"], (a, b)), "yes" if sign == "=" else "no", steps, {"a": a, "b": b}
    )


def _sign(rng: Rng) -> Draft:
    """Which sign stands between two numbers, or whether the one that does is right."""
    a, b = _two(rng) if rng.random() < 0.3 else _values(rng, 2)
    place, sign = _sides(a, b)
    work = " ".join(aligned((a, b)))
    if rng.random() < 0.4:
        phrasings = _apt(COMPARISONS["sign"], (a, b))
        return Draft(("sign", a, b), phrasings, sign, (f"sign: {work}", place), {"a": a, "b": b})
    put = rng.choice("<>")
    phrasings = _apt(COMPARISONS["above" if put == ">" else "below"], (a, b))
    steps = (f"{put}? {work}", place)
    return Draft((put, a, b), phrasings, "yes" if sign == put else "no", steps, {"a": a, "b": b})


def _between(rng: Rng) -> Draft:
    values = sorted(_values(rng, 3), key=float)
    inside = rng.random() < 0.5
    c = values.pop(1 if inside else rng.choice((0, 2)))
    a, b = values
    low, asked, high = aligned((a, c, b))
    steps = (f"between: {low} {asked} {high}", f"{_sides(a, c)[0]} {_sides(c, b)[0]}")
    phrasings = _apt(COMPARISONS["between"], (a, b, c))
    return Draft(("between", c, a, b), phrasings, "yes" if inside else "no", steps, {"a": a, "b": b, "c": c})


def _scene(rng: Rng) -> Draft:
    """Three numbers in a scene whose meaning says whether the largest or the smallest is asked for, or whose it is."""
    values = _values(rng, 3)
    large, who = rng.random() < 0.5, rng.random() < 0.45
    names = rng.sample(NAMES, 3)
    best = sorted(values, key=float)[-1 if large else 0]
    slots = dict(zip("abcxyz", (*values, *names), strict=True))
    phrasings = _apt(COMPARISONS[f"{'who' if who else 'scene'}_{'most' if large else 'least'}"], values, measured=True)
    if not who:
        return Draft(tuple(values), phrasings, best, (_ranked(values),), slots)
    owner = names[values.index(best)]
    return Draft(("who", *values), phrasings, owner, (f"who: {_ranked(values)}", f"{best} {owner}"), slots)


NEW = ((_second, 0.2), (_median, 0.12), (_equal, 0.14), (_sign, 0.16), (_between, 0.12), (_scene, 0.26))


def _values(rng: Rng, count: int) -> list[str]:
    """Different numbers, whole ones mostly."""
    if rng.random() < 0.75:
        mixed = rng.random() < 0.4  # of several lengths, as people write them
        tops = (10, 100, 1000, 10000) if mixed else rng.choices(((100,), (1000,), (10000,)), (6, 3, 1))[0]
        different: set[int] = set()
        while len(different) < count:
            different.add(rng.randrange(1, rng.choice(tops)))
        return rng.sample([str(value) for value in sorted(different)], count)
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
    return Draft(
        (a, b), _apt(COMPARISONS[kind], (a, b)), answer, (f"{x} {y}", f"{x[place]}{sign}{y[place]}"), {"a": a, "b": b}
    )


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


def _places(n: int) -> list[int]:
    digits = str(n)
    return [int(d) * 10 ** (len(digits) - 1 - i) for i, d in enumerate(digits) if d != "0"]


def _read(n: int) -> str:
    """How a numeral is read: "X=10 IV=4 14"."""
    return f"{' '.join(f'{to_roman(place)}={place}' for place in _places(n))} {n}"


def roman(rng: Rng) -> Draft:
    if rng.random() < 0.3:
        return rng.choices((_numeral_equal, _numeral_larger, _numeral_sum), (4, 4, 3))[0](rng)
    n = rng.randint(1, rng.choices((3999, 2100, 100, 40), (50, 20, 20, 10))[0])
    if rng.random() < 0.55:
        steps = (" ".join(f"{place}={to_roman(place)}" for place in _places(n)),)
        return Draft((n,), NUMERALS["to_roman"], to_roman(n), steps, {"n": n})
    steps = (" ".join(f"{to_roman(place)}={place}" for place in _places(n)),)
    return Draft((n,), NUMERALS["from_roman"], str(n), steps, {"n": to_roman(n)})


def _numeral_equal(rng: Rng) -> Draft:
    n = rng.randint(1, rng.choice((20, 100, 2100)))
    said = n if rng.random() < 0.5 else max(1, n + rng.choice((-2, -1, 1, 2, 10, -10, 5, -5, 20, 100)))
    steps = (f"same? {_read(n)}", f"{n}{'=' if said == n else '!'}{said}")
    slots = {"r": to_roman(n), "n": said}
    return Draft((n,), NUMERALS["equal"], "yes" if said == n else "no", steps, slots)


def _numeral_larger(rng: Rng) -> Draft:
    a, b = rng.sample(range(1, rng.choice((31, 101, 1001))), 2)
    large = rng.random() < 0.6
    answer = max(a, b) if large else min(a, b)
    steps = (f"which? {_read(a)}, {_read(b)}", f"{'max' if large else 'min'} {answer}")
    phrasings = NUMERALS["larger" if large else "smaller"]
    return Draft(
        ("large" if large else "small", a, b), phrasings, to_roman(answer), steps, {"a": to_roman(a), "b": to_roman(b)}
    )


def _numeral_sum(rng: Rng) -> Draft:
    a, b = (rng.randint(1, rng.choice((12, 60))) for _ in range(2))
    steps = (f"sum: {_read(a)}, {_read(b)}", *columns.add(a, b))
    return Draft(("+", a, b), NUMERALS["sum"], str(a + b), steps, {"a": to_roman(a), "b": to_roman(b)})
