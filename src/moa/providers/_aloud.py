"""Models that think aloud: where no parser of their host has parted it, their text begins with <think> … </think> (DeepSeek R1,
QwQ, Qwen3 and others behind plain servers). What stands there is reasoning and no answer."""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"


class Aloud:
    """Parts a text, however it is cut into pieces, into the reasoning at its beginning and the answer."""

    __slots__ = ("_held", "_inside", "_opened", "over")

    def __init__(self) -> None:
        self.over = False
        """Whether whatever comes now is answer."""
        self._held = ""  # what may yet be a part of a tag, or the space around one
        self._opened = self._inside = False

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """The next piece, parted: each with whether it is reasoning."""
        text = self._held + text
        self._held = ""
        if not self._opened:
            start = text.lstrip()
            if len(start) < len(OPEN) and OPEN.startswith(start):
                self._held = text
                return []
            if not start.startswith(OPEN):
                self.over = True
                return [(False, text)]
            self._opened = self._inside = True
            text = start[len(OPEN) :]
        found: list[tuple[bool, str]] = []
        if self._inside:
            thought, closed, text = text.partition(CLOSE)
            if not closed:
                thought, self._held = _whole(thought)
            self._inside = not closed
            found += [(True, thought)] if thought else []
        if text := text.lstrip():
            self.over = True
            found.append((False, text))
        return found

    def rest(self) -> tuple[bool, str]:
        """What is held back at the end."""
        held, self._held = self._held, ""
        return self._inside, held


def _whole(thought: str) -> tuple[str, str]:
    """A piece of reasoning, and what at its end may be the beginning of CLOSE."""
    for size in range(min(len(CLOSE) - 1, len(thought)), 0, -1):
        if CLOSE.startswith(thought[-size:]):
            return thought[:-size], thought[-size:]
    return thought, ""


def unopened(text: str) -> tuple[str, str]:
    """The reasoning and the answer of a whole text whose reasoning only ends with a tag, on a line of its own: some models' chat
    templates have written the one at its beginning (Qwen3-Thinking, DeepSeek R1)."""
    thought, closed, answer = text.partition(CLOSE)
    alone = closed and OPEN not in text and CLOSE not in answer and answer[:1] in ("", "\n") and thought.endswith("\n")
    return (thought, answer.lstrip()) if alone else ("", text)
