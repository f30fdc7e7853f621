"""A GGUF in process."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from moa.core.errors import BadReply, BadRequest, ConfigError, TimedOut, TooLong
from moa.core.form import Form
from moa.core.ports import Scope
from moa.core.types import Call, Image, Message, Reply, Request, Sampling, ToolCall, ToolResult, assistant, system, user
from moa.providers import gguf as files
from moa.providers._http import Aiohttp
from moa.providers.local import Local, _Asked
from moa.providers.remote import Remote

LONG = {"max_tokens": 1500, "temperature": 0.0}


def asked(*messages: Message, **settings) -> Request:
    call = Call(
        "local:p1",
        messages or (user("What is 12 + 30?"),),
        sampling=Sampling(**{"temperature": 0.0, "max_tokens": 24} | settings),
    )
    return Request(call, call.conversation)


def answered(provider: Local, request: Request, scope: Scope | None = None) -> Reply:
    return asyncio.run(provider.send(request, scope or Scope()))


def test_a_reply_says_what_it_used_and_why_it_stopped(gguf):
    provider = Local(gguf)
    reply = answered(provider, asked(max_tokens=2))
    assert reply.usage.output == 2
    assert reply.usage.input > 2
    assert reply.finish == "length"


def test_all_of_several_answers_are_counted(gguf):
    """llama.cpp counts the first alone."""
    alone, call = answered(Local(gguf), asked()), asked().call
    reply = answered(Local(gguf), Request(replace(call, form=Form(choices=3)), call.conversation))
    assert len(reply.others) == 2
    assert reply.usage.output >= alone.usage.output + 2
    assert reply.usage.estimated
    assert reply.usage.input == alone.usage.input


def test_one_model_serves_many_event_loops(gguf):
    provider = Local(gguf)
    assert answered(provider, asked()).text == answered(provider, asked()).text


def test_a_seed_draws_the_same_again_and_another_seed_something_else(gguf):
    provider = Local(gguf)
    # some of these every model is unsure of, whatever it was trained on
    turns = [
        user(text)
        for text in ("Sort 31, 4, 15, 9, 22.", "Spell banana backwards.", "What is the capital of Peru?", "?!")
    ]
    settings = {"temperature": 5.0, "max_tokens": 40}
    texts = [[answered(provider, asked(turn, **settings, seed=seed)).text for turn in turns] for seed in (1, 1, 2)]
    assert texts[0] == texts[1]
    assert texts[1] != texts[2]


@pytest.mark.parametrize(
    "settings", [{"temperature": 0.0}, {"temperature": 1.0, "seed": 11}, {"temperature": 0.7, "top_p": 0.9, "seed": 5}]
)
@pytest.mark.parametrize(
    "messages",
    [
        (user("What is 12 + 30?"),),
        (
            system("Be short."),
            user("What is 12 + 30?", "\n\nResponse 1:\n> 42"),
        ),
        (user("Spell orange."), assistant("o r a n g e"), user("Backwards.")),
    ],
    ids=["one turn", "parts", "three turns"],
)
def test_in_process_and_over_http_the_same_request_gives_the_same_text(gguf, served, messages, settings):
    async def over_http(request: Request, scope: Scope) -> Reply:
        transport = Aiohttp()
        try:
            return await Remote(served.host, transport, served.key).send(request, scope)
        finally:
            await transport.aclose()

    request = asked(*messages, **settings, max_tokens=40)
    inside = answered(Local(gguf), request)
    for want_deltas in (False, True):
        outside = asyncio.run(over_http(request, Scope(want_deltas=want_deltas)))
        assert (outside.text, outside.finish, outside.usage) == (inside.text, inside.finish, inside.usage)


LISTENS = """
import asyncio, os, sys
from pathlib import Path
from moa.core.ports import Scope
from moa.core.types import Call, Request, Sampling, user
from moa.providers.local import Local

