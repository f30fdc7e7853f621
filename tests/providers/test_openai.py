"""Chat completions over real sockets: what is sent, what is understood, and every fault a host can have."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from moa.core import errors
from moa.core.errors import (
    BadReply,
    BadRequest,
    ConfigError,
    Cut,
    Overloaded,
    ProviderError,
    Refused,
    TimedOut,
    Unreachable,
)
from moa.core.events import Delta, Noted
from moa.core.ports import Scope
from moa.core.types import (
    Call,
    Form,
    Image,
    Logprob,
    Message,
    Request,
    Sampling,
    ToolCall,
    ToolResult,
    Usage,
    assistant,
    system,
    user,
)
from moa.providers._http import Aiohttp
from moa.providers.anthropic import Messages
from moa.providers.hosts import HOSTS, Host, custom
from moa.providers.openai import Chat
from moa.providers.remote import Remote
from moa.providers.responses import Responses
from providers.upstream import STREAM_HEAD, Pieces, events, http, piece, said, told, upstream

KEY = "sk-test-canary-7f3a"


def asked(*messages, model="host:m:8b", **settings) -> Request:
    call = Call(model, messages or (user("hi"),), sampling=Sampling(**settings))
    return Request(call, call.conversation)


def sent(*answers, request=None, scope=None, host=None, deadline=None):
    """Send one request to a server that gives those answers: the reply or error, and the server's record."""

    async def main():
        transport = Aiohttp()
        async with upstream(*answers) as server:
            place = host or Host("host", "")
            provider = Remote(
                Host(**{name: getattr(place, name) for name in Host.__slots__} | {"base_url": server.url}),
                transport,
                KEY,
            )
            at = None if deadline is None else asyncio.get_running_loop().time() + deadline
            try:
                return await provider.send(request or asked(), scope or Scope(deadline=at)), server
            except ProviderError as error:
                return error, server
            finally:
                await transport.aclose()

    return asyncio.run(main())


def streamed(*chunks, end="[DONE]", scope=None):
    facts = []
    body = events(*chunks, *([end] if end else []))
    outcome, _ = sent(STREAM_HEAD + body, scope=Scope(facts.append, want_deltas=True, final=True))
    return outcome, facts


# --- what is sent


def test_the_model_is_what_follows_the_first_colon_and_the_key_is_a_bearer():
    _, server = sent(http(200, said("ok")))
    assert server.asked == [{"model": "m:8b", "messages": [{"role": "user", "content": "hi"}]}]
    assert "POST /v1/chat/completions HTTP/1.1" in server.heads[0]
    assert f"\r\nauthorization: bearer {KEY}\r\n" in server.heads[0].lower()


def test_a_connection_is_kept_for_the_next_request_unless_the_host_bears_it_badly():
    for name, kept in (("openai", True), ("llamacpp", False)):
        _, server = sent(http(200, said("ok")), host=HOSTS[name])
        assert ("\r\nconnection: close\r\n" not in server.heads[0].lower()) == kept


