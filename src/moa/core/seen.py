"""What people see of a text: signs that nobody sees carry orders and secrets past whoever reads it (tag characters, zero-width
signs, directions, selectors; Unicode TR 36), so they are taken out of references before any model reads them.

What a script needs stays: a joiner between letters of Arabic, Persian or the Indic scripts, a mark of direction beside letters
written from right to left, joiners and selectors in emoji, and the tags of the three flags that are written with them.
"""

from __future__ import annotations

import re
from functools import lru_cache

_UNSEEN = re.compile(
    "\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)"
    "\U000e007f"
    "|["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\r"))
_JOINERS = "\u200c\u200d"
_JOINED = re.compile("[\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefe]")
_LEFTWARD = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe]")
_EMOJI = re.compile("[\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]")


@lru_cache(maxsize=16)
def seen(text: str) -> str:
    """The text without what nobody sees. (Remembered for a moment: a reference is looked at, and then shown.)"""
    if text.isascii() and len(text.encode().translate(None, _CONTROLS)) == len(text):
        return text
    return _UNSEEN.sub(_kept, text)


def _kept(match: re.Match[str]) -> str:
    """A run of unseen signs, as far as what stands before and behind it needs them."""
    run, text = match[0], match.string
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    if run[0] == "\U0001f3f4":
        return run
    if after == "\u20e3" and run == "\ufe0f":  # a keycap
        return run
    if _EMOJI.match(before) and run in ("\ufe0e", "\ufe0f", "\u200d", "\ufe0f\u200d"):
        return run if run[-1] != "\u200d" or _EMOJI.match(after) else ""
    if run in _JOINERS:
        return run if _JOINED.match(before) and _JOINED.match(after) else ""
    if run in "\u200e\u200f\u061c":
        return run if _LEFTWARD.match(before) or _LEFTWARD.match(after) else ""
    if len(run) == 1 and "\u180b" <= run <= "\u180f":
        return run if "\u1800" <= before <= "\u18af" else ""
    if len(run) == 1 and (run in "\ufe00\ufe01\ufe02" or "\U000e0100" <= run <= "\U000e01ef"):
        return run if "\u4e00" <= before <= "\u9fff" else ""  # another shape of the same sign
    return ""
