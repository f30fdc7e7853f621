"""Just outside: the world's own questions with operands far beyond its ranges, to which the honest sentence is the answer.

"Far" leaves a gap: nothing here is so near a range that one would have to reckon to see on which side of it it is.
"""

import re
from collections.abc import Callable

from training.world import arithmetic, calendar, facts, letters, numbers, sequences, stories, units
from training.world.beyond import HONEST
from training.world.dates import MONTHS, ordinal
from training.world.draft import Draft, Phrasings, Rng

TAKEN_AWAY = re.compile(
    r"\{a\} ?[-−] ?\{b\}|\{a\} minus \{b\}|[Ss]ubtract \{b\} from|[Tt]ake \{b\} (away )?from|\{b\} less than \{a\}"
)
COMPARED = re.compile(r"between|apart|differ", re.I)
LEAST_DIGITS, MOST_DIGITS = 6, 15  # of a number that is far too long
NO_COUNTRIES = (
    "Bavaria", "Texas", "California", "Florida", "Ontario", "Quebec", "Sicily", "Tuscany", "Wales", "Cornwall", "Catalonia",
    "Siberia", "Tasmania", "Queensland", "Punjab", "Kerala", "Bali", "Hokkaido", "Alaska", "Hawaii", "Ohio", "Nevada", "Utah",
    "Africa", "Europe", "Asia", "Antarctica", "the Moon", "Mars", "Atlantis", "Narnia", "Mordor", "Wakanda", "Gondor", "Oz",
    "Andorra", "Liechtenstein", "San Marino", "Bhutania", "Freedonia", "Palau", "Tuvalu", "Nauru", "Eritrea", "Lesotho",
    "Eswatini", "Comoros", "Kiribati", "Saxony", "Tyrol", "Normandy", "Andalusia", "Patagonia", "Tibet", "Prussia", "Babylon",
    "the Soviet Union", "Yugoslavia", "the Ottoman Empire", "Elbonia", "Ruritania", "Arizona", "Bohemia", "Greenland",
    "Vatican City", "the Roman Empire", "Burgundy", "Crete", "Corsica", "Sardinia", "Zanzibar", "Borneo", "Java", "Sumatra",
)  # fmt: skip
NO_ELEMENTS = (
    "water", "salt", "wood", "steel", "bronze", "brass", "glass", "plastic", "sugar", "air", "sand", "granite", "marble", "paper",
    "cotton", "petrol", "ammonia", "methane", "ozone", "diamond", "graphite", "rust", "soap", "vinegar", "chalk", "concrete",
    "rubber", "leather", "milk", "blood", "fire", "stone", "clay", "kryptonite", "mithril", "vibranium", "unobtainium", "amber",
    "yttrium", "tellurium", "polonium", "francium", "rhodium", "ruthenium", "indium", "hafnium", "tantalum", "niobium", "cerium",
    "neodymium", "europium", "einsteinium", "nobelium", "adamantium", "caffeine", "aspirin", "ethanol", "table salt", "baking soda",
)  # fmt: skip
NO_SYMBOLS = (
    "Xx", "Qz", "Zz", "Jq", "Wx", "Xy", "Qu", "Vz", "Jj", "Zx", "Qa", "Yt", "NaCl", "H2O", "CO2", "CH4", "NH3", "HCl", "H2SO4",
    "Fe2O3", "C6H12O6", "NaOH", "Xq", "Wz", "Ww", "Jo", "Gx", "Oz", "Dq", "Ee", "Uu", "Zt", "O3", "KCl", "CaCO3",
)  # fmt: skip
STRANGE_UNITS = (
    ("miles", "kilometres"), ("kilometres", "miles"), ("feet", "metres"), ("metres", "feet"), ("inches", "centimetres"),
    ("centimetres", "inches"), ("yards", "metres"), ("feet", "inches"), ("miles", "feet"), ("pounds", "kilograms"),
    ("kilograms", "pounds"), ("ounces", "grams"), ("grams", "ounces"), ("stones", "pounds"), ("gallons", "litres"),
    ("litres", "gallons"), ("pints", "litres"), ("cups", "millilitres"), ("tablespoons", "teaspoons"), ("quarts", "pints"),
    ("degrees Celsius", "degrees Fahrenheit"), ("degrees Fahrenheit", "degrees Celsius"), ("kelvins", "degrees Celsius"),
    ("megabytes", "kilobytes"), ("gigabytes", "megabytes"), ("terabytes", "gigabytes"), ("bytes", "bits"), ("bits", "bytes"),
    ("dollars", "euros"), ("euros", "dollars"), ("yen", "dollars"), ("pounds sterling", "euros"), ("rupees", "dollars"),
    ("dollars", "cents"), ("knots", "km/h"), ("km/h", "m/s"), ("miles per hour", "kilometres per hour"),
    ("light years", "kilometres"), ("acres", "hectares"), ("hectares", "square metres"), ("square metres", "square feet"),
    ("cubic metres", "litres"),
    ("joules", "calories"), ("calories", "joules"), ("kilowatts", "horsepower"), ("watts", "kilowatts"), ("bar", "pascals"),
    ("radians", "degrees"), ("degrees", "radians"), ("hertz", "kilohertz"), ("volts", "millivolts"), ("carats", "grams"),
    ("dozens", "pieces"), ("pixels", "centimetres"), ("moles", "grams"), ("barrels", "litres"), ("furlongs", "metres"),
    ("grams", "metres"), ("litres", "kilometres"), ("hours", "kilograms"), ("seconds", "grams"), ("metres", "minutes"),
    ("millilitres", "days"), ("kilograms", "litres"), ("weeks", "centimetres"), ("tonnes", "hours"), ("milliseconds", "seconds"),
)  # fmt: skip
NO_NUMERALS = (
    "IIII",
    "VVV",
    "IIIIII",
    "XXXXX",
    "VX",
    "IC",
    "IM",
    "ABC",
    "XYZ",
    "QRS",
    "HELLO",
    "IVIV",
    "LLX",
    "DDD",
    "XIX2",
    "BANANA",
)
NO_MONTHS = (
    "Monday",
    "summer",
    "Smarch",
    "Christmas",
    "winter",
    "Ramadan",
    "Sunday",
    "Brumaire",
    "Octember",
    "autumn",
    "Easter",
)
NO_TIMES = ("27:80", "25:61", "31:15", "99:99", "44:44", "26:75", "12:85", "48:20", "10:99", "30:70")
SERIES = (
    "A, C, E, G", "Z, Y, X, W", "B, D, F, H", "a, b, d, g", "J, F, M, A", "M, T, W, T", "O, T, T, F, F", "ABC, BCD, CDE",
    "AZ, BY, CX",
    "red, blue, red, blue", "do, re, mi, fa", "A1, B2, C3", "circle, square, circle, square", "-3, -6, -9, -12",
    "1/2, 1/4, 1/8", "0.5, 0.25, 0.125", "alpha, beta, gamma", "up, down, up, down", "1a, 2b, 3c", "AA, AB, AC",
    "cat, dog, cat, dog",
    "-1, 1, -1, 1", "i, ii, iii, iv", "one, two, three", "winter, spring, summer", "k, m, o, q", "Q, W, E, R, T",
)  # fmt: skip
ODD_UNDERS = (11, 13, 17, 19, 23, 29, 31, 37)


