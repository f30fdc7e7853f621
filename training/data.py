"""Training rows: questions with the replies to learn, packed from example starts; only reply tokens count in the loss.

Data come in chunks, each from its own seed, so that a run can stop anywhere, take up again, and still see the same
rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training import coverage
from training.manners import MANNERS, working
from training.tokenizer import END, prompt_ids, reply_ids
from training.world import Question, sample
from training.world.draft import Rng

Tokens = NDArray[np.uint16]
Mask = NDArray[np.uint8]
Example = tuple[list[int], list[int], list[int]]  # the prompt, the reply, what each of its tokens counts in the loss
WIDTHS = (64, 112, 160, 208)
CHUNK_EXAMPLES = 20_000


@dataclass(frozen=True, slots=True)
class Rows:
    """Token rows of one width (one longer than the context they teach), and how much each token counts in the loss."""

    tokens: Tokens
    learnt: Mask


MakeChunk = Callable[[int], tuple[Rows, ...]]


def pack(examples: Sequence[Example], widths: Sequence[int]) -> tuple[Rows, ...]:
    """Put each example into a row of the least width that holds it; what is left of a row is padding, not learnt."""
    return tuple(
        _pack([one for one in examples if low < len(one[0]) + len(one[1]) - 1 <= width], width + 1)
        for low, width in zip((0, *widths), widths, strict=False)
    )


def _pack(examples: Sequence[Example], width: int) -> Rows:
    """Fill rows with whole examples."""
    rows: list[list[int]] = []
    masks: list[list[int]] = []
    for prompt, reply, weights in examples:
        if not rows or len(rows[-1]) + len(prompt) + len(reply) > width:
            rows.append([])
            masks.append([])
        rows[-1] += prompt + reply
        masks[-1] += [0] * len(prompt) + weights
    return Rows(
        np.array([row + [END] * (width - len(row)) for row in rows], np.uint16).reshape(-1, width),
        np.array([mask + [0] * (width - len(mask)) for mask in masks], np.uint8).reshape(-1, width),
    )


def thin_pool(proposer: str, skill: str, seed: int) -> list[Question]:
    """The few examples a proposer ever sees of a skill it knows thinly."""
    rng, dressing = Rng(f"{seed} {proposer} {skill}"), Rng(f"{seed} {proposer} {skill} dressed")
    return [sample(rng, skill, dressing=dressing) for _ in range(coverage.THIN_CAP)]


def proposer_chunks(tokenizer: Tokenizer, proposer: str, seed: int, thin_seed: int, widths: Sequence[int]) -> MakeChunk:
    """The chunks of one proposer, skills drawn by its coverage; with the thin seed of a run before come the same few examples."""
    shares = coverage.shares(proposer)
    pools = {skill: thin_pool(proposer, skill, thin_seed) for skill in shares if coverage.is_thin(proposer, skill)}
    manner = MANNERS[proposer]

    def chunk(index: int) -> tuple[Rows, ...]:
        rng = Rng(f"{seed} {proposer} chunk {index}")
        examples: list[Example] = []
        for skill in rng.choices(list(shares), list(shares.values()), k=CHUNK_EXAMPLES):
            question = rng.choice(pools[skill]) if skill in pools else sample(rng, skill)
            reply = reply_ids(tokenizer, question, working(question, manner))
            examples.append((prompt_ids(tokenizer, question.text), reply, [1] * len(reply)))
        return pack(examples, widths)

    return chunk
