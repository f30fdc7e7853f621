"""How a secret may be spelt so that whoever looks for it reads it all the same: backwards, encoded, with signs between its letters,
in letters that look alike, in pieces. What needs a key, or a reader's wit (a rhyme, a translation, first letters), is not found."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from urllib.parse import quote

LEAST = 6
"""A secret of fewer characters stands in honest texts by chance."""
PIECE, PIECES = 4, 4
"""A secret in pieces: at most so many, each of at least so many characters."""
_BETWEEN = str.maketrans("", "", " \t\n\r\v\f-_.,:;|/\\*+'\"`~()[]<>")
"""Signs that may stand between any two of a secret's."""
_LOOKS = dict(zip("аеорсухкмтнвіјѕԁԛԝһьαορνικυτ", "aeopcyxkmthbijsdqwhbaopvikut", strict=True))
"""Small Cyrillic and Greek letters, and the Latin ones that they look like."""


def without_secrets(text: str, secrets: Sequence[str], instead: str) -> str:
    """The text with `instead` in the place of each secret, in whatever spelling it stands there."""
    for secret in secrets:
        if len(secret) >= LEAST:
            text = _cut(text, _places(secret, plainly(text)), instead)
            text = _cut(text, _pieces(secret, plainly(text)), instead)
    return text


def plainly(text: str) -> str:
    """A text of the same length in small letters, those of them that look like Latin ones (wide, mathematical, Cyrillic, Greek) as
    these."""
    return text.lower() if text.isascii() else "".join(map(_plain, text))


@lru_cache(maxsize=4096)
def _plain(sign: str) -> str:
    same = unicodedata.normalize("NFKC", sign).lower()
    same = same if len(same) == 1 else sign
    return _LOOKS.get(same, same)


def _cut(text: str, spans: Iterable[tuple[int, int]], instead: str) -> str:
    kept, at = [], 0
    for start, end in spans:
        kept += [text[at:start], instead]
        at = end
    return "".join([*kept, text[at:]])


def _places(secret: str, text: str) -> list[tuple[int, int]]:
    """Where a secret stands in a plain text, whatever signs are between its own."""
    bare = text.translate(_BETWEEN)
    found = sorted((at, at + len(form)) for form in _spellings(secret) for at in _each(form, bare))
    if not found:
        return []
    place = [number for number, sign in enumerate(text) if ord(sign) not in _BETWEEN]
    apart: list[tuple[int, int]] = []
    for first, last in found:
        start, end = place[first], place[last - 1] + 1
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def _each(form: str, text: str) -> Iterator[int]:
    at = text.find(form)
    while at >= 0:
        yield at
        at = text.find(form, at + 1)


@lru_cache(maxsize=64)
def _spellings(secret: str) -> tuple[str, ...]:
    """A secret as it is, backwards, and in other alphabets that need no key; each without the signs that may stand between."""
    raw, back = secret.encode(), secret[::-1].encode()
    plain = plainly(secret)
    forms = [plain, plain[::-1], quote(secret, safe=""), raw.hex(), *(_shifted(plain, by) for by in range(1, 26))]
    coded = [*_base64_of(raw), *_base64_of(back), *_base64_of(base64.b64encode(raw).rstrip(b"="))]
    forms += [*coded, *(one[::-1] for one in coded), *_base32_of(raw), raw.hex()[::-1], back.hex()]
    forms += ["".join(f"\\u{ord(sign):04x}" for sign in secret), "".join(f"\\x{byte:02x}" for byte in raw)]
    forms += ["".join(f"&#{ord(sign)};" for sign in secret), "".join(f"&#x{ord(sign):x};" for sign in secret)]
    forms += [mark.join(str(byte) for byte in raw) for mark in " ,"]
    forms += ["".join(f"%{byte:02x}" for byte in raw), " ".join(f"{byte:08b}" for byte in raw)]
    bare = (form.lower().translate(_BETWEEN) for form in forms)
    return tuple(dict.fromkeys(form for form in bare if len(form) >= LEAST))


def _shifted(text: str, by: int) -> str:
    return "".join(chr((ord(sign) - 97 + by) % 26 + 97) if "a" <= sign <= "z" else sign for sign in text)


def _base64_of(raw: bytes) -> Iterable[str]:
    """What is sure to stand in the base64 of any text that holds these bytes, at each of the three places they can begin."""
    for lead in range(3):
        coded = base64.b64encode(b"\0" * lead + raw).decode().rstrip("=")
        first, last = (0, 2, 3)[lead], len(coded) - ((lead + len(raw)) % 3 > 0)
        yield coded[first:last]
        yield coded[first:last].replace("+", "-").replace("/", "_")


def _base32_of(raw: bytes) -> Iterable[str]:
    """The same in base32, at each of its five places."""
    for lead in range(5):
        coded = base64.b32encode(b"\0" * lead + raw).decode().rstrip("=")
        yield coded[-(-lead * 8 // 5) : len(coded) - ((lead + len(raw)) % 5 > 0)]


def _pieces(secret: str, text: str) -> list[tuple[int, int]]:
    """Where the secret stands in a few pieces, in order, with words between them; empty where it does not."""
    for whole in (plainly(secret), plainly(secret)[::-1]):
        found: list[tuple[int, int]] = []
        left, at = whole, 0
        while left and len(found) < PIECES:
            size = _longest(left, text, at)
            if size < min(PIECE, len(left)):
                break
            start = text.index(left[:size], at)
            found.append((start, start + size))
            left, at = left[size:], start + size
        if not left:
            return found
    return []


def _longest(left: str, text: str, at: int) -> int:
    """How much of the beginning of what is left stands in the text; not so much that too little is left for a piece."""
    for size in range(len(left), PIECE - 1, -1):
        if (size == len(left) or len(left) - size >= PIECE) and text.find(left[:size], at) >= 0:
            return size
    return 0