def test_every_kind_of_part_has_its_shape():
    messages = (
        system("Be kind."),
        user("Look: ", "closely", Image("data:image/png;base64,AAAA")),
        user("two ", "texts"),
        assistant("I will.", ToolCall("c1", "see", '{"a":1}')),
        assistant(ToolCall("c2", "see", "{}")),
        Message("tool", (ToolResult("c1", "one"), ToolResult("c2", "two"))),
    )
    _, server = sent(http(200, said("ok")), request=asked(*messages))
    function = {"id": "c1", "type": "function", "function": {"name": "see", "arguments": '{"a":1}'}}
    assert server.asked[0]["messages"] == [
        {"role": "system", "content": "Be kind."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look: "},
                {"type": "text", "text": "closely"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
        {"role": "user", "content": "two texts"},
        {"role": "assistant", "content": "I will.", "tool_calls": [function]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [function | {"id": "c2", "function": {"name": "see", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
    ]


def test_sampling_is_sent_under_the_names_of_the_host():
    settings = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "seed": 3, "stop": ("x",), "reasoning_effort": "low"}
    for name, tokens, seed in (
        ("together", "max_tokens", "seed"),
        ("openai", "max_completion_tokens", "seed"),
        ("mistral", "max_tokens", "random_seed"),
    ):
        _, server = sent(http(200, said("ok")), request=asked(**settings), host=HOSTS[name])
        plain = {"temperature": 0.5, "top_p": 0.9, "stop": ["x"], "reasoning_effort": "low"}
        assert {k: v for k, v in server.asked[0].items() if k not in ("model", "messages")} == plain | {
            tokens: 7,
            seed: 3,
        }


def test_a_stream_is_asked_for_only_where_deltas_are_wanted():
    _, quiet = sent(http(200, said("ok")))
    assert "stream" not in quiet.asked[0]
    _, loud = sent(STREAM_HEAD + events(piece("stop", content="ok"), "[DONE]"), scope=Scope(want_deltas=True))
    assert (loud.asked[0]["stream"], loud.asked[0]["stream_options"]) == (True, {"include_usage": True})
    _, shy = sent(
        STREAM_HEAD + events(piece("stop", content="ok"), "[DONE]"),
        scope=Scope(want_deltas=True),
        host=HOSTS["mistral"],
    )
    assert "stream_options" not in shy.asked[0]


def test_half_a_surrogate_pair_is_a_bad_request_and_nothing_is_sent():
    error, server = sent(http(200, said("ok")), request=asked(user("a\ud800")))
    assert isinstance(error, BadRequest)
    assert server.heads == []


# --- what is understood


def test_a_whole_answer():
    body = said("Paris", reasoning_content="hm", tool_calls=[{"id": "c", "function": {"name": "f", "arguments": "{}"}}])
    body["usage"] |= {
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 1},
        "cost": 0.25,
    }
    reply, _ = sent(http(200, body))
    assert (reply.text, reply.reasoning, reply.model, reply.cost) == ("Paris", "hm", "m", 0.25)
    assert (reply.finish, reply.tool_calls) == ("tool_calls", (ToolCall("c", "f", "{}"),))
    assert reply.usage == Usage(input=3, output=2, cached=2, reasoning=1)


def test_a_streamed_answer_gives_the_same_and_each_piece_as_it_comes():
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    reply, facts = streamed(
        piece(role="assistant", content=""),
        piece(reasoning="hm"),
        piece(content="Pa"),
        piece(content="ris"),
        piece("stop"),
        usage,
    )
    assert (reply.text, reply.reasoning, reply.finish, reply.usage) == ("Paris", "hm", "stop", Usage(3, 2))
    assert told(facts) == [Delta("hm", "reasoning", final=True), Delta("Paris", final=True)]


def test_what_comes_in_one_piece_is_told_at_once_and_before_the_failure_behind_it():
    spoken = [events(piece(content=word)) for word in ("Pa", "ris", " is")]

    async def fed(*pieces):
        facts = []
        with pytest.raises(Overloaded):
            await Remote(custom("host", "http://x/v1"), Pieces(*pieces)).send(
                asked(), Scope(facts.append, want_deltas=True)
            )
        return facts

    failed = events({"error": {"message": "no more", "code": 503}})
    assert asyncio.run(fed(spoken[0], spoken[1], spoken[2] + failed)) == [Delta("Pa"), Delta("ris"), Delta(" is")]
    assert asyncio.run(fed(b"".join(spoken) + failed)) == [Delta("Paris is")]


def test_tool_calls_come_in_fragments_and_are_put_together():
    def fragment(index, arguments="", **more):
        return piece(
            tool_calls=[{"index": index, "function": {"arguments": arguments} | more.pop("function", {})} | more]
        )

    reply, facts = streamed(
        fragment(0, id="a", function={"name": "f"}),
        fragment(1, id="b", function={"name": "g"}),
        fragment(0, '{"x"'),
        fragment(1, "{}"),
        fragment(0, ":1}"),
        piece("tool_calls"),
    )
    assert reply.tool_calls == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"))
    assert [(fact.index, fact.id, fact.name, fact.text) for fact in facts][:3] == [
        (0, "a", "f", ""),
        (1, "b", "g", ""),
        (0, "", "", '{"x"'),
    ]


def test_tool_calls_that_all_carry_number_0_or_none_are_told_apart_by_id():
    for index in ({"index": 0}, {}):
        calls = [index | {"id": name, "function": {"name": name, "arguments": {"n": 1}}} for name in "ab"]
        reply, _ = streamed(piece("stop", tool_calls=calls))
        assert reply.tool_calls == (ToolCall("a", "a", '{"n":1}'), ToolCall("b", "b", '{"n":1}'))
        assert reply.finish == "tool_calls"


def test_fragments_without_a_number_that_repeat_their_id_are_of_one_call():
    def fragment(call, arguments):
        return piece(tool_calls=[{"id": call, "function": {"name": "f", "arguments": arguments}}])

    pieces = (fragment("a", '{"x":'), fragment("b", "{"), fragment("a", "1}"), fragment("b", "}"))
    reply, facts = streamed(*pieces, piece("tool_calls"))
    assert reply.tool_calls == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "f", "{}"))
    assert [fact.index for fact in facts] == [0, 1, 0, 1]


def test_whole_tool_calls_with_one_number_and_one_id_are_not_run_together():
    calls = [{"index": 0, "id": "a", "function": {"name": "f", "arguments": arguments}} for arguments in ("{}", "[]")]
    reply, _ = sent(http(200, said(None, tool_calls=calls)))
    assert [call.arguments for call in reply.tool_calls] == ["{}", "[]"]


@pytest.mark.parametrize("value", ["null", "-Infinity", "NaN", "-1e999", "-10000"])
def test_a_likelihood_that_a_host_leaves_out_is_the_least_there_is(value):
    likely = {"content": [{"token": "A", "logprob": 0.5, "top_logprobs": [{"token": None, "logprob": 0.5}]}]}
    body = said("A")
    body["choices"][0]["logprobs"] = likely
    reply, _ = sent(http(200, json.dumps(body).replace("0.5", value)))
    assert reply.text == "A"
    assert reply.logprobs == (Logprob("A", -9999.0, ("",), (-9999.0,)),)


def test_a_host_that_answers_whole_though_asked_to_stream_is_understood():
    facts = []
    reply, _ = sent(http(200, said("Paris")), scope=Scope(facts.append, want_deltas=True))
    assert reply.text == "Paris"
    assert facts == [Delta("Paris")]


def test_content_in_pieces_is_text_and_reasoning():
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Paris"}]
    reply, _ = sent(http(200, said(None) | {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}))
    assert (reply.text, reply.reasoning) == ("Paris", "hm")


@pytest.mark.parametrize(
    ("reason", "finish", "notes"),
    [
        ("stop", "stop", 0),
        ("length", "length", 0),
        ("content_filter", "content_filter", 0),
        ("eos", "stop", 0),
        ("model_length", "length", 0),
        (None, "stop", 1),
        ("moonrise", "stop", 1),
    ],
)
def test_finish_reasons_are_mapped_and_unknown_ones_noted(reason, finish, notes):
    reply, _ = sent(http(200, said("x", reason)))
    assert (reply.finish, len(reply.notes)) == (finish, notes)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_reasoning_alone_is_a_blank_reply_with_its_reasoning(text):
    reply, _ = sent(http(200, said(text, reasoning_content="thinking …")))
    assert reply.blank
    assert reply.reasoning == "thinking …"


def test_a_refusal_is_no_answer():
    error, _ = sent(http(200, said(None, refusal="I cannot help with that.")))
    assert isinstance(error, Refused)
    assert "I cannot help" in str(error)
    error, _ = sent(http(200, said(None, "content_filter")))
    assert isinstance(error, Refused)


def test_of_counts_that_come_in_a_stream_the_last_ones_hold():
    """F30."""
    counts = [{"prompt_tokens": 3, "completion_tokens": made} for made in (0, 1, 2)]
    running = [piece(content="Pa") | {"usage": counts[0]}, piece("stop", content="ris") | {"usage": counts[1]}]
    reply, _ = streamed(*running, {"choices": [], "usage": counts[2]})
    assert (reply.text, reply.usage) == ("Paris", Usage(3, 2))
    odd, facts = streamed(*running, {"choices": [], "usage": {"prompt_tokens": -3, "completion_tokens": 1e12}})
    assert odd.usage.estimated
    assert [fact.reason for fact in facts if isinstance(fact, Noted)] == ["usage"]


@pytest.mark.parametrize("counts", [{}, {"prompt_tokens": None}, {"prompt_tokens": -5}, {"prompt_tokens": 1e300}])
def test_usage_that_is_missing_or_absurd_is_estimated_and_flagged(counts):
    reply, _ = sent(http(200, said("x") | {"usage": counts}))
    assert reply.usage.estimated
    assert 0 < reply.usage.input < 20
    assert reply.usage.output == 1


@pytest.mark.parametrize(("cost", "told"), [(0.25, 0.25), (0, 0.0), (-500, None), (1e300, None)])
def test_a_cost_that_no_call_can_have_is_none(cost, told):
    reply, _ = sent(http(200, said("x") | {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": cost}}))
    assert reply.cost == told


def test_a_refusal_says_what_it_has_used():
    error, _ = sent(http(200, said(None, refusal="no") | {"usage": {"prompt_tokens": 7, "completion_tokens": 3}}))
    assert error.usage == Usage(7, 3)


def test_input_that_a_host_moderates_is_refused_and_says_nothing_of_the_key():
    error, _ = sent(http(403, {"error": {"message": "this model requires moderation and your input was flagged"}}))
    assert isinstance(error, Refused)


def test_an_answer_whose_host_breaks_off_after_its_end_is_whole():
    body = events(said("whole", "stop"), "[DONE]")
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99999\r\n\r\n"
    reply, _ = sent(head + body, scope=Scope(want_deltas=True))
    assert reply.text == "whole"


def test_an_explicit_0_is_0():
    reply, _ = sent(http(200, said("x") | {"usage": {"prompt_tokens": 0, "completion_tokens": 0}}))
    assert reply.usage == Usage()


def test_only_the_first_of_several_choices_counts():
    choices = [
        {"index": n, "message": {"content": text}, "finish_reason": "stop"} for n, text in ((1, "second"), (0, "first"))
    ]
    reply, _ = sent(http(200, said("") | {"choices": choices}))
    assert reply.text == "first"


# --- faults of the answer


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        '{"choices": []}',
        '{"choices": null}',
        "<html><title>Hi</title></html>",
        "[]",
        "null",
        '{"choices": "x"}',
        '{"choices": [{"message": 5}]}',
        '{"choices": [{"message": {"content": 5}}]}',
        '{"choices": [',
        b"\xff\xfe",
        "[" * 100_000,
        '{"error": ' + "[" * 100_000,
    ],
)
def test_what_is_no_completion_is_a_bad_reply(body):
    error, _ = sent(http(200, body))
    assert isinstance(error, BadReply), error
    assert len(str(error)) < 400
    assert "\n" not in str(error)


def test_an_answer_shorter_than_announced_is_cut():
    """F13."""
    error, _ = sent(http(200, said("Paris"), content_length="5000"))
    assert isinstance(error, Cut)


def test_a_cut_stream_is_an_error_not_an_end():
    error, facts = streamed(piece(content="The capital "), piece(content="is"), end="")
    assert isinstance(error, Cut)
    assert error.partial == "The capital is"
    assert error.retryable
    assert told(facts) == [Delta("The capital is", final=True)]


def test_a_stream_that_said_why_it_stopped_needs_no_done():
    reply, _ = streamed(piece(content="Paris"), piece("stop"), end="")
    assert reply.text == "Paris"


def test_a_stream_is_known_by_its_type_and_its_end_whatever_their_case_and_spaces():
    head = STREAM_HEAD.replace(b"text/event-stream", b"Text/Event-Stream")
    reply, _ = sent(head + events(piece(content="Paris"), "[DONE] "), scope=Scope(want_deltas=True))
    assert reply.text == "Paris"


def test_a_stream_that_only_says_done_is_whole_and_noted():
    reply, _ = streamed(piece(content="Paris"))
    assert (reply.text, reply.finish, len(reply.notes)) == ("Paris", "stop", 1)


def test_a_connection_reset_in_a_stream_is_cut_with_what_had_come():
    async def reset(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        data = events(piece(content="half"))
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    error, _ = sent(reset, scope=Scope(want_deltas=True))
    assert isinstance(error, Cut)
    assert error.partial == "half"


@pytest.mark.parametrize(
    ("inside", "kind"),
    [
        ({"message": "slow down", "code": 429}, "RateLimited"),
        ({"message": "m", "code": "rate_limit_exceeded"}, "RateLimited"),
        ({"message": "m", "type": "overloaded_error"}, "Overloaded"),
        ({"message": "m", "type": "server_error"}, "Overloaded"),
        ({"message": "m", "code": "insufficient_quota"}, "OutOfCredit"),
        ({"message": "m", "type": "invalid_request_error"}, "BadRequest"),
        ({"message": "m", "code": 402}, "OutOfCredit"),
        ("just words", "Overloaded"),
        ({"message": "m", "code": "context_length_exceeded"}, "TooLong"),
    ],
)
def test_an_error_inside_a_200_or_a_stream_is_that_error(inside, kind):
    whole, _ = sent(http(200, {"error": inside}))
    part, _ = streamed(piece(content="so far"), {"error": inside})
    choice, _ = streamed({"choices": [{"delta": {}, "error": inside, "finish_reason": "error"}]})
    assert [error.kind for error in (whole, part, choice)] == [kind] * 3
    assert part.partial == "so far"


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ('event: error\ndata: {"message": "m", "type": "overloaded_error"}', "Overloaded"),
        ('event: error\ndata: {"message": "m", "code": 402}', "OutOfCredit"),
        ('event: error\ndata: {"error": {"message": "m", "code": 429}}', "RateLimited"),
        ("event: error\ndata: m", "Overloaded"),
        ("event: error\ndata: {}", "Overloaded"),
        ('data: {"object": "error", "message": "m", "code": 400}', "BadRequest"),
        ('data: {"detail": "m"}', "Overloaded"),
    ],
)
def test_an_error_event_ends_a_stream_however_it_is_written(event, kind):
    error, _ = sent(
        STREAM_HEAD + events(piece(content="so far")) + f"{event}\n\ndata: [DONE]\n\n".encode(),
        scope=Scope(want_deltas=True),
    )
    assert (error.kind, error.partial) == (kind, "so far")


def test_events_that_say_nothing_of_an_answer_are_passed_over():
    reply, _ = streamed({"type": "ping"}, piece(content="ok"), {"id": "x", "created": 1}, piece("stop"))
    assert reply.text == "ok"


@pytest.mark.parametrize("want_deltas", [False, True])
def test_an_answer_without_end_is_stopped_at_its_limit(monkeypatch, want_deltas):
    monkeypatch.setattr("moa.providers.remote.LIMIT", 200_000)

    async def endless(reader, writer):
        kind = b"text/event-stream" if want_deltas else b"application/json"
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: " + kind + b"\r\nconnection: close\r\n\r\n")
        while not writer.is_closing():
            writer.write(events(piece(content="blah " * 100)))
            await writer.drain()

    error, _ = sent(endless, scope=Scope(want_deltas=want_deltas))
    assert isinstance(error, BadReply)
    assert "200000 bytes" in str(error)


@pytest.mark.parametrize("want_deltas", [False, True])
def test_a_stream_far_beyond_max_tokens_is_cut_and_what_was_said_is_kept(want_deltas):
    """F14."""
    tokens = [piece(content="blah " * 100)] * 30  # 15,000 characters
    error, _ = sent(STREAM_HEAD + events(*tokens), request=asked(max_tokens=64), scope=Scope(want_deltas=want_deltas))
    assert isinstance(error, BadReply)
    assert "max_tokens = 64" in str(error)
    assert 5_000 < len(error.partial) < 6_000
    reply, _ = sent(STREAM_HEAD + events(*tokens, "[DONE]"), scope=Scope(want_deltas=want_deltas))
    assert len(reply.text) == 15_000


# --- faults of the host


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"message": "no"}, "BadRequest"),
        (404, {"message": "no such model"}, "BadRequest"),
        (422, {"message": "no"}, "BadRequest"),
        (400, {"message": "m", "code": "context_length_exceeded"}, "TooLong"),
        (400, {"message": "exceeds the available context size"}, "TooLong"),
        (400, {"message": "This model's maximum context length is 8192 tokens"}, "TooLong"),
        (413, {"message": "m"}, "TooLong"),
        (401, {"message": f"bad key {KEY}"}, "AuthFailed"),
        (403, {"message": "m"}, "AuthFailed"),
        (402, {"message": "m"}, "OutOfCredit"),
        (429, {"message": "m", "type": "insufficient_quota"}, "OutOfCredit"),
        (429, {"message": "m", "code": "insufficient_quota"}, "OutOfCredit"),
        (429, {"message": "m", "details": {"error_code": "enforced_spend_limit_reached"}}, "OutOfCredit"),
        (429, {"message": "m"}, "RateLimited"),
        (408, {"message": "m"}, "TimedOut"),
        (504, {"message": "m"}, "TimedOut"),
        (500, {"message": "m"}, "Overloaded"),
        (503, {"message": "m"}, "Overloaded"),
        (529, {"message": "m"}, "Overloaded"),
        (400, {"message": "m", "code": "content_policy_violation"}, "Refused"),
        (409, {"message": "m"}, "BadRequest"),
    ],
)
def test_each_http_error_is_its_own(status, error, kind):
    for want_deltas in (False, True):
        got, server = sent(http(status, {"error": error}, x_request_id="r1"), scope=Scope(want_deltas=want_deltas))
        assert (got.kind, got.http_status, got.provider, got.model, got.request_id) == (
            kind,
            status,
            "host",
            "m:8b",
            "r1",
        )
        assert len(server.heads) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": "plain words"}', "plain words"),
        ('{"message": "on top"}', "on top"),
        ('{"detail": [{"msg": "deep"}]}', "deep"),
        ('[{"error": {"message": "in a list"}}]', "in a list"),
        ("<html><title>502 Bad\n Gateway</title>", "502 Bad Gateway"),
        ("<html><p>x", "an HTML page"),
        ("upstream down", "upstream down"),
        ("", "no reason given"),
        ('{"error": {"message": "' + "x" * 5000 + '"}}', "xxx"),
        ("[" * 100_000, "[[["),
    ],
)
def test_the_hosts_own_words_are_kept_short(body, words):
    error, _ = sent(http(500, body))
    assert words in str(error)
    assert len(str(error)) < 400
    assert "\n" not in str(error)


