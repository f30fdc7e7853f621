"""Letters of words: backwards, how often one occurs, how many there are, which one stands where; and the alphabet.

Half of the training words are made up of random letters, so that the method is learnt and not the word list.
"""

from pathlib import Path

from training.world import draft
from training.world.draft import Draft, Rng

KINDS = draft.load("letters")
WORDS = tuple((Path(__file__).parent.parent / "words.txt").read_text(encoding="utf-8").split())
VOWELS = "aeiou"
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
SUFFIXES = {1: "st", 2: "nd", 3: "rd"}
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
COMMON = "eeeeeaaaaiiiioooouunnnrrrtttlllssscdghmpbykfwv"
LATER_ORDINALS = (
    *("eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth"),
    *("nineteenth", "twentieth", *(f"twenty-{ordinal}" for ordinal in ORDINALS[:6])),
)
_PALINDROMES = """
level radar noon civic madam racecar kayak rotor refer tenet stats solos sagas deed peep toot pop mom dad eye wow pup gag
bib nun tot did eve ewe dud mum redder deified rotator reviver hannah otto anna bob minim poop rotavator repaper sees kook
"""
PALINDROMES = tuple(_PALINDROMES.split())
NEW_SHARE = 0.4


def _word(rng: Rng) -> str:
    """A real word, a made-up one, or a real one with a letter doubled, as counting needs them."""
    kind, word = rng.random(), rng.choice(WORDS)
    if kind < 0.5:
        return word
    if kind < 0.6:
        place = rng.randrange(len(word))
        return word[:place] + word[place] + word[place:]
    return "".join(rng.choice(COMMON if rng.random() < 0.7 else ALPHABET) for _ in range(rng.randint(3, 11)))


def _shown(word: str, rng: Rng) -> str:
    """Now and then with a capital."""
    return word if rng.random() < 0.92 else word.capitalize()


def _numbered(word: str) -> str:
    return "".join(f"{letter}{place}" for place, letter in enumerate(word, 1))


def letters(rng: Rng) -> Draft:
    if rng.random() < NEW_SHARE:
        return rng.choices(list(NEWER), list(NEWER.values()))[0](rng)
    word, kind = _word(rng), rng.random()
    numbered = _numbered(word)
    slots = {"word": _shown(word, rng)}
    if kind < 0.37:
        return Draft((word,), KINDS["backwards"], word[::-1], (numbered,), slots)
    if kind < 0.68:
        return _count(rng, word, slots)
    if kind < 0.86:
        return Draft((word,), KINDS["length"], str(len(word)), (numbered,), slots)
    return _vowels(word, slots) if kind < 0.92 else _nth(rng, word, numbered, slots)


def _count(rng: Rng, word: str, slots: dict[str, str]) -> Draft:
    twice = [letter for letter in word if word.count(letter) > 1]
    letter = rng.choice(twice) if twice and rng.random() < 0.4 else rng.choice(word)
    if rng.random() < 0.15:
        letter = rng.choice(ALPHABET)
    running = "".join(f"{each}{word[:place].count(letter)}" for place, each in enumerate(word, 1))
    shown = _shown(letter, rng)
    return Draft((word,), KINDS["count"], str(word.count(letter)), (letter, running), slots | {"letter": shown})


def _vowels(word: str, slots: dict[str, str]) -> Draft:
    running = "".join(f"{each}{sum(word[:place].count(v) for v in VOWELS)}" for place, each in enumerate(word, 1))
    return Draft((word,), KINDS["vowels"], str(sum(word.count(v) for v in VOWELS)), (VOWELS, running), slots)


def _nth(rng: Rng, word: str, numbered: str, slots: dict[str, str]) -> Draft:
    """The letter at a place, counted from the front, or one of the last two."""
    place = rng.randint(1, min(len(word), 10))
    nth = rng.choice((ORDINALS[place - 1], f"{place}{SUFFIXES.get(place, 'th')}"))
    if rng.random() < 0.3:
        place, nth = rng.choice(((len(word), "last"), (len(word), "last"), (len(word) - 1, "second to last")))
    return Draft((word,), KINDS["nth"], word[place - 1], (numbered,), slots | {"nth": nth})


def _edge(rng: Rng) -> Draft:
    """The letter at either end."""
    kind, word = rng.choice(("first", "last")), _word(rng)
    name = "start" if kind == "first" else "end"
    answer = word[0] if kind == "first" else word[-1]
    return Draft((word,), KINDS[kind], answer, (f"{name}: {_numbered(word)}",), {"word": _shown(word, rng)})


def _edge_is(rng: Rng) -> Draft:
    """Whether a letter is at that end; where not, often one that stands elsewhere in the word."""
    kind, word = rng.choice(("starts_with", "ends_with")), _word(rng)
    name, real = ("starts", word[0]) if kind == "starts_with" else ("ends", word[-1])
    letter = real if rng.random() < 0.4 else rng.choice(word + ALPHABET[rng.randrange(26)])
    steps = (f"{name} {letter}: {_numbered(word)}", f"{real}{'=' if real == letter else '/'}{letter}")
    return Draft((word,), KINDS[kind], _yes(real == letter), steps, {"word": _shown(word, rng), "letter": letter})


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _contains(rng: Rng) -> Draft:
    word = _word(rng)
    letter = rng.choice(word) if rng.random() < 0.5 else rng.choice(sorted({*COMMON} - {*word}))
    running = "".join(f"{each}{word[:place].count(letter)}" for place, each in enumerate(word, 1))
    shown = _shown(letter, rng)
    steps = (f"any {letter}", running)
    return Draft((word,), KINDS["contains"], _yes(letter in word), steps, {"word": _shown(word, rng), "letter": shown})