call = Call("local:p1", (user("hi"),), sampling=Sampling(max_tokens=3, temperature=0.0))
local = Local(Path(sys.argv[1]))
asyncio.run(local.send(Request(call, call.conversation), Scope()))
links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
mine = {os.readlink(link)[8:-1] for link in links if os.path.lexists(link)}
tcp = [row.split() for name in ("tcp", "tcp6", "udp", "udp6") for row in open(f"/proc/net/{name}")]
assert not [row for row in tcp if row[9] in mine], "a port is open"
unix = [row.split() for row in open("/proc/net/unix")]
paths = [row[7] for row in unix if row[6] in mine and len(row) > 7]
assert paths and not [path for path in paths if os.path.exists(path)], paths
"""


def test_it_opens_no_port_and_leaves_no_socket_to_strangers(gguf):
    if not Path("/proc/net/tcp6").exists():
        pytest.skip("reads /proc/net")
    done = subprocess.run(
        [sys.executable, "-c", LISTENS, str(gguf)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")  # llama.cpp is silent


def test_a_call_past_its_deadline_is_timed_out_and_stops(gguf):
    async def main():
        provider = Local(gguf)
        await provider.send(asked(), Scope())
        with pytest.raises(TimedOut):
            await provider.send(asked(**LONG), Scope(deadline=asyncio.get_running_loop().time()))
        assert (await provider.send(asked(), Scope())).text

    asyncio.run(main())


def test_a_cancelled_answer_says_nothing_more(gguf):
    async def main():
        heard, begun = [], asyncio.Event()

        def emit(fact):
            heard.append(fact)
            begun.set()

        provider = Local(gguf)
        task = asyncio.create_task(provider.send(asked(user("Tell me"), **LONG), Scope(emit, want_deltas=True)))
        waiting = asyncio.create_task(begun.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)
        known = len(heard)
        assert (await provider.send(asked(), Scope())).text
        assert len(heard) == known

    asyncio.run(main())


def test_more_calls_than_slots_are_all_answered(gguf):
    async def main():
        provider = Local(gguf, slots=2)
        replies = await asyncio.gather(*(provider.send(asked(user(f"What is {n} + 1?")), Scope()) for n in range(40)))
        assert all(reply.text for reply in replies)

    asyncio.run(main())


def test_each_slot_has_the_whole_context(gguf):
    # llama.cpp divides n_ctx by the slots: each of 4 slots of 512 tokens must take a request of 300 and more
    words = asked(user("a b c d e f g h i j " * 30), max_tokens=4)
    reply = answered(Local(gguf, slots=4, context=512), words)
    assert 300 < reply.usage.input < 512


def test_no_answer_depends_on_what_was_asked_before(gguf):
    provider = Local(gguf)
    replies = [answered(provider, asked()) for _ in range(3)]
    assert [reply.usage.cached for reply in replies] == [0, 0, 0]


def test_a_stopped_call_stops_llama_cpp_at_its_next_chunk_and_passes_nothing_on():
    async def main():
        heard = []
        call = _Asked(asked(), Scope(heard.append, want_deltas=True), asyncio.get_running_loop())
        chunk = {"choices": [{"index": 0, "delta": {"content": "4"}}]}
        assert call.take(chunk) is False
        call.stopped = True  # before the loop had a turn to pass the first one on
        assert call.take(chunk) is True
        await asyncio.sleep(0)
        return heard

    assert asyncio.run(main()) == []


@pytest.mark.parametrize(
    ("chunk", "error"),
    [({"choices": 5}, BadReply), ({"error": {"code": 400, "type": "exceed_context_size_error"}}, TooLong)],
)
def test_what_goes_wrong_in_the_callback_is_kept_since_llama_cpp_would_swallow_it(chunk, error):
    async def main():
        call = _Asked(asked(), Scope(), asyncio.get_running_loop())
        assert call.take(chunk) is True
        return call.error

    assert isinstance(asyncio.run(main()), error)


def test_a_closed_model_is_loaded_again_when_it_is_asked(gguf):
    provider = Local(gguf)
    text = answered(provider, asked()).text
    provider.close()
    assert answered(provider, asked()).text == text


def test_a_request_llama_cpp_refuses_is_a_bad_request(gguf):
    picture = Request(asked().call, (Message("user", (Image("data:image/png;base64,AAAA"),)),))
    with pytest.raises(BadRequest, match="local:p1"):
        answered(Local(gguf), picture)


def test_tool_traffic_does_not_break_a_model_without_tools(gguf):
    turns = (user("hi"), assistant(ToolCall("1", "f", "{}")), Message("tool", (ToolResult("1", "x"),)), user("well?"))
    assert isinstance(answered(Local(gguf), asked(*turns)), Reply)


def test_a_file_that_is_not_the_pinned_one_is_never_loaded(gguf, tmp_path):
    pinned = hashlib.sha256(gguf.read_bytes()).hexdigest()
    Local(gguf, pinned.upper()).check()
    other = tmp_path / "other.gguf"
    other.write_bytes(gguf.read_bytes()[:-1] + b"x")
    with pytest.raises(ConfigError, match=r"other\.gguf: its SHA-256 is not the pinned one"):
        answered(Local(other, pinned), asked())


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file"), (b"", "it is empty"), (b"<html>", "does not begin with GGUF"), ("half", "cut short")],
    ids=["missing", "empty", "HTML", "half"],
)
def test_a_broken_file_is_a_config_error_that_names_it(gguf, tmp_path, content, words):
    path = tmp_path / "broken.gguf"
    if content == "half":
        content = gguf.read_bytes()[: gguf.stat().st_size // 2]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        answered(Local(path), asked())
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_built_in_model_is_found_by_name_with_its_pin(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "EMBEDDED", tmp_path)
    files._pins.cache_clear()
    (tmp_path / "SHA256SUMS").write_text("AB12  p1.gguf\ncd34 *aggregator.gguf\nee  README.md\n")
    assert files.builtin("p1") == tmp_path / "p1.gguf"
    assert files.builtin_sha256("p1") == "ab12"
    assert files.builtin_sha256("aggregator") == "cd34"
    with pytest.raises(ConfigError, match="did you mean 'aggregator'"):
        files.builtin("agregator")
    files._pins.cache_clear()


def test_the_models_that_ship_are_the_pinned_ones():
    names = sorted(path.stem for path in files.EMBEDDED.glob("*.gguf"))
    for name in names:
        files.check(files.builtin(name), files.builtin_sha256(name))


def test_without_xllamacpp_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(ConfigError, match=r"pip install 'mixture-of-agents\[local\]'"):
        answered(Local(path), asked())