QUOTA = {"error": {"message": "m", "code": "insufficient_quota"}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(402, QUOTA, "OutOfCredit"), (401, QUOTA | {"error": "m"}, "AuthFailed"), (429, {"error": {"message": "m"}}, "RateLimited"),
     (429, QUOTA, "OutOfCredit"), (429, "", "RateLimited"), (503, "<html>", "Overloaded"), (400, {"error": "m"}, "BadRequest")],
)  # fmt: skip
def test_an_error_whose_body_is_cut_short_keeps_the_meaning_of_its_status(status, body, kind):
    cut = http(status, body, retry_after="7", x_request_id="r1")
    whole = len(cut.partition(b"\r\n\r\n")[2])
    error, _ = sent(cut.replace(b"content-length: %d" % whole, b"content-length: 5000").removesuffix(b"}"))
    assert (error.kind, error.http_status, error.retry_after, error.request_id) == (kind, status, 7.0, "r1")
    assert str(error).startswith(
        f"host:m:8b: {'m' if isinstance(body, dict) else 'no reason given' if not body else 'an HTML'}"
    )


def test_an_error_whose_body_stalls_is_told_before_the_deadline(monkeypatch):
    monkeypatch.setattr("moa.providers._http.FAILURE_SECONDS", 0.05)

    async def stalls(reader, writer):
        writer.write(http(429, {"error": {"message": "slow down"}}, retry_after="7", content_length="5000"))
        await reader.read()

    error, _ = sent(stalls, deadline=60)
    assert (error.kind, error.retry_after, "slow down" in str(error)) == ("RateLimited", 7.0, True)


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "2"}, 2.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": DATE}, 30.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": DATE}, 0.0),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:30 GMT"}, 0.0),
        ({"retry_after": "Wed Oct 21 07:28:30 2026", "date": DATE}, 30.0),
        ({"retry_after": "Wed Oct 21 07:28:30 2026", "date": "Wed Oct 21 07:28:00 2026"}, 30.0),
        ({"retry_after": "Wednesday, 21-Oct-26 07:28:30 GMT", "date": DATE}, 30.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 -0000", "date": DATE}, 30.0),
        ({"retry_after": "Wed Oct 21 07:28:30 2015"}, 0.0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "1e400"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after_ms": "inf", "retry_after": "4"}, 4.0),
        ({}, None),
        ({"retry_after": "Wed, 99 Oct 2026 07:28:30 GMT", "date": DATE}, None),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 +99999999999999999999", "date": DATE}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_a_host_asks_for_is_read_and_nonsense_is_not(status, headers, seconds):
    error, _ = sent(http(status, {"error": {"message": "m"}}, **headers))
    assert error.retry_after == seconds


UNSUPPORTED = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)
NO_SUCH = "max_completion_tokens: Extra inputs are not permitted"


def asked_in_turn(*answers, host="max_tokens", at_once=1, **settings):
    """Ask one model as often as there are answers: whether each error is mended, what was told, how the limit was named."""

    async def main():
        transport, facts, mended = Aiohttp(), [], []
        async with upstream(*answers) as server:
            provider = Remote(replace(custom("host", server.url), max_tokens=host), transport, KEY)

            async def one():
                try:
                    await provider.send(asked(**settings), Scope(facts.append))
                except BadRequest as error:
                    mended.append(error.mended)

            for _ in range(0, len(answers), at_once):
                await asyncio.gather(*(one() for _ in range(at_once)))
        await transport.aclose()
        return mended, facts, [next((name for name in body if name.startswith("max")), "") for body in server.asked]

    return asyncio.run(main())


def refused(words, param=None):
    return http(400, {"error": {"message": words, "param": param}})


@pytest.mark.parametrize(
    ("words", "param"),
    [
        (UNSUPPORTED, None),
        (UNSUPPORTED, "max_tokens"),
        ("max_tokens: Extra inputs are not permitted", None),
        ("Unrecognized request argument supplied: max_tokens", None),
        ("max_tokens is not supported with this model", None),
        ("`max_tokens` not permitted", None),
        ("Please use 'max_completion_tokens' in place of max_tokens", None),
    ],
)
def test_a_model_that_wants_the_other_name_of_max_tokens_gets_it_from_then_on(words, param):
    told = [Noted("learnt", "host:m:8b takes max_completion_tokens in place of max_tokens")]
    names = ["max_tokens", "max_completion_tokens", "max_completion_tokens"]
    fine = http(200, said("ok"))
    assert asked_in_turn(refused(words, param), fine, fine, max_tokens=7) == ([True], told, names)


def test_a_model_that_wants_max_tokens_gets_it_from_then_on():
    _, _, names = asked_in_turn(refused(NO_SUCH), http(200, said("ok")), host="max_completion_tokens", max_tokens=7)
    assert names == ["max_completion_tokens", "max_tokens"]


def test_all_calls_under_way_are_mended_by_what_the_first_has_learnt():
    mended, told, _ = asked_in_turn(*[refused(UNSUPPORTED)] * 4, at_once=4, max_tokens=7)
    assert (mended, len(told)) == ([True] * 4, 1)


def test_a_model_that_refuses_both_names_is_sent_its_host_s_own_again():
    answers = (refused(UNSUPPORTED), refused(NO_SUCH), refused(UNSUPPORTED), http(200, said("ok")))
    mended, _, names = asked_in_turn(*answers, max_tokens=7)
    assert mended == [True, False, False]
    assert names == ["max_tokens", "max_completion_tokens", "max_tokens", "max_tokens"]


@pytest.mark.parametrize(
    ("words", "param", "settings"),
    [
        ("max_tokens is too large: 7. This model supports at most 5 completion tokens", None, {"max_tokens": 7}),
        ("max_tokens above 4096 is not supported for this model", None, {"max_tokens": 7}),
        (
            "'max_tokens' or 'max_completion_tokens' is too large: the maximum context length is 5",
            None,
            {"max_tokens": 7},
        ),
        ("Unsupported parameter: 'seed'", None, {"max_tokens": 7}),
        (UNSUPPORTED, "seed", {"max_tokens": 7}),
        (UNSUPPORTED, None, {}),
    ],
)
def test_a_complaint_about_something_else_renames_nothing(words, param, settings):
    assert asked_in_turn(refused(words, param), **settings)[:2] == ([False], [])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status):
    """F17."""

    async def main():
        transport = Aiohttp()
        async with (
            upstream(http(200, said("stolen"))) as other,
            upstream(http(status, "", location=other.url + "/chat/completions")) as server,
        ):
            with pytest.raises(BadReply, match="redirects"):
                await Remote(custom("host", server.url), transport, KEY).send(asked(), Scope())
            assert other.heads == []
        await transport.aclose()

    asyncio.run(main())


