"""Sequences: what comes next or is missing, found from two differences."""

import itertools
from collections.abc import Sequence

from training.world import columns, draft
from training.world.draft import Draft, Rng

PHRASINGS = draft.load("sequence")
GAPS = ("_", "__", "__", "___", "____", "?", "?", "...", "…", "[ ]", "( )", "[?]", "(?)", "x", "*", "..", "-", "??")
BETWEEN = (" ", " ", "; ", " - ", " -> ", " | ", ",", " / ", " → ", ";")
ORDINALS = "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"
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


KEY = 3  # terms, of those shown, a sequence is held out by: what begins alike goes on alike, however many of its terms are shown


def written(rng: Rng, terms: Sequence[object]) -> str:
    """The terms in a row, with commas mostly; a gap that is a dash or a stroke has commas always."""
    texts = [str(term) for term in terms]
    if rng.random() < 0.65 or "-" in texts:
        return ", ".join(texts)
    return rng.choice(BETWEEN).join(texts)


def sequence(rng: Rng) -> Draft:
    drawn = rng.random()
    if drawn < 0.3:
        return rng.choices((_nth, _nth_product, _nth_sum, _two_more, _told, _by_how_much), (5, 3, 2, 4, 2, 3))[0](rng)
    if drawn < 0.43:
        return _missing(rng)
    kind = rng.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]
    shown = rng.choice((4, 4, 4, 5)) if kind is not _multiplied else rng.choice((3, 4, 4, 5))
    while True:
        terms, last = kind(rng, shown)
        if follow(terms[:-1]) == {terms[-1]}:
            break
    listed = written(rng, terms[:-1])
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
    gap = rng.choice((0, 1, 1, 2, 2, 3, 3, 4))
    whole = [place for place in range(4) if gap not in (place, place + 1)]
    pairs = [(terms[place + 1], terms[place]) for place in whole]
    before, rule = terms[max(gap - 1, 1 - gap)], last[0]
    amount = int(rule[1:])
    work: tuple[str, ...] = (columns.times_digit(before, amount),) if amount < 10 else ("0",)
    if gap == 0 and kind is _multiplied:
        work = columns.divide(before, amount)
    elif kind is not _multiplied:
        work = columns.change(before, amount if (kind is _constant) == (gap > 0) else -amount)
    shown = [str(term) for term in terms]
    shown[gap] = rng.choice(GAPS)
    listed = written(rng, shown)
    steps = (_difference(*pairs[0]), _glance(*pairs[1]), rule, *(("before",) if gap == 0 else ()), *work)
    key = [term for place, term in enumerate(terms) if place != gap][:KEY]
    return Draft(tuple(key), PHRASINGS["missing"], str(terms[gap]), steps, {"list": listed})


def _place(rng: Rng, last: int) -> tuple[int, str, str]:
    """A place in a sequence, as a number, as a word and as it is written."""
    place = rng.randint(3, last)
    word = ORDINALS[place - 3]
    return place, word, word if rng.random() < 0.5 else f"{place}{'rd' if place == 3 else 'th'}"


def _nth(rng: Rng) -> Draft:
    """The first term and what is added or taken away each time are told: so many times that much, from the first on."""
    n, word, nth = _place(rng, 10)
    falling = rng.random() < 0.3
    a, step = rng.randint(1, 60), rng.randint(2, 12 if rng.random() < 0.7 else 30)
    total = step * (n - 1)
    a += total if falling else 0
    work = columns.subtract(a, total) if falling else columns.add(a, total)
    steps = (f"{n}-1={n - 1}", columns.times_digit(step, n - 1), *work)
    kind = "nth_less" if falling else "nth_more"
    answer = a - total if falling else a + total
    return Draft((kind, word, a, step), PHRASINGS[kind], str(answer), steps, {"a": a, "b": step, "nth": nth})


def _nth_product(rng: Rng) -> Draft:
    n, word, nth = _place(rng, 6)
    factor = rng.choice((2, 2, 2, 3, 3, 4, 5, 10))
    a = rng.randint(1, 12 if factor < 4 else 5)
    terms = [a * factor**i for i in range(n)]
    work = tuple(columns.times_digit(term, factor) if factor < 10 else f"{term}0" for term in terms[:-1])
    slots = {"a": a, "b": factor, "nth": nth}
    return Draft(
        ("nth_times", word, a, factor), PHRASINGS["nth_times"], str(terms[-1]), (f"{n} terms *{factor}", *work), slots
    )


def _nth_sum(rng: Rng) -> Draft:
    n, word, nth = _place(rng, 6)
    terms = [rng.randint(1, 12), rng.randint(1, 12)]
    work = []
    while len(terms) < n:
        work.append(f"{terms[-2]}+{terms[-1]}={terms[-2] + terms[-1]}")
        terms.append(terms[-2] + terms[-1])
    slots = {"a": terms[0], "b": terms[1], "nth": nth}
    steps = (f"{n} terms sum", " ".join(work))
    return Draft(("nth_sum", word, *map(str, terms[:2])), PHRASINGS["nth_sum"], str(terms[-1]), steps, slots)


def _two_more(rng: Rng) -> Draft:
    kind = rng.choices((_constant, _falling, _multiplied), (4, 2, 2))[0]
    while True:
        terms, last = kind(rng, 5)
        if terms[-1] < 1000:
            break
    rule = last[0]
    amount = int(rule[1:])
    work: list[str] = []
    for term in terms[-3:-1]:
        if kind is _multiplied:
            work.append(columns.times_digit(term, amount) if amount < 10 else f"{term}0")
        else:
            work += columns.change(term, amount if kind is _constant else -amount)
    shown = terms[:-2]
    steps = ("two", _difference(shown[-1], shown[-2]), _glance(shown[-2], shown[-3]), rule, *work)
    answer = f"{terms[-2]}, {terms[-1]}"
    return Draft(tuple(terms[:KEY]), PHRASINGS["two_more"], answer, steps, {"list": written(rng, shown)})


def _told(rng: Rng) -> Draft:
    """The rule is told: each term is the sum of the two before it."""
    terms, last = _summed(rng, rng.randint(3, 5))
    return Draft(tuple(terms[:KEY]), PHRASINGS["told"], str(terms[-1]), last, {"list": written(rng, terms[:-1])})


def _by_how_much(rng: Rng) -> Draft:
    falling = rng.random() < 0.35
    terms, _ = (_falling if falling else _constant)(rng, rng.randint(3, 4))
    kind = "shrinks_by" if falling else "grows_by"
    steps = ("by", _difference(terms[1], terms[0]), _glance(terms[2], terms[1]))
    listed = written(rng, terms)
    return Draft((kind, *terms[:KEY]), PHRASINGS[kind], str(abs(terms[1] - terms[0])), steps, {"list": listed})


def _glance(a: int, b: int) -> str:
    """The difference of two neighbours at once: it only has to show whether the last one was the same."""
    a, b = max(a, b), min(a, b)
    return f"{a}-{b}={a - b}"


def _difference(a: int, b: int) -> str:
    """The difference of two neighbours, by columns where it has more than one."""
    a, b = max(a, b), min(a, b)
    return _glance(a, b) if a < 20 else f"{' '.join(columns.subtract(a, b))} {a - b}"
