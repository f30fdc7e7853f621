"""Sums: adding and subtracting, multiplying and dividing, percent and fractions.

The working is the school method, column by column from the right, because that is what a small model can follow.
"""

from training.world.draft import Draft, Phrasings, Rng

PLUS = Phrasings(
    seen=(
        "What is {a} + {b}?",
        "{a} + {b} = ?",
        "Add {a} and {b}.",
        "How much is {a} plus {b}?",
        "Compute {a}+{b}.",
        "What do {a} and {b} make together?",
        "What is the sum of {a} and {b}?",
        "{a} plus {b}?",
        "Add {b} to {a}.",
        "Calculate {a} + {b}.",
        "What is {a} plus {b}?",
        "What is the total of {a} and {b}?",
        "If I add {a} and {b}, what do I get?",
        "Sum up {a} and {b}.",
        "What does {a} + {b} equal?",
        "{a}+{b}",
    ),
    unseen=(
        "Find the sum of {a} and {b}.",
        "Please work out {a} plus {b}",
        "How much do {a} and {b} add up to?",
        "Give me the total of {a} and {b}.",
    ),
)
MINUS = Phrasings(
    seen=(
        "What is {a} - {b}?",
        "{a} - {b} = ?",
        "Subtract {b} from {a}.",
        "How much is {a} minus {b}?",
        "Compute {a}-{b}.",
        "Take {b} away from {a}.",
        "What is the difference of {a} and {b}?",
        "{a} minus {b}?",
        "Calculate {a} - {b}.",
        "What is {a} minus {b}?",
        "What is {a} less {b}?",
        "If I take {b} from {a}, what is left?",
        "How much is left when {b} is taken from {a}?",
        "What does {a} - {b} equal?",
        "What remains of {a} after subtracting {b}?",
        "{a}-{b}",
    ),
    unseen=(
        "What is left of {a} after taking away {b}?",
        "Please work out {a} minus {b}",
        "Find the difference between {a} and {b}.",
        "By how much is {a} more than {b}?",
    ),
)
CHAIN = Phrasings(
    seen=(
        "What is {sum}?",
        "{sum} = ?",
        "How much is {sum}?",
        "Compute {sum}.",
        "Calculate {sum}.",
        "What does {sum} make?",
        "What does {sum} equal?",
        "Solve {sum}.",
        "{sum}",
        "Tell me {sum}.",
        "What do I get for {sum}?",
        "Give the value of {sum}.",
    ),
    unseen=("Please work out {sum}", "Evaluate {sum}.", "What is the result of {sum}?"),
)
TIMES = Phrasings(
    seen=(
        "What is {a} * {b}?",
        "{a} x {b} = ?",
        "How much is {a} times {b}?",
        "Multiply {a} by {b}.",
        "Compute {a} times {b}.",
        "What is the product of {a} and {b}?",
        "What is {a} times {b}?",
        "{a} * {b} = ?",
        "Calculate {a} * {b}.",
        "What is {a} multiplied by {b}?",
        "What do you get when you multiply {a} and {b}?",
        "{a} times {b}?",
        "What does {a} x {b} equal?",
        "{a}*{b}",
        "Multiply {a} and {b}.",
        "How many are {a} groups of {b}?",
    ),
    unseen=(
        "Please work out {a} times {b}",
        "Find {a} multiplied by {b}.",
        "Find the product of {a} and {b}.",
        "How much do {a} rows of {b} make?",
    ),
)
DIVIDE = Phrasings(
    seen=(
        "What is {n} / {b}?",
        "{n} : {b} = ?",
        "How much is {n} divided by {b}?",
        "Divide {n} by {b}.",
        "Compute {n}/{b}.",
        "How many times does {b} go into {n}?",
        "What is {n} divided by {b}?",
        "{n} / {b} = ?",
        "Calculate {n} / {b}.",
        "What is the quotient of {n} and {b}?",
        "{n} divided by {b}?",
        "Split {n} into {b} equal parts. How big is each?",
        "What does {n} / {b} equal?",
        "How often does {b} fit into {n}?",
        "What do you get when you divide {n} by {b}?",
        "{n}/{b}",
    ),
    unseen=(
        "Please work out {n} divided by {b}",
        "Share {n} equally among {b}.",
        "Find the quotient {n} / {b}.",
        "If {n} is divided by {b}, what is the result?",
    ),
)
PERCENT = Phrasings(
    seen=(
        "What is {part} % of {n}?",
        "What is {part}% of {n}?",
        "Find {part} percent of {n}.",
        "How much is {part} % of {n}?",
        "Compute {part}% of {n}.",
        "{part} percent of {n} = ?",
        "What is {part} percent of {n}?",
        "{part}% of {n}",
        "How much is {part} percent of {n}?",
        "Work out {part} % of {n}.",
        "Tell me {part} percent of {n}.",
        "{part} % of {n} is how much?",
        "What do you get for {part}% of {n}?",
        "Give {part} percent of {n}.",
    ),
    unseen=(
        "Calculate {part} percent of {n}",
        "Take {part} % of {n}.",
        "If {n} is the whole, how much is {part} %?",
        "How many are {part} percent of {n}?",
    ),
)
FRACTION = Phrasings(
    seen=(
        "What is {part} of {n}?",
        "Find {part} of {n}.",
        "How much is {part} of {n}?",
        "Compute {part} of {n}.",
        "{part} of {n} = ?",
        "{part} of {n}",
        "Work out {part} of {n}.",
        "Tell me {part} of {n}.",
        "What do you get for {part} of {n}?",
        "{part} of {n} is how much?",
        "Give {part} of {n}.",
        "What does {part} of {n} make?",
        "What number is {part} of {n}?",
        "How big is {part} of {n}?",
    ),
    unseen=("Calculate {part} of {n}", "Take {part} of {n}.", "If {n} is the whole, how much is {part}?"),
)


