"""Light noise on wordings: case, punctuation, courtesy, and in training also dropped small words and slips of the finger.

It works on wordings whose slots are still open, so operands are never touched; `dress.py` does that, in training only.
"""

import re

from training.world.draft import Rng

BEFORE = (
    "Please: ", "Please, ", "Hello, ", "Hi! ", "Hi, ", "Quick question: ", "Tell me: ", "Question: ", "Now: ", "Q: ",
    "Can you help? ", "I would like to know: ", "Please answer: ", "Hey, ", "Hey! ", "Good morning. ", "Excuse me, ",
    "Dear model, ", "My homework: ", "Homework: ", "From my school book: ", "Exercise: ", "Problem: ", "Task: ",
    "Here is one for you: ", "Just checking: ", "Help me with this: ", "I am stuck. ", "A quick one: ", "Solve this: ",
    "Let's see: ", "So, ", "OK, ", "Okay. ", "Well, ", "Riddle: ", "Quiz: ", "Test question: ", "Answer this: ",
    "Could you tell me: ", "One more: ", "Next question: ", "My teacher asks: ", "My daughter asks: ", "I wonder: ",
    "Answer briefly: ", "Think carefully. ", "Step by step: ", "Without a calculator: ", "Now this: ",
)  # fmt: skip
AFTER = (
    " Thanks.", " Thanks!", " Please.", " please", " Thank you!", " Show your work.", " Thank you.", " Any idea?",
    " Just the answer.", " Only the answer, please.", " Answer briefly.", " Explain.", " Step by step.", " I forgot.",
    " Quick!", " Show the steps.", " Thanks in advance.", " Cheers", " thx", " pls", " A:", " Be careful.", " Help me.",
    " Can you tell me?", " Do you know?", " I need it now.", " It is for school.", " Think first.", " Hurry up!",
)  # fmt: skip
SMALL = frozenset(
    (
        "what", "is", "the", "of", "are", "a", "an", "do", "does", "you", "i", "it", "that", "there", "me", "in", "to",
        "has", "have", "find", "tell", "give", "compute", "how", "much", "can", "my", "we", "get", "please", "for", "on",
    )
)  # fmt: skip
QUOTED = re.compile(r"""(["'])(\{word\})\1""")
UNITS = r"days|months|minutes|seconds|hours|weeks|years|\w*(?:grams|tonnes|met(?:re|er)s|lit(?:re|er)s)"
ONE_OF_MANY = re.compile(rf"(?<![\d.:,])1 ({UNITS})\b")
UNENDED = re.compile(r"[\w}%)\]\"'”’]$")


def _loosen(template: str, rng: Rng) -> str:
    """Drop or swap a few small words, so that meaning is not tied to one exact wording."""
    words = []
    for word in template.split(" "):
        if word.lower() in SMALL and rng.random() < 0.25:
            if rng.random() < 0.5:
                continue
            word = rng.choice(sorted(SMALL))
        words.append(word)
    return " ".join(words)


def _slip(template: str, rng: Rng) -> str:
    """Two letters of one longer word change places, or one is left out."""
    words = template.split(" ")
    places = [place for place, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    if places:
        place = rng.choice(places)
        word, at = words[place], rng.randint(1, len(words[place]) - 2)
        swapped = word[at + 1] + word[at] if rng.random() < 0.5 else word[at]
        words[place] = word[:at] + swapped + word[at + 2 :]
    return " ".join(words)


def _small(template: str) -> str:
    """Small letters throughout, slots apart."""
    return "".join(part if part.startswith("{") else part.lower() for part in re.split(r"(\{\w+\})", template))


def _requoted(template: str, rng: Rng) -> str:
    """Now and then another kind of quotes around a slot, or none."""
    if rng.random() < 0.7:
        return template
    marks = rng.choice(("“”", "“”", "‘’", "''", '""', ("", ""), ("", "")))
    return QUOTED.sub(lambda found: f"{marks[0]}{found[2]}{marks[1]}", template)


def typed(template: str, rng: Rng) -> str:
    """The wording as it might be typed: quotes, case, punctuation, courtesy; half stay as they are but for the quotes."""
    template = _requoted(template, rng)
    if rng.random() < 0.5:
        return template
    if rng.random() < 0.25:
        template = template.rstrip(".?")
    if rng.random() < 0.15:
        template = _small(template)
    elif rng.random() < 0.2 and template[:1].isupper() and template[1:2].islower():
        template = template[0].lower() + template[1:]
    kind = rng.random()
    if kind < 0.25:
        return rng.choice(BEFORE) + template
    asks_about = template.endswith("{word}")  # "please" behind it would seem to belong to it
    return followed(template, rng.choice(AFTER)) if kind < 0.45 and not asks_about else template


def followed(template: str, after: str) -> str:
    """With a stop before what begins a sentence of its own."""
    return f"{ended(template) if after[1].isupper() else template}{after}"


def ended(text: str) -> str:
    """With a stop, where a sentence ends without any sign."""
    return f"{text}." if UNENDED.search(text) else text


def loosened(template: str, rng: Rng) -> str:
    """More noise than a test has, for training: small words dropped or swapped, slips."""
    if rng.random() < 0.2:
        template = _loosen(template, rng)
    return _slip(template, rng) if rng.random() < 0.08 else template


def singular(text: str) -> str:
    """Filled wordings with "1 day" instead of "1 days"."""
    return ONE_OF_MANY.sub(lambda found: f"1 {found[1][:-1]}", text)
