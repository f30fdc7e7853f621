"""Letters of words: backwards, how often one occurs, how many there are.

Half of the training words are made up of random letters, so that the method is learnt and not the word list.
"""

from pathlib import Path

from training.world.draft import Draft, Phrasings, Rng

WORDS = tuple((Path(__file__).parent.parent / "words.txt").read_text(encoding="utf-8").split())
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
COMMON = "eeeeeaaaaiiiioooouunnnrrrtttlllssscdghmpbykfwv"

BACKWARDS = Phrasings(
    seen=(
        'Spell "{word}" backwards.',
        'Write "{word}" backwards.',
        'Reverse the word "{word}".',
        'What is "{word}" spelled backwards?',
        'Reverse "{word}".',
        'Say "{word}" backwards.',
        'What do you get when you reverse "{word}"?',
        'Turn the word "{word}" around.',
        'Spell the word "{word}" from the end to the start.',
        "Spell {word} backwards.",
        'Write the letters of "{word}" in reverse order.',
        'How is "{word}" spelled backwards?',
        'What does "{word}" read from right to left?',
        "Reverse the letters of {word}.",
        '"{word}" backwards?',
    ),
    unseen=(
        'Give the letters of "{word}" in reverse.',
        'How do you write "{word}" from back to front?',
        'Can you write the word "{word}" backwards?',
        'Flip the letters of "{word}".',
    ),
)
COUNT = Phrasings(
    seen=(
        'How many {letter}\'s are in "{word}"?',
        'How many times does {letter} occur in "{word}"?',
        'Count the letter {letter} in "{word}".',
        'How many letters {letter} are there in "{word}"?',
        'How often is {letter} in "{word}"?',
        'How many {letter}\'s does "{word}" have?',
        'Count the {letter}\'s in "{word}".',
        'How many times is the letter {letter} used in "{word}"?',
        'In "{word}", how many {letter}\'s are there?',
        "How many {letter}'s are in {word}?",
        'How many times do you write {letter} in "{word}"?',
        'How many {letter} are in the word "{word}"?',
        'Tell me how many {letter}\'s are in "{word}".',
        'How many times does the letter {letter} appear in "{word}"?',
        "How many {letter}'s are there in the word {word}?",
    ),
    unseen=(
        'How often does "{word}" contain the letter {letter}?',
        'Number of {letter}\'s in "{word}"?',
        'The word "{word}" has how many {letter}\'s?',
        'How often does {letter} appear in "{word}"?',
    ),
)
LENGTH = Phrasings(
    seen=(
        'How many letters are in "{word}"?',
        'How long is the word "{word}"?',
        'Count the letters of "{word}".',
        'How many letters does "{word}" have?',
        'How many letters are there in "{word}"?',
        'Count all letters in "{word}".',
        'How many letters has the word "{word}"?',
        'How many letters long is "{word}"?',
        'Tell me the length of "{word}".',
        "How many letters are in {word}?",
        'How many letters do you need to write "{word}"?',
        'How many characters are in "{word}"?',
        'In "{word}", how many letters are there?',
    ),
    unseen=(
        'What is the length of "{word}"?',
        'Number of letters in "{word}"?',
        'The word "{word}" has how many letters?',
        'Of how many letters is "{word}" made?',
    ),
)


def _word(rng: Rng) -> str:
    if rng.random() < 0.5:
        return rng.choice(WORDS)
    return "".join(rng.choice(COMMON if rng.random() < 0.7 else ALPHABET) for _ in range(rng.randint(3, 10)))


def letters(rng: Rng) -> Draft:
    word, kind = _word(rng), rng.random()
    numbered = "".join(f"{letter}{place}" for place, letter in enumerate(word, 1))
    if kind < 0.4:
        return Draft(word, BACKWARDS, word[::-1], (numbered,), {"word": word})
    if kind < 0.75:
        return _count(word, rng.choice(word if rng.random() < 0.85 else ALPHABET))
    return Draft(word, LENGTH, str(len(word)), (numbered,), {"word": word})


def _count(word: str, letter: str) -> Draft:
    running = "".join(f"{each}{word[:place].count(letter)}" for place, each in enumerate(word, 1))
    return Draft(word, COUNT, str(word.count(letter)), (letter, running), {"word": word, "letter": letter})
