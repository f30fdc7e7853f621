"""Dates, years and ways to tell the time: what a calendar on the wall and a clock that is not quite right ask for."""

from training.world import draft
from training.world.draft import Draft, Rng

KINDS = draft.load("calendar")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
HOURS = ("twelve", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
SPOKEN = {"half": 30, "quarter": 15, "a quarter": 15, "five": 5, "ten": 10, "twenty": 20, "twenty-five": 25}
FROM_TODAY = {
    "three days ago": -3,
    "two days ago": -2,
    "the day before yesterday": -2,
    "yesterday": -1,
    "today": 0,
    "tomorrow": 1,
    "the day after tomorrow": 2,
    "in two days": 2,
    "in three days": 3,
}


def dates(rng: Rng) -> Draft:
    """One of the kinds of this file."""
    kinds = (_today, _chain, _date_day, _number, _middle, _apart, _leap, _next_leap, _clock, _spoken, _wrong, _dates)
    return rng.choices((*kinds, _hours, _date_moved), (16, 10, 12, 6, 6, 6, 9, 3, 14, 7, 10, 10, 8, 8))[0](rng)


def walk(names: tuple[str, ...], start: int, steps: int) -> str:
    """The names passed on the way, three letters each, so that the last one is the answer."""
    sign = 1 if steps >= 0 else -1
    return " ".join(names[(start + sign * i) % len(names)][:3] for i in range(abs(steps) + 1))


def ordinal(n: int) -> str:
    """A number as the day of a month is told: 1st, 22nd, 13th."""
    ending = "th" if n in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


def _today(rng: Rng) -> Draft:
    """What today is, from what it was or will be some days away."""
    start, n = rng.randrange(7), rng.randint(2, 20 if rng.random() < 0.7 else 60)
    kind, sign, way = rng.choice((("was_ago", 1, "on"), ("will_be_in", -1, "back")))
    rest = n % 7
    steps = (f"now {'+' if sign > 0 else '-'}{n}-{n - rest}={rest}", walk(DAYS, start, sign * rest))
    slots = {"n": n, "day": DAYS[start]}
    return Draft((DAYS[start], way, n), KINDS[kind], DAYS[(start + sign * n) % 7], steps, slots)


def _chain(rng: Rng) -> Draft:
    """From one day told by today to another."""
    start = rng.randrange(7)
    given, asked = rng.sample(list(FROM_TODAY), 2)
    n = FROM_TODAY[asked] - FROM_TODAY[given]
    if not n:
        return _chain(rng)
    verb = "is" if not FROM_TODAY[given] else "was" if FROM_TODAY[given] < 0 else rng.choice(("is", "will be"))
    steps = (f"{FROM_TODAY[given]:+d} to {FROM_TODAY[asked]:+d}: {n:+d}", walk(DAYS, start, n))
    slots = {"day": DAYS[start], "given": f"{given} {verb}", "asked": asked}
    operands = (DAYS[start], "on" if n > 0 else "back", abs(n))
    return Draft(operands, KINDS["chain"], DAYS[(start + n) % 7], steps, slots)


def _date_day(rng: Rng) -> Draft:
    """The weekday of one day of the month, from another's."""
    first, second = rng.sample(range(1, 32), 2)
    kind = "date_day"
    if rng.random() < 0.5:
        first, second, kind = 1, rng.randint(2, 31), "first_day"
    elif first > second and rng.random() < 0.6:
        first, second = second, first
    start, n = rng.randrange(7), second - first
    sign, rest = (1 if n > 0 else -1), abs(n) % 7
    steps = (f"dates {max(first, second)}-{min(first, second)}={abs(n)}", f"{abs(n)}-{abs(n) - rest}={rest}")
    slots = {"day": DAYS[start], "first": ordinal(first), "second": ordinal(second)}
    operands = (DAYS[start], "on" if n > 0 else "back", abs(n))
    return Draft(operands, KINDS[kind], DAYS[(start + n) % 7], (*steps, walk(DAYS, start, sign * rest)), slots)


def _number(rng: Rng) -> Draft:
    """The place of a month in the year, or the month at a place: as good as facts."""
    n = rng.randint(1, 12)
    month = MONTHS[n - 1]
    if rng.random() < 0.5:
        return Draft((), KINDS["month_number"], str(n), (f"place {month[:3]}={n}",), {"month": month})
    slots = {"n": n, "nth": ordinal(n)}
    return Draft((), KINDS["number_month"], month, (f"place {n}={month[:3]}",), slots)


def _middle(rng: Rng) -> Draft:
    """The one between two months or weekdays."""
    names, kind = rng.choice(((MONTHS, "middle_month"), (MONTHS, "middle_month"), (DAYS, "middle_day")))
    start = rng.randrange(len(names))
    first, middle, last = (names[(start + i) % len(names)] for i in range(3))
    return Draft(
        (first, last), KINDS[kind], middle, (f"middle {walk(names, start, 2)}",), {"first": first, "second": last}
    )


def _apart(rng: Rng) -> Draft:
    """How many months, or days of the week, from one to the next of that name."""
    names, kind = rng.choice(((MONTHS, "months_apart"), (DAYS, "weekdays_apart")))
    start, n = rng.randrange(len(names)), rng.randint(1, len(names) - 1)
    passed = [names[(start + i) % len(names)] for i in range(n + 1)]
    counted = " ".join(f"{name[:3]}{i}" for i, name in enumerate(passed))
    slots = {"first": passed[0], "second": passed[-1]}
    return Draft(("from " + passed[0], "to " + passed[-1]), KINDS[kind], str(n), (counted,), slots)


def _year(rng: Rng) -> int:
    return rng.choice((1600, 1700, 1800, 1900, 2000, 2100)) if rng.random() < 0.1 else rng.randint(1880, 2060)


def _leap(rng: Rng) -> Draft:
    """Whether a year is a leap year, and what follows for its days."""
    year = _year(rng)
    kind = rng.choice(("leap", "leap", "february", "year_days"))
    part = year % 100 or year // 100
    steps = [f"year {year} {'00 ' if not year % 100 else ''}{part}-{part - part % 4}={part % 4}"]
    leap = not part % 4
    answer = {"leap": "yes" if leap else "no", "february": str(28 + leap), "year_days": str(365 + leap)}[kind]
    if kind != "leap":
        steps.append("leap" if leap else "not leap")
    return Draft(("leap", year), KINDS[kind], answer, tuple(steps), {"year": year})


def _next_leap(rng: Rng) -> Draft:
    year = rng.randint(1904, 2090)
    rest = year % 4
    steps = (f"leap {year % 100}-{year % 100 - rest}={rest}", f"4-{rest}={4 - rest}", f"{year}+{4 - rest}")
    return Draft(("next leap", year), KINDS["next_leap"], str(year + 4 - rest), steps, {"year": year})


def half_day(hour: int, minute: int) -> str:
    """A time as the twelve hours of a clock tell it."""
    return f"{hour % 12 or 12}:{minute:02d} {'am' if hour < 12 else 'pm'}"


def to_half(hour: int) -> str:
    """The step from an hour of the day to one of the clock's."""
    if hour in (0, 12):
        return f"{hour} is 12 {'am' if hour < 12 else 'pm'}"
    return f"{hour}-12={hour - 12} pm" if hour > 12 else f"{hour} is am"


def to_whole(hour: int) -> str:
    """The step from an hour with am or pm to one of the day's."""
    if hour % 12 == 0:
        return f"12 {'am' if hour < 12 else 'pm'} is {hour}"
    return f"{hour - 12}+12={hour}" if hour > 12 else f"{hour} am is {hour}"


def _clock(rng: Rng) -> Draft:
    """From twelve hours to twenty-four, and back."""
    hour, minute = rng.randint(0, 23), rng.randint(0, 59) if rng.random() < 0.8 else 0
    half, whole = half_day(hour, minute), f"{hour}:{minute:02d}"
    if rng.random() < 0.5:
        shown = half.replace(":00", "") if rng.random() < 0.5 else half
        shown = shown if rng.random() < 0.8 else shown.replace(" ", "") if rng.random() < 0.5 else shown.upper()
        return Draft(("24", half), KINDS["to_24"], whole, (to_whole(hour),), {"time": shown})
    shown = f"0{whole}" if hour < 10 and rng.random() < 0.4 else whole
    return Draft(("12", half), KINDS["to_12"], half, (to_half(hour),), {"time": shown})


def _spoken(rng: Rng) -> Draft:
    """A time told in words, in digits."""
    hour = rng.randint(1, 12)
    word = rng.choice(list(SPOKEN)) if rng.random() < 0.4 else rng.choice(("half", "quarter", "quarter"))
    n, named = SPOKEN[word], str(hour) if rng.random() < 0.3 else HOURS[hour]
    if n == 30 or rng.random() < 0.5:
        slots = {"spoken": f"{word} past {named}"}
        return Draft(("past", n, hour), KINDS["spoken"], f"{hour}:{n:02d}", (f"past {hour}: {n:02d}",), slots)
    before = hour - 1 or 12
    steps = (f"to {hour}: {before}", f"60-{n}={60 - n}")
    return Draft(("to", n, hour), KINDS["spoken"], f"{before}:{60 - n}", steps, {"spoken": f"{word} to {named}"})


def _wrong(rng: Rng) -> Draft:
    """A clock that is fast or slow: the true time, or what it shows."""
    hour, minute, n = rng.randint(0, 23), rng.randint(0, 59), rng.randint(2, 45)
    kind, off = rng.choice(("true_time", "true_time", "shown_time")), rng.choice(("fast", "slow"))
    later = (off == "slow") == (kind == "true_time")
    way, sign = ("later", "+") if later else ("earlier", "-")
    total = minute + (n if later else -n)
    first, moved = f"{minute:02d}{sign}{n:02d}={total:02d}", hour + total // 60
    if total > 59:
        first += f" {total}-60={total - 60:02d}"
    elif total < 0:
        first = f"{minute:02d}+60={minute + 60} {minute + 60}-{n:02d}={total + 60:02d}"
    steps = (f"{off} {sign}{n}", first, f"{hour}{f'{moved - hour:+d}' if moved != hour else ''}={moved % 24}")
    time = f"{hour}:{minute:02d}"
    slots = {"n": n, "time": time, "off": off}
    return Draft((time, way, n), KINDS[kind], f"{moved % 24}:{total % 60:02d}", steps, slots)


def _dates(rng: Rng) -> Draft:
    """Days between two dates of a month, or of one and the next."""
    month = rng.randrange(12)
    first, second = sorted(rng.sample(range(1, LENGTHS[month] + 1), 2))
    late, n, steps = month, second - first, (f"same month {second}-{first}={second - first}",)
    if rng.random() < 0.45 and month not in (1, 11):  # in a leap year February would not be 28 days
        late, length, first = month + 1, LENGTHS[month], rng.randint(1, LENGTHS[month])
        second = rng.randint(1, LENGTHS[late])
        n = length - first + second
        steps = (f"{MONTHS[month][:3]} {length}-{first}={length - first}", f"{length - first}+{second}={n}")
    form = rng.choice(("{0} {2:.3}", "{0} {2}", "{2} {0}", "{2} {0}", "{2} {1}", "the {1} of {2}"))
    begin, close = (form.format(day, ordinal(day), MONTHS[place]) for day, place in ((first, month), (second, late)))
    operands = (MONTHS[month], MONTHS[late], first, second)
    return Draft(operands, KINDS["dates_apart"], str(n), steps, {"first": begin, "second": close})


def _hours(rng: Rng) -> Draft:
    """Whole hours from one time to a later one, over midnight now and then."""
    start, n = rng.randint(0, 23), rng.randint(1, 14)
    minute = rng.choice((0, 0, 15, 30, 45, rng.randint(1, 59)))
    late = (start + n) % 24
    if rng.random() < 0.4:
        shown = [half_day(hour, minute).replace(":00", "") for hour in (start, late)]
        steps = [f"hours {to_whole(start)}", to_whole(late)]
    else:
        shown = [f"{hour}:{minute:02d}" for hour in (start, late)]
        steps = [f"hours {start} {late}"]
    steps.append(f"{late}-{start}={n}" if late > start else f"{late}+24={late + 24} {late + 24}-{start}={n}")
    operands = ("hours", f"from {start}:{minute:02d}", f"to {late}:{minute:02d}")
    return Draft(operands, KINDS["hours_apart"], str(n), tuple(steps), {"first": shown[0], "second": shown[1]})


def _date_moved(rng: Rng) -> Draft:
    """The date some days after or before another, in its month or the next to it."""
    month, n, later = rng.randrange(12), rng.randint(2, 27), rng.random() < 0.65
    day = rng.randint(1, LENGTHS[month])
    kind, way, sign = ("date_after", "later", "+") if later else ("date_before", "earlier", "-")
    moved, place, name = (day + n if later else day - n), month, MONTHS[month][:3]
    if later and moved > LENGTHS[month]:
        place, length = (month + 1) % 12, LENGTHS[month]
        steps = (f"date {name} {day}+{n}={moved}", f"{moved}-{length}={moved - length} {MONTHS[place][:3]}")
        moved -= length
    elif moved < 1:
        place = (month - 1) % 12
        length = LENGTHS[place]
        steps = (
            f"date {name} {day}-{n}",
            f"{MONTHS[place][:3]} {length}+{day}={length + day} {length + day}-{n}={moved + length}",
        )
        moved += length
    else:
        steps = (f"date {name} {day}{sign}{n}={moved}",)
    if place != month and LENGTHS[min(place, month)] == 28:  # it would depend on the year
        return _date_moved(rng)
    form = rng.choice(("{0} {1}", "{1} {0}"))
    slots = {"n": n, "date": form.format(day, MONTHS[month])}
    return Draft((MONTHS[month], day, way, n), KINDS[kind], form.format(moved, MONTHS[place]), steps, slots)