def _palindrome(rng: Rng) -> Draft:
    """Half are palindromes, real or made up; of the others many differ in one letter only."""
    half = "".join(rng.choice(COMMON) for _ in range(rng.randint(2, 4)))
    word = rng.choice(PALINDROMES) if rng.random() < 0.5 else half + half[-1 - rng.randint(0, 1) :: -1]
    if rng.random() < 0.5:
        place = rng.randrange(len(word))
        word = _word(rng) if rng.random() < 0.6 else word[:place] + rng.choice(COMMON) + word[place + 1 :]
    pairs, size = [], len(word)
    for place in range(size // 2):
        left, right = word[place], word[-1 - place]
        pairs.append(f"{left}{place + 1}{'=' if left == right else '/'}{right}{size - place}")
        if left != right:
            break
    steps = (f"both ways: {_numbered(word)}", " ".join(pairs))
    return Draft((word,), KINDS["palindrome"], _yes(word == word[::-1]), steps, {"word": _shown(word, rng)})


def _consonants(rng: Rng) -> Draft:
    word = _word(rng)
    counts = [sum(letter not in VOWELS for letter in word[:place]) for place in range(1, len(word) + 1)]
    running = "".join(f"{letter}{count}" for letter, count in zip(word, counts, strict=True))
    return Draft((word,), KINDS["consonants"], str(counts[-1]), (f"not {VOWELS}", running), {"word": _shown(word, rng)})


def _neighbour(rng: Rng) -> Draft:
    """The letter after or before one in the alphabet; the alphabet can only be recalled."""
    kind, place = rng.choice(("after", "before")), rng.randrange(25)
    two = ALPHABET[place : place + 2]
    letter, answer = two if kind == "after" else two[::-1]
    shown = letter.upper() if rng.random() < 0.3 else letter
    return Draft((), KINDS[kind], answer, (f"{kind}: {two}",), {"letter": shown})


def _alphabet(rng: Rng) -> Draft:
    """A place in the alphabet: its letter, or a letter's place."""
    place = rng.randint(1, 26)
    letter, counted = ALPHABET[place - 1], _numbered(ALPHABET[:place])
    if rng.random() < 0.5:
        shown = letter.upper() if rng.random() < 0.3 else letter
        return Draft((), KINDS["alphabet_place"], str(place), (f"place: {counted}",), {"letter": shown})
    digits = f"{place}{'th' if 10 < place < 20 else SUFFIXES.get(place % 10, 'th')}"
    if place == 26 and rng.random() < 0.5:
        digits = "last"
    ordinal = rng.choice((digits, (*ORDINALS, *LATER_ORDINALS)[place - 1]))
    return Draft((), KINDS["alphabet_nth"], letter, (f"alphabet: {counted}",), {"place": ordinal, "n": place})


def _two_words(rng: Rng) -> tuple[str, str]:
    """Mostly real ones; of those many begin alike."""
    if rng.random() < 0.25:
        return _word(rng), _word(rng)
    a = rng.choice(WORDS)
    start = a[: rng.choice((0, 0, 0, 1, 2))]
    return a, rng.choice([word for word in WORDS if word.startswith(start)])


def _order(rng: Rng) -> Draft:
    """Which of two words comes first, or last, in the alphabet: letter by letter up to where they differ."""
    a, b = _two_words(rng)
    if a == b:
        return _order(rng)
    kind = "earlier" if rng.random() < 0.7 else "later"
    pairs = []
    for place in range(max(len(a), len(b))):
        p, q = a[place : place + 1], b[place : place + 1]
        at_p, at_q = (ALPHABET.index(one) + 1 if one else 0 for one in (p, q))
        pairs.append(f"{p}{at_p}{'=' if p == q else '<' if p < q else '>'}{q}{at_q}")
        if p != q:
            break
    answer = min(a, b) if kind == "earlier" else max(a, b)
    return Draft((a, b), KINDS[kind], answer, (f"{kind}: {a} {b}", " ".join(pairs)), {"a": a, "b": b})


def _longer(rng: Rng) -> Draft:
    a, b = _two_words(rng)
    if len(a) == len(b):
        return _longer(rng)
    kind = rng.choice(("longer", "shorter"))
    answer = max(a, b, key=len) if kind == "longer" else min(a, b, key=len)
    sign = "<" if len(a) < len(b) else ">"
    steps = (f"{kind}: {_numbered(a)} {_numbered(b)}", f"{len(a)}{sign}{len(b)}")
    return Draft((a, b), KINDS[kind], answer, steps, {"a": a, "b": b})


def _spelled(rng: Rng) -> Draft:
    """The letters with hyphens, or spaces, between them."""
    kind, mark = rng.choice((("hyphens", "-"), ("hyphens", "-"), ("spaces", " ")))
    word = _word(rng)
    return Draft((word,), KINDS[kind], mark.join(word), (f"{kind}: {_numbered(word)}",), {"word": _shown(word, rng)})


NEWER = {
    _edge: 14, _edge_is: 9, _contains: 14, _palindrome: 11, _consonants: 8, _neighbour: 9, _alphabet: 12, _order: 14,
    _longer: 12, _spelled: 11,
}  # fmt: skip