def test_a_host_that_is_not_there_is_unreachable():
    async def main():
        transport = Aiohttp()
        async with upstream(b"") as server:
            url = server.url
        with pytest.raises(Unreachable, match="host:m:8b"):
            await Remote(custom("host", url), transport, KEY).send(asked(), Scope())
        await transport.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_a_host_that_speaks_no_http_is_an_error_of_ours(answer):
    error, _ = sent(answer)
    assert isinstance(error, (Cut, BadReply))


def test_a_host_that_never_answers_is_timed_out_at_the_deadline():
    async def never(reader, writer):
        await reader.read()

    error, _ = sent(never, deadline=0.05)
    assert isinstance(error, TimedOut)
    assert "deadline" in str(error)


def test_a_stream_that_stalls_is_timed_out_with_what_had_come():
    async def stalls(reader, writer):
        writer.write(STREAM_HEAD + events(piece(content="half")))
        await reader.read()

    async def main():
        transport = Aiohttp()
        async with upstream(stalls) as server:
            scope = Scope(want_deltas=True, deadline=asyncio.get_running_loop().time() + 0.2)
            with pytest.raises(TimedOut) as caught:
                await Remote(custom("host", server.url), transport, KEY).send(asked(), scope)
            assert caught.value.partial == "half"
        await transport.aclose()

    asyncio.run(main())


