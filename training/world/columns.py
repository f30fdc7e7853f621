"""School methods, digit by digit from the right: what a small model can follow where it cannot see the result at once.

Every function gives the steps of a working; a step is a short text without any proposer's manner.
"""

Steps = tuple[str, ...]


def add(a: int, b: int) -> Steps:
    """The zero-padded sum and its columns: ("347+085", "7+5=12 4+8+1=13 3+0+1=4")."""
    width = max(len(str(a)), len(str(b)))
    x, y = str(a).zfill(width), str(b).zfill(width)
    columns, carry = [], 0
    for p, q in zip(reversed(x), reversed(y), strict=True):
        total = int(p) + int(q) + carry
        columns.append(f"{p}+{q}{'+1' if carry else ''}={total}")
        carry = total // 10
    return f"{x}+{y}", " ".join(columns)


def subtract(a: int, b: int) -> Steps:
    """The zero-padded difference of a and a smaller b and its columns, borrowing shown in the upper digit."""
    x, y = str(a), str(b).zfill(len(str(a)))
    columns, borrow = [], 0
    for p, q in zip(reversed(x), reversed(y), strict=True):
        top = int(p) - borrow
        borrow = int(top < int(q))
        top += 10 * borrow
        columns.append(f"{top}-{q}={top - int(q)}")
    return f"{x}-{y}", " ".join(columns)


def change(a: int, by: int) -> Steps:
    """A number and `by` more, or less where that is below zero."""
    return add(a, by) if by >= 0 else subtract(a, -by)


def times_digit(a: int, digit: int) -> str:
    """A number times one digit, with what is carried, and the product: "6*4=24 3*4+2=14 144"."""
    columns, carry = [], 0
    for p in reversed(str(a)):
        total = int(p) * digit + carry
        columns.append(f"{p}*{digit}{f'+{carry}' if carry else ''}={total}")
        carry = total // 10
    return f"{' '.join(columns)} {a * digit}"


def multiply(a: int, b: int) -> Steps:
    """Each digit's partial product, then their sum by columns; `b` has one or two digits."""
    tens, ones = divmod(b, 10)
    parts = [(digit, scale) for digit, scale in ((ones, 1), (tens, 10)) if digit]
    steps = [f"{a}*{digit * scale}: {times_digit(a, digit)}{'0' if scale > 1 else ''}" for digit, scale in parts]
    return (*steps, *add(a * tens * 10, a * ones)) if len(parts) > 1 else tuple(steps)


def divide(n: int, b: int) -> Steps:
    """Long division: what is left, the digit, its product, what remains."""
    rest = 0
    lines: list[str] = []
    for digit in str(n):
        rest = rest * 10 + int(digit)
        if rest < b and not lines:
            continue
        times = rest // b
        lines.append(f"{rest}: {times} {times_digit(b, times) if b > 9 else b * times} {rest - b * times}")
        rest -= b * times
    return (f"{n}/{b}", *lines)
