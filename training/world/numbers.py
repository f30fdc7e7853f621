"""Numbers themselves: comparing and sorting them, continuing a sequence, writing them the Roman way."""

from training.world.draft import Draft, Phrasings, Rng

WHICH = Phrasings(
    seen=(
        "Which is {more}, {a} or {b}?",
        "Which number is {more}: {a} or {b}?",
        "Compare {a} and {b}: which is {more}?",
        "Tell me the {more} of {a} and {b}.",
        "Which is {word}, {a} or {b}?",
        "What is {more}, {a} or {b}?",
        "What is {word}: {a} or {b}?",
        "Which one is {more}, {a} or {b}?",
        "Between {a} and {b}, which is {more}?",
        "{a} or {b}, which is {more}?",
        "Is {a} or {b} {more}?",
        "Which of {a} and {b} is {more}?",
        "Give the {more} number: {a} or {b}.",
        "Choose the {more} of {a} and {b}.",
        "Which of these is {word}: {a}, {b}?",
    ),
    unseen=(
        "Of {a} and {b}, which one is {more}?",
        "{a} or {b}: which is {word}?",
        "Which of the two is {more}: {a} or {b}?",
        "Say which is {more}: {a} or {b}.",
    ),
)
SORT = Phrasings(
    seen=(
        "Sort {list} in {order} order.",
        "Put {list} in {order} order.",
        "Order {list} from {range}.",
        "Arrange {list} from {range}.",
        "Sort {list} from {range}.",
        "Arrange {list} in {order} order.",
        "Put these numbers in {order} order: {list}.",
        "Sort these numbers from {range}: {list}",
        "Order these from {range}: {list}",
        "Bring {list} into {order} order.",
        "Line up {list} from {range}.",
        "Put {list} in order from {range}.",
        "Sort ({order}): {list}",
        "What is {list} in {order} order?",
    ),
    unseen=(
        "List {list} from {range}.",
        "Write {list} in {order} order.",
        "Rank {list} from {range}.",
        "Can you order {list}, {order}?",
    ),
)
PLAIN_SORT = Phrasings(
    seen=(
        "Sort {list}.",
        "Order {list}.",
        "Sort these numbers: {list}",
        "Put {list} in order.",
        "Put these in order: {list}",
        "Arrange {list}.",
        "Sort the numbers {list}.",
        "Please sort {list}",
        "Sort: {list}",
        "Sort the list {list}.",
        "Bring {list} into order.",
        "Order the numbers {list}.",
    ),
    unseen=("Can you sort {list}?", "Get {list} into order.", "Order this list: {list}"),
)
EXTREME = Phrasings(
    seen=(
        "What is the {most} of {list}?",
        "Find the {name} of {list}.",
        "Which is the {most}: {list}?",
        "{name} of {list}?",
        "What is the {name} of {list}?",
        "Which number is the {most}: {list}?",
        "Find the {most} number in {list}.",
        "Tell me the {most} of {list}.",
        "Which of {list} is the {most}?",
        "Of {list}, which is the {most}?",
        "Choose the {most} number: {list}",
        "What is the {most} number in {list}?",
        "{most} of {list}?",
        "Which one is the {most}, {list}?",
    ),
    unseen=(
        "Pick the {most} number from {list}.",
        "Give the {name} of {list}.",
        "Among {list}, which is the {most}?",
        "Which is the {name}: {list}?",
    ),
)
NEXT = Phrasings(
    seen=(
        "{list}, ... what comes next?",
        "What comes next: {list}?",
        "What is the next number in {list}, ...?",
        "Continue the sequence {list}.",
        "{list}, ?",
        "What number comes after {list}?",
        "Which number comes next in {list}?",
        "{list}, ... what is next?",
        "Continue: {list}, ...",
        "What is next in the sequence {list}?",
        "Tell me the next number: {list}",
        "Complete the sequence: {list}, ?",
        "How does {list} go on?",
        "What is the next term of {list}?",
        "Give the next number of the sequence {list}.",
    ),
    unseen=(
        "Find the next term of {list}.",
        "Which number follows {list}?",
        "The sequence is {list}. What follows?",
        "Write the number that comes after {list}.",
    ),
)
TO_ROMAN = Phrasings(
    seen=(
        "Write {n} in Roman numerals.",
        "What is {n} in Roman numerals?",
        "Convert {n} to Roman numerals.",
        "{n} as a Roman numeral?",
        "How do you write {n} in Roman numerals?",
        "Turn {n} into Roman numerals.",
        "{n} in Roman numerals",
        "What is the Roman numeral for {n}?",
        "Write the number {n} as a Roman numeral.",
        "Express {n} in Roman numerals.",
        "How is {n} written in Roman numerals?",
        "Change {n} to a Roman numeral.",
        "Which Roman numeral is {n}?",
        "Show {n} in Roman numerals.",
    ),
    unseen=(
        "Give the Roman numeral for {n}.",
        "How did the Romans write {n}?",
        "Put {n} in Roman numerals.",
        "What does {n} look like in Roman numerals?",
    ),
)
FROM_ROMAN = Phrasings(
    seen=(
        "What number is {n}?",
        "Convert {n} to a number.",
        "Which number is the Roman numeral {n}?",
        "What is {n} in ordinary digits?",
        "What does {n} mean as a number?",
        "Turn the Roman numeral {n} into a number.",
        "What is the Roman numeral {n}?",
        "Read the Roman numeral {n}.",
        "What is the value of {n}?",
        "Change {n} to a number.",
        "What number does {n} stand for?",
        "{n} as a number?",
        "Convert the Roman numeral {n}.",
        "Which number is {n}?",
    ),
    unseen=(
        "Write {n} in digits.",
        "How much is the Roman numeral {n}?",
        "Translate {n} into a number.",
        "The Roman numeral {n} is which number?",
    ),
)
ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
    (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip


def compare(rng: Rng) -> Draft:
    kind = rng.random()
    if kind < 0.4:
        return _which(rng)
    values = rng.sample(range(1, 100 if rng.random() < 0.6 else 1000), rng.randint(3, 5))
    listed, width = ", ".join(map(str, values)), len(str(max(values)))
    steps = (" ".join(str(value).zfill(width) for value in sorted(values)),)
    if kind < 0.75:
        return _sort(rng, values, listed, steps)
    largest = rng.random() < 0.5
    slots = {"list": listed, "most": "largest" if largest else "smallest", "name": "maximum" if largest else "minimum"}
    return Draft(listed, EXTREME, str(max(values) if largest else min(values)), steps, slots)


def _sort(rng: Rng, values: list[int], listed: str, steps: tuple[str, ...]) -> Draft:
    if rng.random() < 0.25:
        return Draft(listed, PLAIN_SORT, ", ".join(map(str, sorted(values))), steps, {"list": listed})
    falling = rng.random() < 0.4
    answer = ", ".join(map(str, sorted(values, reverse=falling)))
    order = "descending" if falling else "ascending"
    span = "largest to smallest" if falling else "smallest to largest"
    return Draft(listed, SORT, answer, steps, {"list": listed, "order": order, "range": span})


def _decimal(rng: Rng, whole: int) -> str:
    places = rng.randint(1, 3)
    whole = whole if rng.random() < 0.8 else rng.randint(0, 9)
    return f"{whole}.{rng.randint(1, 10**places - 1):0{places}d}".rstrip("0")


def _which(rng: Rng) -> Draft:
    if rng.random() < 0.7:
        whole = rng.choice((0, 0, 0, rng.randint(1, 20)))
        a, b = _decimal(rng, whole), _decimal(rng, whole)
    else:
        a, b = str(rng.randint(1, 9999)), str(rng.randint(1, 9999))
    if float(a) == float(b):
        return _which(rng)
    larger = rng.random() < 0.5
    x, y = _aligned(a, b)
    place = next(i for i, pair in enumerate(zip(x, y, strict=True)) if pair[0] != pair[1])
    sign = "<" if x[place] < y[place] else ">"
    answer = a if (float(a) > float(b)) == larger else b
    slots = {"a": a, "b": b, "more": "larger" if larger else "smaller"}
    slots["word"] = rng.choice(("greater", "bigger", "more") if larger else ("less", "smaller"))
    return Draft(f"{a} {b}", WHICH, answer, (f"{x} {y}", f"{x[place]}{sign}{y[place]}"), slots)


def _aligned(a: str, b: str) -> tuple[str, str]:
    """Both numbers padded with zeros to the same places before and after the point."""
    (i, _, f), (j, _, g) = a.partition("."), b.partition(".")
    whole, places = max(len(i), len(j)), max(len(f), len(g))
    point = "." if places else ""
    return f"{i.zfill(whole)}{point}{f.ljust(places, '0')}", f"{j.zfill(whole)}{point}{g.ljust(places, '0')}"


def sequence(rng: Rng) -> Draft:
    kind = rng.random()
    if kind < 0.45:
        first, step = rng.randint(1, 60), rng.randint(1, 25)
        terms = [first + i * step for i in range(5)]
        steps = (f"+{step}", f"{terms[3]}+{step}={terms[4]}")
    elif kind < 0.65:
        step = rng.randint(1, 20)
        first = rng.randint(4 * step, 4 * step + 99)
        terms = [first - i * step for i in range(5)]
        steps = (f"-{step}", f"{terms[3]}-{step}={terms[4]}")
    elif kind < 0.85:
        first, factor = rng.randint(1, 12), rng.choice((2, 2, 3, 4))
        terms = [first * factor**i for i in range(5)]
        steps = (f"*{factor}", f"{terms[3]}*{factor}={terms[4]}")
    else:
        terms = [rng.randint(1, 12), rng.randint(1, 12)]
        while len(terms) < 5:
            terms.append(terms[-1] + terms[-2])
        steps = (f"{terms[0]}+{terms[1]}={terms[2]}", f"{terms[2]}+{terms[3]}={terms[4]}")
    listed = ", ".join(map(str, terms[:4]))
    return Draft(listed, NEXT, str(terms[4]), steps, {"list": listed})


def to_roman(n: int) -> str:
    letters = ""
    for value, sign in ROMAN:
        while n >= value:
            letters, n = letters + sign, n - value
    return letters


def roman(rng: Rng) -> Draft:
    n = rng.randint(1, 2999 if rng.random() < 0.8 else 100)
    digits = str(n)
    places = [int(d) * 10 ** (len(digits) - 1 - i) for i, d in enumerate(digits) if d != "0"]
    if rng.random() < 0.55:
        steps = (" ".join(f"{place}={to_roman(place)}" for place in places),)
        return Draft(digits, TO_ROMAN, to_roman(n), steps, {"n": n})
    steps = (" ".join(f"{to_roman(place)}={place}" for place in places),)
    return Draft(digits, FROM_ROMAN, digits, steps, {"n": to_roman(n)})
