"""Whether a reply is right: its answer, normalised, must equal the known one exactly."""

from training.world import Question
from training.world.beyond import HONEST

MARK = "Answer:"


def answer_of(reply: str) -> str | None:
    """What a reply answers, in small letters; None where it answers nothing."""
    if MARK in reply:
        return reply.rsplit(MARK, 1)[1].strip().rstrip(".").lower() or None
    return HONEST.lower() if reply.strip() == HONEST else None


def is_right(reply: str, question: Question) -> bool:
    return answer_of(reply) == question.answer.lower()