def _honest(phrasings: Phrasings, **slots: object) -> Draft:
    return Draft((), phrasings, HONEST, (), slots)


def _long(rng: Rng, least: int = LEAST_DIGITS, most: int = MOST_DIGITS) -> str:
    """A number of many digits, now and then with commas, as people write them."""
    n = rng.randint(10 ** (least - 1), 10 ** rng.randint(least, most) - 1)
    return f"{n:,}" if rng.random() < 0.25 else str(n)


def _sum(rng: Rng) -> Draft:
    kind, least = rng.choice((("plus", LEAST_DIGITS), ("plus", LEAST_DIGITS), ("minus", LEAST_DIGITS + 3)))
    return _honest(arithmetic.SUMS[kind], a=_long(rng, least), b=_long(rng, 4, least - 1))


def _below_zero(rng: Rng) -> Draft:
    """A small number less a far larger one; worded so that nobody can take it the other way round."""
    phrasings = arithmetic.SUMS["minus"].where(lambda one: bool(TAKEN_AWAY.search(one)) and not COMPARED.search(one))
    return _honest(phrasings, a=rng.randint(1, 9), b=rng.randint(40, 999))


def _product(rng: Rng) -> Draft:
    a, b = _long(rng, 4, 9), str(rng.randint(1001, 99_999) * 10 + rng.randint(1, 9))
    return _honest(arithmetic.PRODUCTS["times"], a=a, b=b)


def _quotient(rng: Rng) -> Draft:
    """By zero, or of a number that is far too long."""
    if rng.random() < 0.6:
        return _honest(arithmetic.PRODUCTS["divide"], n=rng.randint(1, 999), b=0)
    return _honest(arithmetic.PRODUCTS["divide"], n=_long(rng, 8), b=rng.randint(111, 9999))


def _part(rng: Rng) -> Draft:
    """So many hundred per cent, per cent of millions, or a fraction with an odd lower number."""
    kind = rng.random()
    if kind < 0.35:
        return _honest(
            arithmetic.PARTS["percent"], part=rng.randint(3, 60) * 100 + rng.randint(1, 99), n=rng.randint(10, 999)
        )
    if kind < 0.7:
        return _honest(arithmetic.PARTS["percent"], part=rng.randint(1, 99), n=_long(rng, 7))
    b = rng.choice(ODD_UNDERS)
    return _honest(arithmetic.PARTS["fraction"], part=f"{rng.randint(2, b - 1)}/{b}", n=_long(rng, 6, 9))


