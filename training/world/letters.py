"""Letters of words: backwards, how often one occurs, how many there are, which one stands where.

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


def _word(rng: Rng) -> str:
    """A real word, a made-up one, or a real one with a letter doubled, as counting needs them."""
    kind, word = rng.random(), rng.choice(WORDS)
    if kind < 0.5:
        return word
    if kind < 0.6:
        place = rng.randrange(len(word))
        return word[:place] + word[place] + word[place:]
    return "".join(rng.choice(COMMON if rng.random() < 0.7 else ALPHABET) for _ in range(rng.randint(3, 11)))


def letters(rng: Rng) -> Draft:
    word, kind = _word(rng), rng.random()
    numbered = "".join(f"{letter}{place}" for place, letter in enumerate(word, 1))
    slots = {"word": word if rng.random() < 0.92 else word.capitalize()}
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
    return Draft((word,), KINDS["count"], str(word.count(letter)), (letter, running), slots | {"letter": letter})


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
