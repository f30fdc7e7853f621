"""The clock and the calendar: weekdays, months and times of day, some steps on or back."""

from training.world import columns, dates, draft
from training.world.dates import DAYS, LENGTHS, MONTHS
from training.world.dates import walk as _walk
from training.world.draft import Draft, Rng

KINDS = draft.load("calendar")
SEEN_FROM_TODAY = {
    "the day before yesterday": -2,
    "yesterday": -1,
    "today": 0,
    "tomorrow": 1,
    "the day after tomorrow": 2,
}


NEW_SHARE = 0.4


def calendar(rng: Rng) -> Draft:
    if rng.random() < NEW_SHARE:
        return dates.dates(rng)
    kinds = (_day, _near_day, _month, _time, _between, _length)
    return rng.choices(kinds, (0.33, 0.1, 0.12, 0.33, 0.09, 0.03))[0](rng)


def _way(steps: int) -> str:
    return "on" if steps >= 0 else "back"


def _day(rng: Rng) -> Draft:
    start, n = rng.randrange(7), rng.randint(1, 30 if rng.random() < 0.6 else 100)
    kind, sign = rng.choice((("day_after", 1), ("day_after", 1), ("in_days", 1), ("day_before", -1), ("days_ago", -1)))
    rest = n % 7
    steps = (f"{n}-{n - rest}={rest}", _walk(DAYS, start, sign * rest))
    answer = DAYS[(start + sign * n) % 7]
    return Draft((DAYS[start], _way(sign), n), KINDS[kind], answer, steps, {"n": n, "day": DAYS[start]})


def _near_day(rng: Rng) -> Draft:
    """A day or two on or back, or some weeks and days on: only the days count."""
    kind, start = rng.choice(("next_day", "previous_day", "weeks_days", "relative")), rng.randrange(7)
    day, n = DAYS[start], {"next_day": 1, "previous_day": -1}.get(kind, rng.randint(1, 6))
    slots: dict[str, object] = {"day": day}
    way = f"{abs(n)}-0={abs(n)}"
    if kind == "weeks_days":
        slots |= {"w": rng.randint(1, 5), "n": n}
    elif kind == "relative":
        given, asked = rng.sample(list(SEEN_FROM_TODAY), 2)
        n = SEEN_FROM_TODAY[asked] - SEEN_FROM_TODAY[given]
        slots |= {"given": _verb_behind(given), "asked": _verb_before(asked)}
        way = f"{SEEN_FROM_TODAY[given]:+d} to {SEEN_FROM_TODAY[asked]:+d}: {n:+d}"
    steps = (way, _walk(DAYS, start, n))
    return Draft((day, _way(n), abs(n)), KINDS[kind], DAYS[(start + n) % 7], steps, slots)


def _verb_behind(day: str) -> str:
    return f"{day} {'was' if SEEN_FROM_TODAY[day] < 0 else 'is'}"


def _verb_before(day: str) -> str:
    return f"{'was' if SEEN_FROM_TODAY[day] < 0 else 'is'} {day}"


def _month(rng: Rng) -> Draft:
    start, n, sign = rng.randrange(12), rng.randint(1, 11), rng.choice((1, -1))
    kind, slots = "month_after" if sign > 0 else "month_before", {"n": n, "month": MONTHS[start]}
    if rng.random() < 0.2:
        kind, n = "next_month" if sign > 0 else "previous_month", 1
    answer = MONTHS[(start + sign * n) % 12]
    return Draft((MONTHS[start], _way(sign), n), KINDS[kind], answer, (_walk(MONTHS, start, sign * n),), slots)


def _length(rng: Rng) -> Draft:
    """How many days a month has: as good as a fact, so its operands are not held out."""
    month = rng.randrange(12)
    days = LENGTHS[month]
    return Draft((), KINDS["days_in"], str(days), (f"{MONTHS[month][:3]}={days}",), {"month": MONTHS[month]})


def _between(rng: Rng) -> Draft:
    """Minutes from one time of day to a later one: whole hours first, then the minutes."""
    start = rng.randint(0, 22 * 60)
    n = min(rng.randint(2, 240) if rng.random() < 0.5 else 5 * rng.randint(1, 48), 24 * 60 - 1 - start)
    (hour, minute), (late, end) = divmod(start, 60), divmod(start + n, 60)
    if rng.random() < 0.5:
        minute, end = minute - minute % 5, end - end % 5
        n = 60 * (late - hour) + end - minute
        if n <= 0:
            return _between(rng)
    hours = late - hour
    steps = [f"{late}-{hour}={hours}", f"{hours}*60={60 * hours}"]
    steps += columns.change(60 * hours + end, -minute) if not hours else columns.add(60 * hours, end)
    if hours:
        steps += columns.subtract(60 * hours + end, minute)
    time, until = f"{hour}:{minute:02d}", f"{late}:{end:02d}"
    return Draft((time, until), KINDS["between"], str(n), tuple(steps), {"time": time, "end": until})


def _time(rng: Rng) -> Draft:
    """Minutes later or earlier, now and then told in hours and minutes."""
    hour, minute = rng.randint(0, 23), rng.randint(0, 59)
    n = rng.randint(2, 180) if rng.random() < 0.7 else 5 * rng.randint(1, 48)
    if rng.random() < 0.1:
        n = 60 * rng.randint(1, 12)
    later = rng.random() < 0.7
    hours, minutes = divmod(n, 60)
    work = _later if later else _earlier
    steps, answer = work(hour, minute, hours, minutes)
    time = f"{hour}:{minute:02d}"
    phrasings = KINDS["time_after" if later else "time_before"]
    way, span = "later" if later else "earlier", _span(rng, n)
    steps = (f"{n}={hours}h{minutes}", *steps)
    if rng.random() < 0.12:  # with am or pm, to be answered so
        late, half = int(answer.split(":")[0]), dates.half_day(hour, minute)
        ends, bare = dates.half_day(late, int(answer.split(":")[1])), rng.random() < 0.5
        if bare and ":00" in half:  # "9 am" is answered by "11 am"
            half, ends = half.replace(":00", ""), ends.replace(":00", "")
        steps = (dates.to_whole(hour), *steps, dates.to_half(late))
        return Draft((half, way, n), phrasings, ends, steps, {"n": n, "time": half, "span": span})
    return Draft((time, way, n), phrasings, answer, steps, {"n": n, "time": time, "span": span})


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
