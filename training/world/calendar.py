"""The clock and the calendar: weekdays, months and times of day, some steps on or back."""

from training.world import draft
from training.world.draft import Draft, Rng

KINDS = draft.load("calendar")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def calendar(rng: Rng) -> Draft:
    kind = rng.random()
    if kind < 0.45:
        return _day(rng)
    if kind < 0.55:
        return _month(rng)
    return _time(rng)


def _walk(names: tuple[str, ...], start: int, steps: int) -> str:
    """The names passed on the way, three letters each, so that the last one is the answer."""
    sign = 1 if steps >= 0 else -1
    return " ".join(names[(start + sign * i) % len(names)][:3] for i in range(abs(steps) + 1))


def _day(rng: Rng) -> Draft:
    start, n = rng.randrange(7), rng.randint(1, 30 if rng.random() < 0.6 else 100)
    kind, sign = rng.choice((("day_after", 1), ("day_after", 1), ("in_days", 1), ("day_before", -1), ("days_ago", -1)))
    rest = n % 7
    steps = (f"{n}-{n - rest}={rest}", _walk(DAYS, start, sign * rest))
    answer = DAYS[(start + sign * n) % 7]
    return Draft(f"{start} {sign * n}", KINDS[kind], answer, steps, {"n": n, "day": DAYS[start]})


def _month(rng: Rng) -> Draft:
    start, n, sign = rng.randrange(12), rng.randint(1, 11), rng.choice((1, -1))
    answer = MONTHS[(start + sign * n) % 12]
    phrasings = KINDS["month_after" if sign > 0 else "month_before"]
    steps = (_walk(MONTHS, start, sign * n),)
    return Draft(f"{start} {sign * n}", phrasings, answer, steps, {"n": n, "month": MONTHS[start]})


def _time(rng: Rng) -> Draft:
    """Minutes later or earlier, now and then told in hours and minutes."""
    hour, minute = rng.randint(0, 23), rng.randint(0, 59)
    n = rng.randint(2, 180) if rng.random() < 0.7 else 5 * rng.randint(1, 48)
    later = rng.random() < 0.7
    hours, minutes = divmod(n, 60)
    work = _later if later else _earlier
    steps, answer = work(hour, minute, hours, minutes)
    time = f"{hour}:{minute:02d}"
    phrasings = KINDS["time_after" if later else "time_before"]
    slots = {"n": n, "time": time, "span": _span(rng, n)}
    return Draft(f"{time} {n if later else -n}", phrasings, answer, (f"{n}={hours}h{minutes}", *steps), slots)


def _span(rng: Rng, n: int) -> str:
    hours, minutes = divmod(n, 60)
    if not hours or rng.random() < 0.75:
        return f"{n} minutes"
    if not minutes:
        return f"{hours} hours"
    return f"{hours} hours and {minutes} minutes" if rng.random() < 0.7 else f"{hours} h {minutes} min"


def _later(hour: int, minute: int, hours: int, minutes: int) -> tuple[tuple[str, str], str]:
    total = minute + minutes
    carry = total // 60
    first = f"{minute:02d}+{minutes:02d}={total}"
    if carry:
        first += f" {total}-60={total - 60:02d}"
    late = hour + hours + carry
    second = f"{hour}+{hours}{'+1' if carry else ''}={late}"
    if late > 23:
        second += f" {late}-24={late - 24}"
    return (first, second), f"{late % 24}:{total % 60:02d}"


def _earlier(hour: int, minute: int, hours: int, minutes: int) -> tuple[tuple[str, str], str]:
    borrow = int(minute < minutes)
    first = f"{minute:02d}-{minutes:02d}={minute - minutes:02d}"
    if borrow:
        first = f"{minute:02d}+60={minute + 60} {minute + 60}-{minutes:02d}={minute + 60 - minutes:02d}"
    early = hour - hours - borrow
    second = f"{hour}-{hours}{'-1' if borrow else ''}={early}"
    if early < 0:
        second = f"{hour}+24={hour + 24} {hour + 24}-{hours}{'-1' if borrow else ''}={early + 24}"
    return (first, second), f"{early % 24}:{(minute - minutes) % 60:02d}"
