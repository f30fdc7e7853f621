"""Orders in what other models said: sentences that tell whoever reads them to drop its task or to hand them on (prompt infection,
arXiv 2410.07283), that tell a judge which response to take, or are a verdict in its words (JudgeDeceiver, arXiv 2403.17710), and
marks with which chat templates begin a turn. Told by their words alone: what is put otherwise stays."""

from __future__ import annotations

import re

_WHOM = r"(?:agents?|models?|assistants?|llms?|ais?|bots?|layers?|readers?)"
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.!?\n]{0,40}?"
    r"\b(?:(?:previous|prior|above|earlier|other|your|all)\s+(?:instructions?|prompts?|rules)|(?:other|previous|prior|above)"
    r"\s+(?:responses?|answers?|questions?|tasks?))"
    rf"|\b(?:repeat|copy|include|reproduce|forward|append|pass|hand|spread|tell)\b[^.!?\n]{{0,80}}\b(?:next|other|every|each|following|all)\s+{_WHOM}"
    r"|\b(?:repeat|copy|include|reproduce|append)\b[^.!?\n]{0,40}\b(?:this|these|message|text|sentence|paragraph)\b[^.!?\n]{0,60}"
    r"\b(?:your|every|each)\s+(?:answer|response|reply|output|message)s?\b"
    r"|<\|[^|\n<>]{1,40}\|>|\[/?INST\]|<</?SYS>>|(?<!\#)\#{2,}+\s{0,9}+\(?system(?:[_ ]message)?\)?",
    re.IGNORECASE,
)
_VERDICT = re.compile(
    r"\b(?:choose|pick|select|prefer|favou?r|vote\s{1,9}for|rank|rate)\s{1,9}(?:only\s{1,9})?responses?\s{1,9}(?:number\s{1,9})?\d"
    r"|\bbest\W{1,9}response\W{0,5}\d|\branking\W{1,9}(?:response\W{0,5})?\d{1,3}\s{0,9}>",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?]+|\n|$)")


def without_orders(text: str, *, judge: bool = False) -> str:
    """The text without the sentences that hold an order to whoever reads it; what a judge says of responses is none."""
    patterns = (_ORDER,) if judge else (_ORDER, _VERDICT)
    cuts = sorted(match.span() for pattern in patterns for match in pattern.finditer(text))
    if not cuts:
        return text
    kept, place = [], 0
    for match in _SENTENCE.finditer(text):
        start, end = match.span()
        while place < len(cuts) and cuts[place][1] <= start:
            place += 1
        if place == len(cuts) or cuts[place][0] >= end:
            kept.append(match[0])
    return "".join(kept).strip()
