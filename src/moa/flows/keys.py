"""Keys in a text: those of hosts that are known by their shape, private keys, and what a system prompt itself calls a password. The
shapes are those that hosts document (and that secret scanners look for)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moa.flows.spelling import findable

_SHAPED = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?:[A-Za-z0-9]{2,12}-){0,3}[A-Za-z0-9_]{16}[\w-]*"  # OpenAI, Anthropic, OpenRouter, DeepSeek, LiteLLM …
    r"|(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}"  # Stripe
    r"|(?:gsk_|hf_|r8_|npm_|gh[pousr]_)[A-Za-z0-9]{30,}|github_pat_\w{50,}|glpat-[\w-]{20,}"
    r"|(?:xai|pplx)-[A-Za-z0-9]{30,}|nvapi-[\w-]{40,}|AIza[\w-]{35}|ya29\.[\w-]{30,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])|xox[abeoprs]-[A-Za-z0-9-]{20,}|SG\.[\w-]{16,}\.[\w-]{32,}"
    r"|moa-[\w-]{43}(?![\w-])"
    r")",
    re.ASCII,
)
_BREAK = r"(?:\s|\\[nr])"
_PRIVATE = re.compile(
    rf"-----BEGIN (?:[A-Z0-9]{{1,20}} ){{0,3}}PRIVATE KEY(?: BLOCK)?-----{_BREAK}*+"
    rf"(?:[A-Z][A-Za-z-]{{2,20}}: [^\n\\]{{0,80}}{_BREAK}++){{0,4}}"
    rf"((?:[A-Za-z0-9+/=]{{16,}}+{_BREAK}*+)++)"
    rf"(?:[A-Za-z0-9+/=]{{1,15}}{_BREAK}*+)?(?:-----END (?:[A-Z0-9]{{1,20}} ){{0,3}}PRIVATE KEY(?: BLOCK)?-----)?"
)
_CALLED = re.compile(
    r"(?i)\b(?:pass(?:word|phrase|code|wort)|pin|secret|token|credentials?|(?:api|access|secret|private)[ _-]?key)\b[\"'`*]*"
    r"(?:\s(?:of|for|to)\s[^\n.;:=]{1,40}?)?\s{0,3}(?:is\b|are\b|ist\b|[:=])\s{0,3}[\"'`*]*([^\s\"'`*<>(){}\[\]]{6,200})"
)
_EXAMPLE = re.compile(r"(?i)example|placeholder|your|x{4}|\.\.\.")
LEAST_SIGNS = 8
"""A key is drawn by lot: so many signs of it differ, and a digit is among them, or it is a name or a stand-in."""
LEAST_BODY = 40
"""So many signs of a private key say something of it."""


def without_keys(text: str, said: str, instead: str) -> str:
    """The text with `instead` in the place of each key that the user has not `said`, private keys as a whole."""

    def private(match: re.Match[str]) -> str:
        return match[0] if _stand_in(match[1], LEAST_BODY) or match[0] in said else instead

    def shaped(match: re.Match[str]) -> str:
        return match[0] if _stand_in(match[0], 0) or match[0] in said else instead

    return _SHAPED.sub(shaped, _PRIVATE.sub(private, text) if "PRIVATE KEY" in text else text)


def told_in(prompt: str) -> Iterator[str]:
    """The secrets that a system prompt holds: keys by their shape, and what it calls a password, a key, a token …, where a
    digit is in it."""
    for match in _SHAPED.finditer(prompt):
        if not _stand_in(match[0], 0):
            yield match[0]
    for match in _CALLED.finditer(prompt):
        word = match[1].rstrip(".,;:!?")
        if any(map(str.isdigit, word)) and findable(word) and not _EXAMPLE.search(word):
            yield word


def _stand_in(key: str, least: int) -> bool:
    """Whether this is no key, but stands in for one, as in examples."""
    signs = [sign for sign in key if sign.isalnum()]
    few = not any(map(str.isdigit, signs)) or len(set(signs)) < LEAST_SIGNS
    return few or len(signs) < least or _EXAMPLE.search(key) is not None