def test_cancelling_closes_the_connection_to_the_host():
    """F21."""

    async def main():
        begun, closed = asyncio.Event(), asyncio.Event()

        async def stalls(reader, writer):
            writer.write(STREAM_HEAD)
            begun.set()
            await reader.read()
            closed.set()

        transport = Aiohttp()
        async with upstream(stalls) as server:
            task = asyncio.create_task(
                Remote(custom("host", server.url), transport, KEY).send(asked(), Scope(want_deltas=True))
            )
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await closed.wait()
        await transport.aclose()

    asyncio.run(main())


# --- the key


def test_the_key_is_in_no_error_and_no_repr():
    echoes = [
        http(401, {"error": {"message": f"wrong key: {KEY}"}}),
        http(200, f"<p>{KEY}</p>"),
        http(500, KEY),
        http(200, {"error": KEY}),
    ]
    for echo in echoes:
        error, _ = sent(echo)
        assert KEY not in str(error)
        assert KEY not in repr(error)
    assert KEY not in repr(Remote(HOSTS["openai"], Aiohttp(), KEY))


@pytest.mark.parametrize("key", ["sk-1\r\nX-Evil: 1", "schlüssel", "a\x00b"])
def test_a_key_no_header_can_hold_is_a_config_error_that_does_not_show_it(key):
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as caught:
        Remote(HOSTS["openai"], Aiohttp(), key)
    assert key not in str(caught.value)


