"""Requests fitted to what a model can take, and what is learnt from what it refuses."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from moa.core.errors import BadReply, BadRequest, ProviderError, TooLong
from moa.core.events import Noted
from moa.core.ports import Scope
from moa.core.profile import ABLE, LEAST_SHARE, Profile, fitted, too_long, with_room
from moa.core.prompts import render
from moa.core.tokens import estimated_request
from moa.core.types import (
    PLAIN,
    Call,
    Form,
    Image,
    Manner,
    Message,
    Reply,
    Request,
    Sampling,
    Text,
    Tool,
    Usage,
    assistant,
    system,
    user,
)
from moa.providers.fake import Fake, Script
from moa.wrap.attempts import Attempts
from moa.wrap.fit import Fit
from moa.wrap.sizes import Sizes

SAMPLING = Sampling(temperature=0.5, top_p=0.9, seed=7, max_tokens=64, reasoning_effort="low")


def asked(*messages: Message, form: Form = PLAIN, sampling: Sampling = SAMPLING) -> Request:
    call = Call("fake:a", messages or (user("hi"),), sampling=sampling, form=form)
    return Request(call, call.conversation)


class Picky:
    """A provider that refuses, in its own words, requests that hold something."""

    def __init__(self, words: str, holds: Any, param: str | None = None) -> None:
        self.words, self.holds, self.param, self.asked = words, holds, param, []  # type: ignore[var-annotated]

    async def send(self, request: Request, scope: Scope) -> Reply:
        self.asked.append(request)
        if self.holds(request):
            error = BadRequest(self.words)
            error.param = self.param
            raise error
        return Reply("ok")


def sent(picky: Picky, request: Request, times: int = 2) -> tuple[list[Any], list[Any]]:
    """What came of the same request sent so often, through attempts, and what was noted."""
    facts: list[Any] = []

    async def main() -> list[Any]:
        provider, outcomes = Attempts(Fit(picky, lambda model: ABLE), chance=lambda: 0.0), []
        for _ in range(times):
            try:
                outcomes.append((await provider.send(request, Scope(facts.append))).text)
            except ProviderError as error:
                outcomes.append(error.kind)
        return outcomes

    return asyncio.run(main()), [fact.reason for fact in facts if isinstance(fact, Noted)]


@pytest.mark.parametrize(
    ("words", "param", "name"),
    [
        ("Unsupported value: 'temperature' does not support 0.5 with this model.", "temperature", "temperature"),
        ("temperature: Extra inputs are not permitted", None, "temperature"),
        ("Unrecognized request argument supplied: seed", None, "seed"),
        ("`top_p` is not supported by this model", None, "top_p"),
        ("`temperature` is deprecated for this model.", None, "temperature"),
        ("`temperature` and `top_p` cannot both be specified for this model.", None, "top_p"),
        ("Thinking level is not supported for this model.", None, "reasoning_effort"),
        (
            "Invalid JSON payload received. Unknown name \"thinkingLevel\" at 'generation_config'",
            None,
            "reasoning_effort",
        ),
        ("Unknown parameter: 'seed'. Supported parameters are: temperature, top_p", None, "seed"),
    ],
)
def test_a_refused_setting_is_learnt_once_told_and_left_out_from_then_on(
    words: str, param: str | None, name: str
) -> None:
    picky = Picky(words, lambda request: getattr(request.call.sampling, name) is not None, param)
    outcomes, notes = sent(picky, asked(), times=3)
    assert outcomes == ["ok"] * 3
    assert len(picky.asked) == 1 + 3
    assert notes == ["learnt", "fitted", "fitted", "fitted"]
    rest = replace(picky.asked[-1].call.sampling, **{name: getattr(SAMPLING, name)})
    assert rest == SAMPLING


def test_what_is_refused_for_another_reason_is_not_sent_again() -> None:
    picky = Picky("temperature must be between 0 and 1", lambda request: True)
    outcomes, notes = sent(picky, asked(), times=1)
    assert (outcomes, len(picky.asked), notes) == (["BadRequest"], 1, [])


@pytest.mark.parametrize(
    "words",
    [
        "Unknown parameter: 'user'. Supported are: seed, temperature",
        "Unsupported parameter: 'max_tokens'; use temperature",
    ],
)
def test_what_is_not_refused_but_named_beside_it_is_kept(words: str) -> None:
    outcomes, notes = sent(Picky(words, lambda request: True), asked(), times=1)
    assert (outcomes, notes) == (["BadRequest"], [])


@pytest.mark.parametrize(
    "words",
    [
        "System role not supported",
        "Developer instruction is not enabled for models/gemma-3-27b-it",
        "This model does not support system messages.",
    ],
)
def test_a_system_message_that_is_refused_moves_into_the_first_user_turn(words: str) -> None:
    talk = (system("Be brief."), user("hi"))
    picky = Picky(words, lambda request: request.messages[0].role == "system")
    outcomes, _ = sent(picky, asked(*talk))
    assert outcomes == ["ok", "ok"]
    assert picky.asked[-1].messages == (Message("user", (Text("Be brief.\n\n"), Text("hi"))),)


def test_turns_in_a_row_that_are_refused_are_merged() -> None:
    talk = (user("one"), user("two"), assistant("three"), user("four"))

    def twice(request: Request) -> bool:
        return request.messages[0].role == request.messages[1].role

    picky = Picky("Conversation roles must alternate user/assistant/user/assistant/...", twice)
    outcomes, _ = sent(picky, asked(*talk))
    assert outcomes == ["ok", "ok"]
    assert [message.text for message in picky.asked[-1].messages] == ["one\n\ntwo", "three", "four"]


@pytest.mark.parametrize(
    ("profile", "request_", "words"),
    [
        (Profile(images=False), asked(user(Image("data:image/png;base64,A"))), "no images"),
        (Profile(tools=False), asked(form=Form(tools=(Tool("t"),))), "no tools"),
        (Profile(schema=False), asked(form=Form(schema="{}")), "no JSON schema"),
    ],
)
def test_what_a_model_cannot_do_is_an_error_before_anything_is_sent(
    profile: Profile, request_: Request, words: str
) -> None:
    fake = Fake()
    with pytest.raises(BadRequest, match=words) as caught:
        asyncio.run(Fit(fake, lambda model: profile).send(request_, Scope()))
    assert not fake.asked
    assert not caught.value.sent


def test_an_able_model_gets_the_very_request() -> None:
    request = asked(system("s"), user("a"), user("b"))
    assert fitted(request, ABLE) == (request, ())
    assert fitted(request, Profile(context=4096)) == (request, ())


# --- references that do not fit


def test_references_that_fit_are_left_alone() -> None:
    call = Call("fake:a", (user("hi"),), references=(Reply("short"), Reply("x" * 4000)))
    assert with_room(call, 8192) == (call, "")
    assert with_room(call, None) == (call, "")


def test_references_that_do_not_fit_get_equal_shares_and_short_ones_give_the_rest_away() -> None:
    texts = ("short", "a" * 20_000 + "END OF A", "b" * 40_000 + "END OF B")
    call = Call("fake:a", (user("hi"),), references=tuple(map(Reply, texts)), sampling=Sampling(max_tokens=100))
    cut, note = with_room(call, 4096)
    short, a, b = (reference.text for reference in cut.references)
    assert short == "short"
    assert a.endswith("END OF A")
    assert b.endswith("END OF B")
    assert abs(len(a) - len(b)) < 100
    assert 12_000 < len(a) + len(b) < 16_000
    assert "characters are left out here" in a
    assert note == "2 of 3 references are cut to about 1834 tokens each: the context of fake:a is 4096"


def test_references_of_which_nothing_would_be_left_stay_whole_where_another_model_may_have_room() -> None:
    alone = Call("fake:a", (user("long " * 5000),), references=(Reply("x" * 1000),) * 3)
    cut, note = with_room(alone, 1024)
    assert all("of 1000 characters are left out" in reference.text for reference in cut.references)
    assert note.startswith("3 of 3 references are cut")
    assert with_room(alone, 1024, spare=True) == (alone, "")
    assert "the context of fake:a is 1024" in too_long(Request(alone, render(alone, "n")), 1024)


def test_a_flood_is_cut_to_nothing_where_the_others_take_all_the_room() -> None:
    small = tuple(Reply("word " * size) for size in (3, 5, 7))
    call = Call("fake:a", (user("hi"),), references=(*small, Reply("flood " * 4000)), sampling=Sampling(max_tokens=100))
    shares = {}
    for context in range(400, 1200):
        cut, note = with_room(call, context)
        if note.startswith("1 of 4 references are cut"):
            assert cut.references[:3] == small
            assert estimated_request(Request(cut, render(cut, "n"))) < context
            shares[context] = int(note.split("about ")[1].split()[0])
    assert min(shares.values()) < LEAST_SHARE


def test_the_tools_and_the_schema_of_a_call_take_their_part_of_the_room() -> None:
    references = tuple(Reply("word " * 800) for _ in range(2))  # 1,000 tokens each
    plain = Call("fake:a", (user("hi"),), references=references, sampling=Sampling(max_tokens=100))
    assert with_room(plain, 4096) == (plain, "")
    for form in (Form(tools=(Tool("find", "word " * 1600),)), Form(schema=f'{{"title":"{"word " * 1600}"}}')):
        call = replace(plain, form=form)
        cut, note = with_room(call, 4096)
        assert note.startswith("2 of 2 references are cut")
        assert 2000 < estimated_request(Request(cut, render(cut, "n"))) < 4096 - 100


def test_references_that_are_quoted_are_counted_with_the_signs_before_their_lines() -> None:
    references = tuple(Reply("1\n" * 1000) for _ in range(2))
    call = Call("fake:a", (user("hi"),), references=references, manner=Manner(framing="quoted"))
    cut, note = with_room(call, 2048)
    assert "references are cut" in note
    assert estimated_request(Request(cut, render(cut, ""))) < 2048 - 512


def sent_to(request: Request, context: int | None) -> list[Request]:
    fake = Fake({"a": "ok"})
    asyncio.run(Fit(fake, lambda model: ABLE, context=lambda model: context).send(request, Scope()))
    return fake.asked


def test_a_request_that_leaves_no_room_for_an_answer_is_not_sent_and_what_to_do_is_said() -> None:
    long, tools = asked(user("word " * 800)), asked(form=Form(tools=(Tool("find", "word " * 800),)))
    for request in (long, tools):
        with pytest.raises(
            TooLong, match=r"not sent: .* tokens, and the context of fake:a is 900; .* \[profiles\]"
        ) as no:
            sent_to(request, 900)
        assert not no.value.sent
        assert sent_to(request, 2048) == sent_to(request, None) == [request]


def test_how_large_an_image_is_only_its_model_knows() -> None:
    images = asked(user(*[Image("https://example.org/a.png")] * 9))
    assert sent_to(images, 4096) == [images]


def test_a_value_that_is_not_liked_is_not_taken_for_a_setting_that_is_refused() -> None:
    picky = Picky("decimal above maximum value: expected a value <= 2", lambda request: True, "temperature")
    fit = Fit(picky, lambda model: ABLE)
    with pytest.raises(BadRequest) as caught:
        asyncio.run(fit.send(asked(), Scope()))
    assert not caught.value.mended
    assert not fit.learnt.of


def test_several_answers_of_a_model_that_gives_one_are_an_error_before_anything_is_sent() -> None:
    fake = Fake({"a": "one"})
    with pytest.raises(BadRequest, match="one answer to a request"):
        asyncio.run(Fit(fake, lambda model: Profile(choices=False)).send(asked(form=Form(choices=2)), Scope()))
    assert not fake.asked


def test_two_settings_that_are_refused_at_once_are_both_learnt() -> None:
    class Refusing:
        async def send(self, request: Request, scope: Scope) -> Reply:
            await asyncio.sleep(0)
            refused = "temperature" if request.call.sampling.top_p is None else "top_p"
            raise BadRequest(f"`{refused}` is not supported")

    fit = Fit(Refusing(), lambda model: ABLE)
    sent = (asked(sampling=Sampling(temperature=0.5)), asked(sampling=Sampling(top_p=0.9)))

    async def main() -> None:
        await asyncio.gather(*(fit.send(request, Scope()) for request in sent), return_exceptions=True)

    asyncio.run(main())
    assert fit.learnt.of["fake:a"] == Profile(temperature=False, top_p=False)


def test_json_mode_is_left_out_and_told_where_a_model_has_none() -> None:
    able, _ = fitted(asked(form=Form(schema="{}")), Profile(prefill=True))
    assert able.call.form.schema == "{}"
    without, notes = fitted(asked(form=Form(schema="{}")), Profile(json_mode=False))
    assert (without.call.form.schema, notes) == ("", ("JSON mode is left out: the model does not take it",))
    schema = '{"type":"object"}'
    assert fitted(asked(form=Form(schema=schema)), Profile(json_mode=False))[0].call.form.schema == schema


def test_what_a_provider_raises_or_returns_that_is_no_word_of_ours_fails_its_call_alone() -> None:
    class Broken:
        def __init__(self, does: Any) -> None:
            self.does = does

        async def send(self, request: Request, scope: Scope) -> Any:
            if isinstance(self.does, Exception):
                raise self.does
            return self.does

    for does in (RuntimeError("a bug"), KeyError("choices"), "just text", None):
        with pytest.raises(BadReply, match="the provider broke: ") as caught:
            asyncio.run(Fit(Broken(does), lambda model: ABLE).send(asked(), Scope()))
        assert (caught.value.provider, caught.value.model) == ("fake", "a")


def test_an_answer_that_leaves_references_no_room_is_held_to_less() -> None:
    references = tuple(Reply("word " * 400) for _ in range(3))
    call = Call("h:m", (user("hi"),), references=references, sampling=Sampling(max_tokens=4096))
    held, note = with_room(call, 4096)
    assert held.references == references
    assert 1024 <= held.sampling.max_tokens < 4096  # type: ignore[operator]
    assert note == f"its answer is held to {held.sampling.max_tokens} tokens: the context of h:m is 4096"
    cut, note = with_room(replace(call, references=references * 4), 4096)
    assert cut.sampling.max_tokens == 1024
    assert all(len(reference.text) > 500 for reference in cut.references)
    assert "12 of 12 references are cut" in note


def test_how_many_tokens_a_model_makes_of_a_text_is_learnt_from_its_own_counts() -> None:
    sizes = Sizes()
    long, short = asked(user("word " * 8000)), asked(user("hi"))  # 10,000 tokens as estimated
    pictured = asked(user("word " * 8000, *[Image("https://example.org/a.png")] * 9))
    for request, usage, known in (
        (short, Usage(3, 1), 1.0),  # says nothing: a template is most of it
        (long, Usage(15_006, 1, estimated=True), 1.0),
        (long, Usage(15_006, 1), 1.5),
        (long, Usage(10_004, 1), 1.4),  # by and by
        (pictured, Usage(12_000, 1), 1.4),  # how much of it was the images?
        (long, Usage(1_000_000, 1), 1.4),  # no tokenizer does that
    ):
        fake = Fake({"a": Script("ok", usage=usage)})
        asyncio.run(Fit(fake, lambda model: ABLE, sizes=sizes).send(request, Scope()))
        assert sizes.of("fake:a") == pytest.approx(known, abs=0.001)
    assert sizes.of("fake:b") == 1.0
