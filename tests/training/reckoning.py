"""Another way of reckoning the answers of the small world: from what an exercise is about, not from its working."""

from __future__ import annotations

import calendar as almanac
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import TypeAlias

from training.world.calendar import DAYS
from training.world.dates import HOURS, MONTHS
from training.world.draft import Draft, Phrasings, load
from training.world.facts import CAPITALS, ELEMENTS
from training.world.noise import singular
from training.world.numbers import ROMAN

Operands: TypeAlias = tuple[object, ...]
Slots: TypeAlias = dict[str, object]

PLOTS = {
    "bought_gave": "a+b*c-d", "packs_lost": "b*c-d", "packs_more": "a+b*c", "found_lost": "a+c-d", "lost_found": "a-d+c",
    "spent": "a-b*c", "shared": "(a+c)/b", "lost_twice": "a-c-d", "joined": "a+c+d", "more_together": "a+a+b",
    "fewer_together": "a+a-b", "times_together": "a+a*b", "two_kinds": "a*b+c*d", "packs_needed": "(a-b)/c",
    "three_factors": "a*b*c", "doubled_lost": "2*a-b", "half_more": "a/2+b", "half_less": "a/2-b", "each_both": "a*(b+c)",
    "shared_more": "a/b+c", "shared_less": "a/b-c", "lost_shared": "(a-c)/b", "pooled_shared": "b*c/d",
    "note_change": "a-b*c", "fee_rate": "a+b*c", "age_times": "a*b+c", "ran_down": "a-b*c", "pooled_groups": "(a+b)/c",
    "third_part": "a-b-c", "all_groups": "(a+b)*c", "rope_cut": "a/b-c", "packs_sold": "a*b-c*d", "unit_rate": "a/b*c",
}  # fmt: skip
SIZES = {
    "km": 10**6, "m": 1000, "dm": 100, "cm": 10, "mm": 1, "t": 10**9, "kg": 10**6, "g": 1000, "mg": 1, "l": 1000, "dl": 100,
    "cl": 10, "ml": 1, "years": 12, "months": 1, "weeks": 604800, "days": 86400, "hours": 3600, "h": 3600, "min": 60, "s": 1,
}  # fmt: skip
"""Of each unit, in the smallest of its measure."""


def reckon(skill: str, draft: Draft) -> str | None:
    """The answer of an exercise, worked out anew; None for the kinds that nobody here knows to."""
    return BY_SKILL[skill](kind_of(skill, draft.phrasings), draft.operands, dict(draft.slots))


def kind_of(skill: str, phrasings: Phrasings) -> str:
    """The name of a kind of question, by its wordings."""
    return next(kind for kind, others in load(skill).items() if set(phrasings.seen) <= set(others.seen))


def shortened(number: object) -> str:
    return f"{float(number):.2f}".rstrip("0").rstrip(".")  # type: ignore[arg-type]


def _add(kind: str, operands: Operands, slots: Slots) -> str:
    return str(eval(str(slots["sum"]) if "sum" in slots else f"{slots['a']}{operands[0]}{slots['b']}"))


def _multiply(kind: str, operands: Operands, slots: Slots) -> str:
    return f"{eval('{1}{0}{2}'.format(*operands)):g}"


def _percent(kind: str, operands: Operands, slots: Slots) -> str:
    if kind in ("decimal", "as_percent"):
        return shortened(float(operands[0]) * (100 if kind == "as_percent" else 1))  # type: ignore[arg-type]
    if kind == "as_fraction":
        return str(operands[0])
    if kind == "simplify":
        return str(Fraction(str(slots["part"])))
    if kind in ("fractions_sum", "fractions_minus"):
        return str(Fraction(str(slots["a"])) + (1 if kind == "fractions_sum" else -1) * Fraction(str(slots["c"])))
    if kind == "reverse":
        return str(Fraction(int(str(slots["a"])) * 100, int(str(slots["part"]))))
    part, n = (operands[0], 100) if operands[-1] == "%" else operands[-2:]
    over = Fraction(part, 100) if operands[0] == "%" else part  # type: ignore[arg-type]
    share = float(over * n)  # type: ignore[operator]
    return shortened({"raised": n + share, "cut": n - share, "what_percent": part}.get(kind, share))  # type: ignore[operator]


def _story(kind: str, operands: Operands, slots: Slots) -> str:
    return f"{eval(PLOTS[str(operands[0])], slots):g}"


