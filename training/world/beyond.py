"""Everything else: prompts from outside the small world, all answered by one honest sentence."""

import tomllib

from training.world import draft
from training.world.draft import FOLDER, Draft, Rng
from training.world.facts import CAPITALS, ELEMENTS
from training.world.letters import WORDS

HONEST = (
    "That is beyond the built-in models: they know small sums, units, dates, letters and a few facts. "
    "Connect a real model: run `moa init`."
)
FOREIGN = draft.load("beyond")["foreign"]
NAMES = tomllib.loads((FOLDER / "beyond.toml").read_text(encoding="utf-8"))["names"]


def beyond(rng: Rng) -> Draft:
    """A prompt the world has no answer to; many name its own countries, elements, words and numbers."""
    (country, city), (element, symbol) = rng.choice(CAPITALS), rng.choice(ELEMENTS)
    slots = {
        "topic": rng.choice(NAMES["topics"]), "topic2": rng.choice(NAMES["topics"]),
        "person": rng.choice(NAMES["people"]), "year": rng.randint(1500, 2030), "small": rng.randint(2, 99),
        "place": rng.choice(NAMES["places"]), "place2": rng.choice(NAMES["places"]),
        "language": rng.choice(NAMES["languages"]), "language2": rng.choice(NAMES["languages"]),
        "word": rng.choice(WORDS), "word2": rng.choice(WORDS), "word3": rng.choice(WORDS),
        "country": country, "city": city, "element": element, "symbol": symbol, "tongue": rng.choice(NAMES["tongues"]),
        "a": rng.randint(2, 12), "b": rng.randint(13, 99), "c": rng.randint(100, 999),
    }  # fmt: skip
    return Draft((), FOREIGN, HONEST, (), slots)