def column_add(a: int, b: int) -> tuple[str, str]:
    """The zero-padded sum and its columns from the right: ("347+085", "7+5=12 4+8+1=13 3+0+1=4")."""
    width = max(len(str(a)), len(str(b)))
    x, y = str(a).zfill(width), str(b).zfill(width)
    columns, carry = [], 0
    for p, q in zip(reversed(x), reversed(y), strict=True):
        total = int(p) + int(q) + carry
        columns.append(f"{p}+{q}{'+1' if carry else ''}={total}")
        carry = total // 10
    return f"{x}+{y}", " ".join(columns)


def column_subtract(a: int, b: int) -> tuple[str, str]:
    """The zero-padded difference and its columns from the right, borrowing shown in the upper digit."""
    x, y = str(a), str(b).zfill(len(str(a)))
    columns, borrow = [], 0
    for p, q in zip(reversed(x), reversed(y), strict=True):
        top = int(p) - borrow
        borrow = int(top < int(q))
        top += 10 * borrow
        columns.append(f"{top}-{q}={top - int(q)}")
    return f"{x}-{y}", " ".join(columns)


def partial_products(a: int, b: int) -> tuple[str, ...]:
    """Multiplying by units and tens, then adding the two by columns."""
    if b < 10:
        return (f"{a}*{b}={a * b}",)
    tens, ones = divmod(b, 10)
    return (f"{a}*{ones}={a * ones} {a}*{tens}0={a * tens * 10}", *column_add(a * tens * 10, a * ones))


def long_division(n: int, b: int) -> tuple[str, ...]:
    """Digit by digit: what is left, how often `b` goes in, what remains."""
    rest = 0
    lines: list[str] = []
    for digit in str(n):
        rest = rest * 10 + int(digit)
        if rest < b and not lines:
            continue
        times = rest // b
        lines.append(f"{rest}: {b}*{times}={b * times} {rest - b * times}")
        rest -= b * times
    return (f"{n}/{b}", " ".join(lines))


def add(rng: Rng) -> Draft:
    a = rng.randint(1, 999 if rng.random() < 0.8 else 99)
    b = rng.randint(1, 999 if rng.random() < 0.7 else 99)
    kind = rng.random()
    if kind < 0.4:
        return Draft(f"{a}+{b}", PLUS, str(a + b), column_add(a, b), {"a": a, "b": b})
    if kind < 0.75:
        a, b = max(a, b), min(a, b)
        return Draft(f"{a}-{b}", MINUS, str(a - b), column_subtract(a, b), {"a": a, "b": b})
    return _chain(rng, a, b, rng.randint(1, 999 if rng.random() < 0.5 else 99))


def _chain(rng: Rng, a: int, b: int, c: int) -> Draft:
    if rng.random() < 0.5 or a + b < c:
        text, last, result = f"{a} + {b} + {c}", column_add(a + b, c), a + b + c
    else:
        text, last, result = f"{a} + {b} - {c}", column_subtract(a + b, c), a + b - c
    return Draft(text, CHAIN, str(result), (*column_add(a, b), *last), {"sum": text})


def multiply(rng: Rng) -> Draft:
    a, b = rng.randint(2, 99), rng.randint(2, 99)
    if rng.random() < 0.5:
        return Draft(f"{a}*{b}", TIMES, str(a * b), partial_products(a, b), {"a": a, "b": b})
    n = a * b
    return Draft(f"{n}/{b}", DIVIDE, str(a), long_division(n, b), {"n": n, "b": b})


def percent(rng: Rng) -> Draft:
    if rng.random() < 0.6:
        return _percent(rng.randrange(5, 100, 5), 20 * rng.randint(1, 49))
    b = rng.randint(2, 9)
    a, quotient = rng.randint(1, b - 1), rng.randint(2, 99)
    n = b * quotient
    steps = (*long_division(n, b), f"{quotient}*{a}={quotient * a}")
    return Draft(f"{a}/{b} {n}", FRACTION, str(quotient * a), steps, {"part": f"{a}/{b}", "n": n})


def _percent(part: int, n: int) -> Draft:
    tenth = n // 10
    tens, five = divmod(part, 10)
    parts = [f"10%={tenth}"]
    if tens > 1:
        parts.append(f"{tens}0%={tenth}*{tens}={tenth * tens}")
    if five:
        parts.append(f"5%={tenth // 2}")
    last = column_add(tenth * tens, tenth // 2) if five and tens else ()
    return Draft(f"{part}% {n}", PERCENT, str(part * n // 100), (" ".join(parts), *last), {"part": part, "n": n})