def numeral_of(n: int) -> str:
    numeral = ""
    for value, sign in ROMAN:
        numeral += sign * (n // value)
        n %= value
    return numeral


def _roman(kind: str, operands: Operands, slots: Slots) -> str:
    if "n" in slots and "r" not in slots:
        numeral = numeral_of(int(str(operands[0])))
        return str(operands[0]) if slots["n"] == numeral else numeral
    value = {numeral_of(n): n for n in range(1, 2400)}
    if "r" in slots:
        return "yes" if value[str(slots["r"])] == slots["n"] else "no"
    a, b = (str(slots[name]) for name in "ab")
    return (
        str(value[a] + value[b]) if kind == "sum" else (max if kind == "larger" else min)(a, b, key=value.__getitem__)
    )


def _calendar(kind: str, operands: Operands, slots: Slots) -> str | None:
    one, other = str(slots.get("first")), str(slots.get("second"))
    if kind == "month_number":
        return str(datetime.strptime(str(slots["month"]), "%B").month)
    if kind == "number_month":
        return date(2024, int(str(slots["n"])), 1).strftime("%B")
    if kind == "middle_month":
        return date(2024, datetime.strptime(one, "%B").month % 12 + 1, 1).strftime("%B")
    if kind == "middle_day":
        return DAYS[DAYS.index(one) - 6]
    if kind == "months_apart":
        return str((MONTHS.index(other) - MONTHS.index(one)) % 12)
    if kind == "weekdays_apart":
        return str((DAYS.index(other) - DAYS.index(one)) % 7)
    if kind in ("leap", "february", "year_days", "next_leap"):
        year = int(str(slots["year"]))
        leap = almanac.isleap(year)
        following = next(late for late in range(year + 1, year + 9) if almanac.isleap(late))
        return {"leap": "yes" if leap else "no", "next_leap": str(following)}.get(
            kind, str(365 + leap if kind == "year_days" else 28 + leap)
        )
    if kind == "to_24":
        shown = re.sub(r"^(\d+) ?([AP]M)$", r"\1:00 \2", str(slots["time"]).upper()).replace(" ", "")
        return datetime.strptime(shown, "%I:%M%p").strftime("%H:%M").removeprefix("0")
    if kind == "to_12":
        return datetime.strptime(str(slots["time"]), "%H:%M").strftime("%I:%M %p").lower().removeprefix("0")
    if kind == "spoken":
        way, minutes, hour = operands
        assert str(slots["spoken"]).endswith((f" {way} {hour}", f" {way} {HOURS[int(str(hour))]}"))
        moved = datetime(2024, 1, 2, int(str(hour))) + timedelta(minutes=int(f"{'-' * (way == 'to')}{minutes}"))
        return moved.strftime("%I:%M").removeprefix("0")
    if kind in ("true_time", "shown_time"):
        gain = int(str(slots["n"])) * (1 if slots["off"] == "fast" else -1)
        moved = timedelta(minutes=-gain if kind == "true_time" else gain)
        return (datetime.strptime(str(slots["time"]), "%H:%M") + moved).strftime("%H:%M").removeprefix("0")
    if kind == "dates_apart":
        of_year = []
        for told in (one, other):
            month = next(name for name in MONTHS if name[:3] in told)
            of_year.append(date(2023, MONTHS.index(month) + 1, int("".join(re.findall(r"\d", told)))))
        return str((of_year[1] - of_year[0]).days)
    if kind == "hours_apart":
        formats = ("%I:%M %p", "%I %p", "%H:%M")
        form = [formats[0 if ":" in told and "m" in told else 1 if "m" in told else 2] for told in (one, other)]
        start, late = (datetime.strptime(told, how) for told, how in zip((one, other), form, strict=True))
        return str((late - start).seconds // 3600)
    if kind in ("first_day", "date_day"):
        moved = int(other[:-2]) - int(one[:-2])
        return DAYS[(DAYS.index(str(slots["day"])) + moved) % 7]
    if kind in ("was_ago", "will_be_in"):
        moved = int(str(slots["n"])) * (1 if kind == "was_ago" else -1)
        return DAYS[(DAYS.index(str(slots["day"])) + moved) % 7]
    if kind in ("time_after", "time_before"):
        told = str(slots["time"])
        form = "%H:%M" if "m" not in told else "%I:%M %p" if ":" in told else "%I %p"
        moved = timedelta(minutes=int(str(slots["n"])) * (1 if kind == "time_after" else -1))
        late = (datetime.strptime(told, form) + moved).strftime(form if ":" in told or form == "%H:%M" else "%I:%M %p")
        late = late.lower().removeprefix("0")
        return late.replace(":00", "") if form == "%I %p" else late
    if kind in ("date_after", "date_before"):
        told = str(slots["date"])
        form = "%d %B %Y" if told[0].isdigit() else "%B %d %Y"
        moved = timedelta(days=int(str(slots["n"])) * (1 if kind == "date_after" else -1))
        late = datetime.strptime(f"{told} 2023", form) + moved
        return f"{late.day} {late:%B}" if told[0].isdigit() else f"{late:%B} {late.day}"
    if "end" in slots:
        start, end = (datetime.strptime(str(slots[name]), "%H:%M") for name in ("time", "end"))
        return str((end - start).seconds // 60)
    if "day" in slots:
        day, way, change = operands
        days = DAYS.index(str(day)) + int(str(change)) * (1 if way == "on" else -1)
        return DAYS[(date(2024, 1, 1) + timedelta(days=days)).weekday()]
    return None


def _compare(kind: str, operands: Operands, slots: Slots) -> str:
    if "list" in slots:
        rising = sorted(re.findall(r"\d+(?:\.\d+)?", str(slots["list"])), key=float)
        return {
            "ascending": ", ".join(rising),
            "descending": ", ".join(rising[::-1]),
            "median": rising[len(rising) // 2],
            "second": rising[1 if slots.get("size") in ("smallest", "lowest") else -2],
        }.get(kind, rising[-1 if kind in ("maximum", "scene_most") else 0])
    a, b = (Fraction(str(slots[name])) for name in "ab")
    if "c" in slots:
        c = Fraction(str(slots["c"]))
        if kind == "between":
            return "yes" if a < c < b else "no"
        best = (max if kind.endswith("most") else min)("abc", key=lambda name: Fraction(str(slots[name])))
        return str(slots["xyz"["abc".index(best)]] if kind.startswith("who") else slots[best])
    sign = "<" if a < b else ">" if a > b else "="
    wanted = {"equal": "=", "above": ">", "below": "<", "is_larger": ">", "is_smaller": "<"}.get(kind)
    if wanted is not None:
        return "yes" if sign == wanted else "no"
    return sign if kind == "sign" else str(slots["a" if (sign == ">") == (kind == "larger") else "b"])


def _letters(kind: str, operands: Operands, slots: Slots) -> str | None:
    if kind == "nth":
        return None
    letter = str(slots.get("letter", "")).lower()
    abc = "abcdefghijklmnopqrstuvwxyz"
    if kind in ("after", "before"):
        return chr(ord(letter) + (1 if kind == "after" else -1))
    if kind == "alphabet_place":
        return str(ord(letter) - ord("a") + 1)
    if kind == "alphabet_nth":
        return abc[int(str(slots["n"])) - 1]
    if kind in ("earlier", "later", "longer", "shorter"):
        both = [str(slots["a"]), str(slots["b"])]
        rising = sorted(both, key=len if kind in ("longer", "shorter") else None)
        return rising[0 if kind in ("earlier", "shorter") else 1]
    word = str(operands[0])
    assert str(slots["word"]).lower() == word
    yes = {
        "contains": letter in word,
        "palindrome": list(word) == list(reversed(word)),
        "starts_with": word.startswith(letter),
        "ends_with": word.endswith(letter),
    }
    if kind in yes:
        return "yes" if yes[kind] else "no"
    return {
        "count": str(sum(each == letter for each in word)),
        "vowels": str(len(re.findall("[aeiou]", word))),
        "consonants": str(len(re.findall("[^aeiou]", word))),
        "backwards": word[::-1],
        "length": str(len(word)),
        "first": word[0],
        "last": word[-1],
        "hyphens": re.sub(r"(?<=.)(?=.)", "-", word),
        "spaces": re.sub(r"(?<=.)(?=.)", " ", word),
    }[kind]


def _units(kind: str, operands: Operands, slots: Slots) -> str | None:
    if kind not in ("plus", "minus", "mixed", "split", "longer"):
        return None
    a, b, large, small = operands
    if kind == "longer" and a == b:
        return None
    factor = SIZES[str(large)] // SIZES[str(small)]
    if kind == "longer":
        least = "shorter" in str(slots["more"]) or str(slots["more"]) in ("lighter", "less")
        sizes = {str(slots[xy]): int(str(slots[xy]).split()[0]) for xy in "xy"}
        first = next(text for text in sizes if sizes[text] == a)
        other = next(text for text in sizes if text != first)
        return first if (int(str(a)) * factor > int(str(b))) != least else other
    if kind == "split":
        big, rest = divmod(int(str(slots["n"])), factor)
        return singular(f"{big} {slots['unit']} {rest} {slots['unit2']}")
    return str(int(str(a)) * factor + int(str(b)) * (-1 if kind == "minus" else 1))


def _facts(kind: str, operands: Operands, slots: Slots) -> str:
    true = dict((*CAPITALS, *ELEMENTS))
    name = next((str(slots[one]) for one in ("country", "element") if one in slots), "")
    value = next((str(slots[one]) for one in ("city", "symbol") if one in slots), "")
    if kind.startswith("is_"):
        return "yes" if true[name] == value else "no"
    if kind in ("country_of", "analogy_country", "element_of", "analogy_element"):
        return next(each for each, other in true.items() if other == value)
    return true[name]


BY_SKILL: Mapping[str, Callable[[str, Operands, Slots], str | None]] = {
    "add": _add,
    "multiply": _multiply,
    "compare": _compare,
    "percent": _percent,
    "units": _units,
    "calendar": _calendar,
    "letters": _letters,
    "roman": _roman,
    "story": _story,
    "facts": _facts,
}