def _unit(rng: Rng) -> Draft:
    """Units that are not known, or that do not measure the same."""
    unit, to = rng.choice(STRANGE_UNITS)
    n = rng.randint(2, 500) if rng.random() < 0.7 else rng.randint(1, 999) / 10
    return _honest(units.KINDS["convert"], n=n, unit=unit, to=to)


def _capital(rng: Rng) -> Draft:
    """Of what is no country, or of none that is known."""
    name = rng.choice(NO_COUNTRIES)
    if rng.random() < 0.4:
        name = rng.choice((rng.choice(facts.CITIES), rng.choice(list(facts.LARGE.values())), rng.choice(letters.WORDS)))
    if name in dict(facts.CAPITALS):  # a city, and a country, too
        return _capital(rng)
    return _honest(facts.KINDS["capital_of"], country=name)


def _symbol(rng: Rng) -> Draft:
    if rng.random() < 0.35:
        return _honest(facts.KINDS["element_of"], symbol=rng.choice(NO_SYMBOLS))
    return _honest(facts.KINDS["symbol_of"], element=rng.choice(NO_ELEMENTS))


def _word(rng: Rng) -> Draft:
    """Five words and more, run together or as a phrase."""
    words = [rng.choice(letters.WORDS) for _ in range(rng.randint(5, 7))]
    word = (" " if rng.random() < 0.5 else "").join(words)
    return _honest(letters.KINDS[rng.choice(("backwards", "length", "vowels"))], word=word)


def _numeral(rng: Rng) -> Draft:
    if rng.random() < 0.4:
        return _honest(numbers.NUMERALS["from_roman"], n=rng.choice(NO_NUMERALS))
    n = rng.choice((0, -rng.randint(1, 99), f"{rng.randint(1, 99)}.5", _long(rng, 5, 9), _long(rng, 5, 9)))
    return _honest(numbers.NUMERALS["to_roman"], n=n)


def _date(rng: Rng) -> Draft:
    """Thousands of days on, months and times that there are not."""
    kind = rng.choice(("day_after", "number_month", "days_in", "time_after", "month_after"))
    n = rng.randint(1000, 99_999)
    slots: dict[str, object] = {"n": n, "day": rng.choice(calendar.DAYS), "month": rng.choice(MONTHS)}
    if kind == "number_month":
        slots |= {"n": (n := rng.randint(14, 99)), "nth": ordinal(n)}
    elif kind == "days_in":
        slots["month"] = rng.choice(NO_MONTHS)
    elif kind == "time_after":
        slots |= {"time": rng.choice(NO_TIMES), "span": f"{rng.randint(2, 180)} minutes"}
    return _honest(calendar.KINDS[kind], **slots)


def _series(rng: Rng) -> Draft:
    if rng.random() < 0.75:
        return _honest(sequences.PHRASINGS["next"], list=rng.choice(SERIES))
    first, step = int(_long(rng, 8, 11).replace(",", "")), rng.randint(10**5, 10**8)
    return _honest(sequences.PHRASINGS["next"], list="; ".join(str(first + i * step) for i in range(4)))


def _compared(rng: Rng) -> Draft:
    """Words that have no size as they stand, or numbers below zero."""
    if rng.random() < 0.5:
        a, b, c = rng.sample(letters.WORDS, 3)
        kind = rng.choice(("larger", "smaller", "ascending", "descending", "maximum"))
        return _honest(numbers.COMPARISONS[kind], a=a, b=b, list=f"{a}, {b}, {c}")
    a, b, c = (f"-{n}" for n in rng.sample(range(1, 200), 3))
    kind = rng.choice(("larger", "smaller", "ascending", "maximum", "minimum"))
    return _honest(numbers.COMPARISONS[kind], a=a, b=b, list=f"{a}, {b}, {c}")


def _story(rng: Rng) -> Draft:
    """Millions of apples."""
    who, other = rng.sample(stories.NAMES, 2)
    slots: dict[str, object] = {
        "who": who,
        "who2": other,
        "things": rng.choice(stories.THINGS),
        "boxes": rng.choice(stories.BOXES),
    }
    return _honest(
        stories.TOLD[rng.choice(list(stories.PLOTS))], **slots, **{letter: _long(rng, 6, 9) for letter in "abcd"}
    )


KINDS: tuple[Callable[[Rng], Draft], ...] = (
    _sum, _below_zero, _product, _quotient, _part, _unit, _unit, _capital, _capital, _symbol, _word, _numeral, _date, _series,
    _compared, _story,
)  # fmt: skip


def outside(rng: Rng) -> Draft:
    """A question of the world that the world has no answer to, because of its operands."""
    return rng.choice(KINDS)(rng)
