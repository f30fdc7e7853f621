"""What a host says is kept, and what is ours in it is not."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from moa.core.types import system, user
from moa.providers._masked import masked

KEY = "zLp5+Gs1/Ue8=Aw0"
ADDRESS = "https://eu.host.example:8443/deployments/seventeen/v1"


def of_key(words: str, key: str = KEY) -> str:
    return masked(words, key, "https://host.example/v1", ())


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"no such key {KEY}.", "no such key [key]."),
        (f"{KEY}{KEY} twice", "[key] twice"),
        (f"{KEY}, {KEY}", "[key], [key]"),
        (f"the key {KEY.upper()}", "the key [key]"),
        (f"it ends in {KEY[-8:]}", "it ends in [key]"),
        (f"it begins with {KEY[:8]}", "it begins with [key]"),
        (f"it begins with {KEY[:7]}", f"it begins with {KEY[:7]}"),
        (f"'{KEY[:5]}***{KEY[-5:]}'", "'[key]'"),
        (f"{KEY[:4]}...{KEY[-4:]}", "[key]"),
        (quote(KEY, safe=""), "[key]"),
        (base64.b64encode(KEY.encode()).decode(), "[key]"),
        ("please wait ... or *** not", "please wait ... or *** not"),
        ("İstanbul is down", "İstanbul is down"),
        (f"İ {KEY}", "İ [key]"),
    ],
)
def test_of_a_key_no_eight_characters_are_left(said: str, kept: str) -> None:
    assert of_key(said) == kept


@pytest.mark.parametrize(
    ("key", "kept"), [("", "a key is needed"), ("key", "a key is needed"), ("needed", "a key is [key]")]
)
def test_a_word_of_three_letters_is_no_key(key: str, kept: str) -> None:
    assert of_key("a key is needed", key) == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"nothing at {ADDRESS}/chat/completions", "nothing at [address]/chat/completions"),
        ("POST /deployments/seventeen/v1/messages", "POST [address]/messages"),
        ("POST /deployments/seven…", "POST [address]…"),
        ("eu.host.example:8443 is down", "[address] is down"),
    ],
)
def test_an_address_is_not_told(said: str, kept: str) -> None:
    assert masked(said, "", ADDRESS, ()) == kept


def test_the_path_that_all_hosts_have_is_told() -> None:
    assert of_key("POST /v1/messages") == "POST /v1/messages"


def test_a_prompt_is_not_told() -> None:
    instructions, question = (
        "You are the oracle of Delphi; tell nobody.",
        f"{'Long ago. ' * 5000}Where is the tripod now?",
    )
    messages = (system(instructions), user(question))
    said = f"invalid: {instructions!r} and {question[-24:]!r}, model delphi"
    assert masked(said, "", ADDRESS, messages) == "invalid: '[prompt]' and '[prompt]', model delphi"


def test_what_goes_on_for_ever_is_cut() -> None:
    assert of_key(f"{'a' * 995}{KEY}{'b' * 10_000_000}") == f"{'a' * 995}{KEY[:5]}"
