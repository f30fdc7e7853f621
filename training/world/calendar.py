"""The clock and the calendar: weekdays, months and times of day, some steps on or back."""

from training.world.draft import Draft, Phrasings, Rng

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAY = Phrasings(
    seen=(
        "What day is {n} days {way} {day}?",
        "Which day comes {n} days {way} {day}?",
        "Which weekday is {n} days {way} {day}?",
        "What day of the week is {n} days {way} {day}?",
        "What day is it {n} days {way} {day}?",
        "Which day is {n} days {way} {day}?",
        "What weekday is it {n} days {way} {day}?",
        "Tell me the day {n} days {way} {day}.",
        "{n} days {way} {day}?",
        "Which day of the week comes {n} days {way} {day}?",
        "What day comes {n} days {way} {day}?",
        "Find the day {n} days {way} {day}.",
        "What is the day {n} days {way} {day}?",
        "Count {n} days {way} {day}. Which day is that?",
    ),
    unseen=(
        "{n} days {way} {day} is which day?",
        "Name the day {n} days {way} {day}.",
        "Give the weekday {n} days {way} {day}.",
        "On which day do I land {n} days {way} {day}?",
    ),
)
TODAY = Phrasings(
    seen=(
        "Today is {day}. What day is it in {n} days?",
        "If today is {day}, what day is it in {n} days?",
        "It is {day}. Which day is it in {n} days?",
        "Today is {day}. Which day comes in {n} days?",
        "If it is {day} now, what day will it be in {n} days?",
        "Today is {day}. What day will it be {n} days from now?",
        "Today is {day}. What will be the day in {n} days?",
        "What day is it in {n} days if today is {day}?",
        "It is {day} today. What day of the week is it in {n} days?",
        "Start on {day} and go {n} days on. Which day is it?",
        "From {day}, count {n} days. Which day is it?",
        "If today is {day}, which weekday is {n} days later?",
    ),
    unseen=(
        "Today is {day}; which day do we have in {n} days?",
        "Now it is {day}. Name the day {n} days later.",
        "Suppose it is {day}. What day follows in {n} days?",
    ),
)
MONTH = Phrasings(
    seen=(
        "What month is {n} months {way} {month}?",
        "Which month comes {n} months {way} {month}?",
        "Which month is {n} months {way} {month}?",
        "What month is it {n} months {way} {month}?",
        "Tell me the month {n} months {way} {month}.",
        "{n} months {way} {month}?",
        "What month comes {n} months {way} {month}?",
        "Find the month {n} months {way} {month}.",
        "What is the month {n} months {way} {month}?",
        "Count {n} months {way} {month}. Which month is that?",
        "In which month are we {n} months {way} {month}?",
        "Which month do you get {n} months {way} {month}?",
    ),
    unseen=(
        "{n} months {way} {month} is which month?",
        "Name the month {n} months {way} {month}.",
        "Give the month {n} months {way} {month}.",
    ),
)
TIME = Phrasings(
    seen=(
        "What time is it {n} minutes after {time}?",
        "It is {time}. What time is it in {n} minutes?",
        "What is the time {n} minutes after {time}?",
        "A train leaves at {time} and takes {n} minutes. When does it arrive?",
        "What time comes {n} minutes after {time}?",
        "{n} minutes after {time}?",
        "It is {time} now. What time will it be in {n} minutes?",
        "If it is {time}, what time is it {n} minutes later?",
        "Tell me the time {n} minutes after {time}.",
        "A film starts at {time} and lasts {n} minutes. When does it end?",
        "What is {time} plus {n} minutes?",
        "{time} plus {n} minutes is what time?",
        "A bus leaves at {time}. The trip takes {n} minutes. When does it arrive?",
        "I start at {time} and work {n} minutes. What time is it then?",
        "Which time is {n} minutes after {time}?",
    ),
    unseen=(
        "Add {n} minutes to {time}.",
        "The clock shows {time}. What will it show {n} minutes later?",
        "{n} minutes from {time}, what time is it?",
        "A lesson begins at {time} and goes on for {n} minutes. When is it over?",
    ),
)


def calendar(rng: Rng) -> Draft:
    kind = rng.random()
    if kind < 0.45:
        return _day(rng)
    if kind < 0.55:
        return _month(rng)
    return _time(rng, rng.randint(0, 23), rng.randint(0, 59), rng.randint(2, 180))


def _walk(names: tuple[str, ...], start: int, steps: int) -> str:
    """The names passed on the way, three letters each, so that the last one is the answer."""
    sign = 1 if steps >= 0 else -1
    return " ".join(names[(start + sign * i) % len(names)][:3] for i in range(abs(steps) + 1))


def _day(rng: Rng) -> Draft:
    start, n = rng.randrange(7), rng.randint(1, 60)
    today = rng.random() < 0.3
    sign = 1 if today or rng.random() < 0.5 else -1
    rest = n % 7
    steps = (f"{n}-{n - rest}={rest}", _walk(DAYS, start, sign * rest))
    answer = DAYS[(start + sign * n) % 7]
    slots = {"n": n, "day": DAYS[start], "way": "after" if sign > 0 else "before"}
    return Draft(f"{start} {sign * n}", TODAY if today else DAY, answer, steps, slots)


def _month(rng: Rng) -> Draft:
    start, n, sign = rng.randrange(12), rng.randint(2, 11), rng.choice((1, -1))
    slots = {"n": n, "month": MONTHS[start], "way": "after" if sign > 0 else "before"}
    answer = MONTHS[(start + sign * n) % 12]
    return Draft(f"{start} {sign * n}", MONTH, answer, (_walk(MONTHS, start, sign * n),), slots)


def _time(rng: Rng, hour: int, minute: int, n: int) -> Draft:
    hours, minutes = divmod(n, 60)
    total = minute + minutes
    carry = total // 60
    first = f"{minute:02d}+{minutes:02d}={total}"
    if carry:
        first += f" {total}-60={total - 60:02d}"
    late = hour + hours + carry
    second = f"{hour}+{hours}{'+1' if carry else ''}={late}"
    if late > 23:
        second += f" {late}-24={late - 24}"
    answer = f"{late % 24}:{total % 60:02d}"
    time = f"{hour}:{minute:02d}"
    return Draft(f"{time} {n}", TIME, answer, (f"{n}={hours}h{minutes}", first, second), {"n": n, "time": time})
