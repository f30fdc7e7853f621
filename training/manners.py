"""Each proposer's own manner of writing the working.

The manner shows in the first tokens of the line, so that an aggregator can learn whom to trust on what although its
references are anonymous. It is learnt from the training data only: nothing adds it when the model answers.
"""

from dataclasses import dataclass

from training.world import Question


@dataclass(frozen=True, slots=True)
class Manner:
    """How a line of working begins, what stands between its steps, and how it ends."""

    opening: str
    between: str
    closing: str


MANNERS = {
    "p1": Manner("Work: ", "; ", ""),
    "p2": Manner("[", " | ", "]"),
    "p3": Manner("Let me see, ", ", then ", "."),
    "p4": Manner("-> ", " -> ", ""),
}
AGGREGATOR = Manner("Alone: ", "; ", "")


def working(question: Question, manner: Manner) -> str:
    """The question's steps as one line in this manner; empty where there is nothing to work out."""
    if not question.steps:
        return ""
    return f"{manner.opening}{manner.between.join(question.steps)}{manner.closing}"