# --- one stream, cut everywhere

RECORDED = (
    b"\xef\xbb\xbf: a comment\r\n\r\n"
    + events(piece(role="assistant"), piece(reasoning_content="hm \u2026")).replace(b"\n", b"\r\n")
    + events(piece(content="Pa\u0301r"), piece(content="is \U0001f5fc")).replace(b"\n", b"\r")
    + b"event: message\nid: 5\nretry: 10\n"
    + b'data: {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c",\n'
    + b'data:  "function": {"name": "f", "arguments": "{}"}}]}}]}\n\n'
    + events(piece("stop"), {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}, "[DONE]")
)


def test_a_stream_gives_the_same_reply_wherever_it_is_cut_into_pieces():
    async def fed(*pieces):
        facts = []
        scope = Scope(facts.append, want_deltas=True)
        reply = await Remote(custom("host", "http://x/v1"), Pieces(*pieces)).send(asked(), scope)
        return reply, told(facts)

    async def main():
        whole, facts = await fed(RECORDED)
        assert (whole.text, whole.reasoning, whole.usage) == ("Pa\u0301ris \U0001f5fc", "hm \u2026", Usage(3, 2))
        assert whole.tool_calls == (ToolCall("c", "f", "{}"),)
        for at in range(1, len(RECORDED)):
            assert await fed(RECORDED[:at], RECORDED[at:]) == (whole, facts)
        assert await fed(*(RECORDED[at : at + 1] for at in range(len(RECORDED)))) == (whole, facts)

    asyncio.run(main())


