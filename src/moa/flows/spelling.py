"""How a secret may be spelt so that whoever looks for it reads it all the same: backwards, encoded, with signs between its letters,
in letters that look alike, in pieces. What needs a key, or a reader's wit (a rhyme, a translation, first letters), is not found."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from urllib.parse import quote

LEAST = 6
"""A secret of fewer characters stands in honest texts by chance."""
PIECE, PIECES = 4, 4
"""A secret in pieces: at most so many, each of at least so many characters."""
_LOOKS = dict(zip("аеорсухкмтнвіјѕԁԛԝһьαορνικυτ", "aeopcyxkmthbijsdqwhbaopvikut", strict=True)) | dict(
    zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True)
)
"""Small Cyrillic and Greek letters and small capitals, and the Latin letters that they look like."""
_SIGNS = "".join(chr(code) for code in range(128) if not chr(code).isalnum())
_BETWEEN = str.maketrans("", "", _SIGNS)
_ESCAPE = re.compile(
    r"&#x0{0,9}([0-9a-f]{1,6});?|&#0{0,9}([0-9]{1,7});?|\\u\{0{0,9}([0-9a-f]{1,6})\}|\\u0000([0-9a-f]{4})|(?:\\u|u\+)([0-9a-f]{4})"
    r"|\\([0-7]{3})|(?:\\x|0x|[%=])([0-9a-f]{2})|</?[a-z!][^<>]{0,500}+>|&[a-z]{2,8};"
)
_BASES = (16, 10, 16, 16, 16, 8, 16)
_PAD = "\0"


def findable(secret: str) -> bool:
    """Whether a secret has letters and digits enough to be told from chance."""
    return len(_bare(plainly(secret))) >= LEAST


def without_secrets(text: str, secrets: Sequence[str], instead: str) -> str:
    """The text with `instead` in the place of each secret, in whatever spelling it stands there."""
    for secret in secrets:
        text = _cut(text, _places(secret, plainly(text)), instead)
        text = _cut(text, _places(secret, _unescaped(plainly(text))), instead)
        text = _cut(text, _pieces(secret, plainly(text)), instead)
    return text


def plainly(text: str) -> str:
    """A text of the same length in small letters, those of them that look like Latin ones (wide, mathematical, Cyrillic, Greek) as
    these."""
    return text.lower() if text.isascii() else "".join(map(_plain, text))


@lru_cache(maxsize=4096)
def _plain(sign: str) -> str:
    same = unicodedata.normalize("NFKC", sign).lower()
    first, *rest = list(unicodedata.normalize("NFD", same) or sign)
    same = first if not any(map(str.isalnum, rest)) else sign  # without its accents
    return _LOOKS.get(same, same)


def _bare(text: str) -> str:
    """Its letters and digits: any other sign may stand between two of a secret's."""
    return text.translate(_BETWEEN) if text.isascii() else "".join(filter(str.isalnum, text))


def _unescaped(text: str) -> str:
    """A plain text of the same length without tags, and with the letters that its escapes stand for, each filled up."""

    def letter(match: re.Match[str]) -> str:
        if match.lastindex is None:
            return " " * len(match[0])
        code = int(match[match.lastindex], _BASES[match.lastindex - 1])
        sign = chr(code) if 32 < code < 0x110000 else " "
        return plainly(sign).ljust(len(match[0]), _PAD)

    return _ESCAPE.sub(letter, text)


def _cut(text: str, spans: Iterable[tuple[int, int]], instead: str) -> str:
    kept, at = [], 0
    for start, end in spans:
        kept += [text[at:start], instead]
        at = end
    return "".join([*kept, text[at:]])


def _places(secret: str, text: str) -> list[tuple[int, int]]:
    """Where a secret stands in a plain text, whatever signs are between its own."""
    bare = _bare(text)
    found = sorted((at, at + len(form)) for form in _spellings(secret) for at in _each(form, bare))
    if not found:
        return []
    place = [number for number, sign in enumerate(text) if sign.isalnum()]
    apart: list[tuple[int, int]] = []
    for first, last in found:
        start, end = place[first], place[last - 1] + 1
        while text[end : end + 1] == _PAD:
            end += 1
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def _each(form: str, text: str) -> Iterator[int]:
    at = text.find(form)
    while at >= 0:
        yield at
        at = text.find(form, at + len(form))


@lru_cache(maxsize=64)
def _spellings(secret: str) -> tuple[str, ...]:
    """A secret as it is, backwards, and in other alphabets that need no key; each without the signs that may stand between."""
    raw, back, wide = secret.encode(), secret[::-1].encode(), (secret.encode("utf-16-le"), secret.encode("utf-16-be"))
    plain = plainly(secret)
    turned = "".join(chr(219 - ord(sign)) if "a" <= sign <= "z" else sign for sign in plain)  # atbash
    forms = [plain, quote(secret, safe=""), turned, turned[::-1], raw.hex(), raw.hex()[::-1], back.hex()]
    forms += [plain[::-1], *(_shifted(one, by) for one in (plain, plain[::-1]) for by in range(1, 26))]
    once = list(_base64_of(raw))
    coded = [*once, *_base64_of(back), *_base64_of(base64.b64encode(raw).rstrip(b"="))]
    forms += [*coded, *(one[::-1] for one in coded), *_base32_of(raw), *(_shifted(one.lower(), 13) for one in once)]
    forms += [one.encode().hex() for one in once]
    for inner in (*wide, raw.hex().encode(), raw.hex().upper().encode()):
        forms += _base64_of(inner)
    forms += [one.hex() for one in wide]
    for numbers in ("{}", "{:03}", "{:o}", "{:03o}", "{:08b}", "{:07b}"):
        forms.append("".join(map(numbers.format, raw)))
    bare = (_bare(plainly(form)) for form in forms)
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
    low, high = 0, len(left)
    while low < high:  # if so much stands there, less does, too
        size = (low + high + 1) // 2
        low, high = (size, high) if text.find(left[:size], at) >= 0 else (low, size - 1)
    low = low if low == len(left) else min(low, len(left) - PIECE)
    return low if low >= PIECE else 0
