"""Light noise on questions: case, punctuation, courtesy and dropped small words, as people really type.

Words in quotes, numbers and words that carry the question are never touched.
"""

from training.world.draft import Rng

BEFORE = (
    "Please: ", "Please, ", "Hello, ", "Hi! ", "Hi, ", "Quick question: ", "Tell me: ", "Question: ", "Now: ",
    "Can you help? ", "I would like to know: ", "Please answer: ", "Hey, ",
)  # fmt: skip
AFTER = (" Thanks.", " Thanks!", " Please.", " please", " Thank you!", " Show your work.", " Thank you.")
SMALL = frozenset(
    (
        "what", "is", "the", "of", "are", "a", "an", "do", "does", "you", "i", "it", "that", "there", "me", "in", "to",
        "has", "have", "find", "tell", "give", "compute",
    )
)  # fmt: skip


def _loosen(text: str, rng: Rng) -> str:
    """Drop or swap a few small words, so that meaning is not tied to one exact wording."""
    words = []
    for word in text.split(" "):
        if word.lower() in SMALL and rng.random() < 0.2:
            if rng.random() < 0.5:
                continue
            word = rng.choice(sorted(SMALL))
        words.append(word)
    return " ".join(words)


def noise(text: str, rng: Rng) -> str:
    """The question as it might be typed; two in five stay as they are."""
    if rng.random() < 0.4:
        return text
    if rng.random() < 0.3:
        text = _loosen(text, rng)
    if rng.random() < 0.2:
        text = text.rstrip(".?")
    if rng.random() < 0.2 and text[:1].isupper() and text[1:2].islower():
        text = text[0].lower() + text[1:]
    kind = rng.random()
    if kind < 0.2:
        return rng.choice(BEFORE) + text
    return text + rng.choice(AFTER) if kind < 0.35 else text