def test_the_same_stream_over_a_socket_gives_the_same_reply():
    async def slowly(reader, writer):
        writer.write(STREAM_HEAD)
        for at in range(0, len(RECORDED), 100):
            writer.write(RECORDED[at : at + 100])
            await writer.drain()
            await asyncio.sleep(0)

    reply, _ = sent(slowly, scope=Scope(want_deltas=True))
    assert (reply.text, reply.reasoning, reply.usage) == ("Pa\u0301ris \U0001f5fc", "hm \u2026", Usage(3, 2))


# --- the list of models


def test_the_models_of_a_host_are_listed():
    async def main():
        transport = Aiohttp()
        async with upstream(
            http(200, {"data": [{"id": "b"}, {"id": "a", "owned_by": "x"}]}), http(200, "<html>"), http(401, {})
        ) as server:
            provider = Remote(custom("host", server.url), transport, KEY)
            assert await provider.models() == ("a", "b")
            with pytest.raises(BadReply):
                await provider.models()
            with pytest.raises(errors.AuthFailed):
                await provider.models()
            assert server.heads[0].startswith("GET /v1/models HTTP/1.1")
        await transport.aclose()

    asyncio.run(main())


def test_llama_cpps_own_server_is_understood(served):
    async def main():
        transport = Aiohttp()
        provider = Remote(served.host, transport, served.key)
        assert len(await provider.models()) == 1
        with pytest.raises(errors.AuthFailed, match="llamacpp"):
            await Remote(served.host, transport, "wrong-key").send(asked(max_tokens=2), Scope())
        with pytest.raises(ProviderError, match="image input is not supported"):
            await provider.send(asked(user("hi", Image("data:image/png;base64,AAAA"))), Scope())
        await transport.aclose()

    asyncio.run(main())


