"""Sequences: what comes next or is missing, found from two differences."""

import itertools
from collections.abc import Sequence

from training.world import columns, draft
from training.world.draft import Draft, Rng

PHRASINGS = draft.load("sequence")
GAPS = ("_", "__", "__", "___", "?", "...")
Continued = tuple[list[int], columns.Steps]  # the terms, the asked one last, and how it follows from those before it


def _constant(rng: Rng, shown: int) -> Continued:
    step = rng.randint(1, 25) if rng.random() < 0.8 else rng.randint(1, 120)
    first = rng.randint(1, 60)
    terms = [first + i * step for i in range(shown + 1)]
    return terms, (f"+{step}", *columns.add(terms[-2], step))


def _falling(rng: Rng, shown: int) -> Continued:
    step = rng.randint(1, 25)
    first = rng.randint(shown * step, shown * step + 99)
    terms = [first - i * step for i in range(shown + 1)]
    return terms, (f"-{step}", *columns.subtract(terms[-2], step))


def _multiplied(rng: Rng, shown: int) -> Continued:
    factor = rng.choice((2, 2, 3, 3, 4, 5, 10))
    first = rng.randint(1, 12 if factor < 4 else 5)
    terms = [first * factor**i for i in range(shown + 1)]
    return terms, (f"*{factor}", columns.times_digit(terms[-2], factor) if factor < 10 else "0")


def _divided(rng: Rng, shown: int) -> Continued:
    factor = rng.choice((2, 2, 3, 5, 10))
    last = rng.randint(1, 12 if factor < 4 else 5)
    terms = [last * factor**i for i in range(shown, -1, -1)]
    return terms, (f"/{factor}", *columns.divide(terms[-2], factor))


def _summed(rng: Rng, shown: int) -> Continued:
    terms = [rng.randint(1, 12), rng.randint(1, 12)]
    while len(terms) < shown + 1:
        terms.append(terms[-1] + terms[-2])
    return terms, ("sum", *columns.add(terms[-2], terms[-3]))


def _growing(rng: Rng, shown: int) -> Continued:
    step, more = rng.randint(1, 10), rng.choice((1, 1, 2, 2, 3))
    terms = [1 if rng.random() < 0.5 else rng.randint(0, 20)]
    if terms[0] == 1 and rng.random() < 0.5:
        step, more = 3, 2  # the squares
    for i in range(shown):
        terms.append(terms[-1] + step + i * more)
    last = step + (shown - 1) * more
    return terms, (f"{last - more}+{more}={last}", *columns.add(terms[-2], last))


KINDS = ((_constant, 0.35), (_falling, 0.2), (_multiplied, 0.2), (_divided, 0.07), (_summed, 0.08), (_growing, 0.1))


KEY = 3  # terms a sequence is held out by: what begins alike goes on alike, however many of its terms are shown


def sequence(rng: Rng) -> Draft:
    if rng.random() < 0.15:
        return _missing(rng)
    kind = rng.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]
    shown = rng.choice((4, 4, 4, 5)) if kind is not _multiplied else rng.choice((3, 4, 4, 5))
    while True:
        terms, last = kind(rng, shown)
        if follow(terms[:-1]) == {terms[-1]}:
            break
    listed = ", ".join(map(str, terms[:-1]))
    steps = (_difference(terms[-2], terms[-3]), _glance(terms[-3], terms[-4]), *last)
    return Draft(tuple(terms[:KEY]), PHRASINGS["next"], str(terms[-1]), steps, {"list": listed})


def follow(terms: Sequence[int]) -> set[int]:
    """Each term that may come next, by one of the rules sequences are made by here."""
    pairs = list(itertools.pairwise(terms))
    steps = [b - a for a, b in pairs]
    found = {terms[-1] + steps[-1]} if len(set(steps)) == 1 else set()
    if all(a * c == b * b for (a, b), (_, c) in itertools.pairwise(pairs)):
        found.add(terms[-1] ** 2 // terms[-2])
    if len(terms) > KEY:
        if len({b - a for a, b in itertools.pairwise(steps)}) == 1:
            found.add(terms[-1] + 2 * steps[-1] - steps[-2])
        if all(a + b == c for (a, b), (_, c) in itertools.pairwise(pairs)):
            found.add(terms[-1] + terms[-2])
    return found


def _missing(rng: Rng) -> Draft:
    """A gap inside: the differences of the two pairs of neighbours that are left, then on from the term before the gap."""
    kind = rng.choices((_constant, _falling, _multiplied), (3, 2, 1))[0]
    terms, last = kind(rng, 4)
    gap = rng.randint(1, 3)
    whole = [place for place in range(4) if gap not in (place, place + 1)]
    pairs = [(terms[place + 1], terms[place]) for place in whole]
    before, rule = terms[gap - 1], last[0]
    amount = int(rule[1:])
    work: tuple[str, ...] = (columns.times_digit(before, amount),) if amount < 10 else ("0",)
    if kind is not _multiplied:
        work = columns.change(before, amount if kind is _constant else -amount)
    shown = [str(term) for term in terms]
    shown[gap] = rng.choice(GAPS)
    listed = ", ".join(shown)
    steps = (_difference(*pairs[0]), _glance(*pairs[1]), rule, *work)
    return Draft(tuple(terms[:KEY]), PHRASINGS["missing"], str(terms[gap]), steps, {"list": listed})


def _glance(a: int, b: int) -> str:
    """The difference of two neighbours at once: it only has to show whether the last one was the same."""
    a, b = max(a, b), min(a, b)
    return f"{a}-{b}={a - b}"


def _difference(a: int, b: int) -> str:
    """The difference of two neighbours, by columns where it has more than one."""
    a, b = max(a, b), min(a, b)
    return _glance(a, b) if a < 20 else f"{' '.join(columns.subtract(a, b))} {a - b}"