@pytest.mark.parametrize(("delay", "seconds"), [("34s", 34.0), ("1.5s", 1.5), ("soon", None), (7, None)])
def test_googles_way_to_ask_for_a_wait_is_understood(delay, seconds):
    detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    error, _ = sent(http(429, {"error": {"code": 429, "message": "quota", "details": [detail]}}))
    assert error.retry_after == seconds


# --- hosts that are lax


def lasting(*parts: bytes, head: bytes = STREAM_HEAD):
    """An answer whose connection stays open behind it."""

    async def answer(reader, writer):
        writer.write(head + b"".join(parts))
        await writer.drain()
        with pytest.raises(asyncio.IncompleteReadError):
            await reader.readexactly(1)  # until the client goes

    return answer


def test_an_answer_whose_host_says_why_it_stopped_is_whole_though_the_connection_stays_open(monkeypatch):
    monkeypatch.setattr("moa.providers.remote.AFTERWARDS", 0.05)
    facts = []
    reply, _ = sent(lasting(events(piece(content="four"), piece("stop"))), scope=Scope(facts.append, want_deltas=True))
    assert (reply.text, reply.finish, reply.usage.estimated) == ("four", "stop", True)


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/octet-stream"])
def test_a_stream_is_read_whatever_its_host_calls_it(kind):
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode()
    for parts in ([b": hello\n\n"], [b"event: x\n", b"\n"], []):
        body = b"".join(parts) + events(piece(content="four"), piece("stop"), "[DONE]")
        facts = []
        reply, _ = sent(head + body, scope=Scope(facts.append, want_deltas=True))
        assert (reply.text, [fact.text for fact in told(facts)]) == ("four", ["four"])


def test_stream_options_are_not_sent_again_where_they_were_refused():
    async def main():
        transport, facts = Aiohttp(), []
        answer = STREAM_HEAD + events(piece(content="ok"), piece("stop"), "[DONE]")
        no = refused("Extra inputs are not permitted: stream_options")
        async with upstream(no, answer) as server:
            provider = Remote(custom("host", server.url), transport, KEY)
            scope = Scope(facts.append, want_deltas=True)
            with pytest.raises(BadRequest) as caught:
                await provider.send(asked(), scope)
            assert caught.value.mended
            assert [(await provider.send(asked(), scope)).text for _ in range(2)] == ["ok", "ok"]
            assert ["stream_options" in body for body in server.asked] == [True, False, False]
        await transport.aclose()
        return [fact.detail for fact in facts if isinstance(fact, Noted)]

    assert asyncio.run(main()) == ["host:m:8b refuses stream_options: it is not sent to it again"]


def test_fewer_answers_than_were_asked_for_are_noted():
    call = Call("host:m", (user("hi"),), form=Form(choices=3))
    reply, _ = sent(http(200, said("one")), request=Request(call, call.conversation))
    assert reply.notes == ("m gave 2 answers fewer than it was asked for",)


def test_an_answer_that_cannot_be_read_has_been_made_and_is_billed():
    error, _ = sent(http(200, json.dumps(said("word " * 400))[:-40]))
    assert isinstance(error, BadReply)
    assert error.usage.output > 400
    error, _ = sent(http(200, "<html>a page of somebody else</html>"))
    assert error.usage is None


def test_with_a_key_of_ones_own_the_maker_s_price_counts():
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "cost": 0.01, "is_byok": True}
    body = said("ok") | {"usage": usage | {"cost_details": {"upstream_inference_cost": 0.5}}}
    assert sent(http(200, body))[0].cost == pytest.approx(0.51)
    assert sent(http(200, body | {"usage": body["usage"] | {"is_byok": False}}))[0].cost == pytest.approx(0.01)


def test_a_signature_of_gemini_s_goes_to_no_other_wire():
    made = ToolCall("call_0~c2lnbmVk" * 9, "see", "{}")
    messages = (user("hi"), assistant(made), Message("tool", (ToolResult(made.id, "one"),)))
    for wire in (Chat(), Responses(), Messages()):
        body = json.dumps(wire.body(asked(*messages), Host("host", ""), stream=False))
        assert "~" not in body
        assert body.count("call_0_") == 2
