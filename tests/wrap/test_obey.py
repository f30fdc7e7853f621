"""An agent is held to its own schema: checked, asked once more, and then it has failed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from clock import run
from moa import Agent, Mixture
from moa.config.schema import problem_of
from moa.core.errors import BadReply, BudgetExceeded, Halt
from moa.core.events import Delta, Wasted
from moa.core.flow import Ask
from moa.core.ports import Scope
from moa.core.prompts import REPAIR
from moa.core.types import Call, Conversation, Form, Reply, Request, Usage, user
from moa.providers.fake import Fake, Script
from moa.wrap.obey import Obey

SCHEMA = '{"type": "object", "properties": {"p": {"type": "number"}}, "required": ["p"]}'
BAD, GOOD = '{"p": "high"}', '{"p": 0.5}'


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration but what ships."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def sent(said: Any, call: Call | None = None, **scope: Any) -> tuple[Reply, Fake, list[Any]]:
    facts: list[Any] = []
    fake = Fake({"a": said})
    call = call or Agent("fake:a", schema=SCHEMA).call((user("How likely?"),))
    request = Request(call, call.conversation)
    return run(Obey(fake, problem_of).send(request, Scope(facts.append, **scope))), fake, facts


def test_a_reply_that_obeys_is_passed_on() -> None:
    reply, fake, facts = sent(GOOD)
    assert (reply.text, len(fake.asked), facts) == (GOOD, 1, [])


def test_one_that_does_not_is_asked_for_once_more_with_what_is_wrong() -> None:
    first, second = Script(BAD, usage=Usage(10, 5), cost=0.5), Script(GOOD, usage=Usage(20, 6), cost=0.25)
    reply, fake, _ = sent([first, second])
    assert (reply.text, reply.usage, reply.cost) == (GOOD, Usage(30, 11), 0.75)
    assert reply.notes == ("repaired: fake:a did not obey its schema at first",)
    again = fake.asked[1].messages
    assert [message.role for message in again] == ["user", "assistant", "user"]
    assert again[1].text == BAD
    assert again[2].text == REPAIR.format(problem='at $.p: "high" is not of type "number"')
    assert fake.asked[1].call.key != fake.asked[0].call.key


def test_one_that_never_obeys_has_failed_and_what_it_used_is_counted() -> None:
    facts: list[Any] = []
    fake = Fake({"a": [Script(BAD, usage=Usage(1, 2), cost=0.5), Script("no", usage=Usage(3, 4), cost=0.25)]})
    call = Agent("fake:a", schema=SCHEMA).call((user("How likely?"),))
    with pytest.raises(BadReply, match="fake:a: it does not obey its schema: it is no JSON"):
        run(Obey(fake, problem_of).send(Request(call, call.conversation), Scope(facts.append)))
    assert len(fake.asked) == 2
    assert facts == [Wasted(Usage(3, 4), 0.25), Wasted(Usage(1, 2), 0.5)]


@pytest.mark.parametrize("words", ["ABSTAIN", "null", '{"abstain": true}', '```json\n{"abstain": true}\n```', ""])
def test_who_abstains_or_says_nothing_is_not_asked_again(words: str) -> None:
    reply, fake, _ = sent(words)
    assert (reply.text, len(fake.asked)) == (words, 1)


def test_nothing_is_streamed_before_it_obeys() -> None:
    _, _, facts = sent([BAD, GOOD], want_deltas=True, final=True)
    assert facts == [Delta(GOOD, final=True)]


def test_a_schema_of_the_caller_s_is_not_this_wrap_s() -> None:
    call = Call("fake:a", (user("How likely?"),), form=Form(schema=SCHEMA))
    reply, fake, _ = sent(BAD, call)
    assert (reply.text, len(fake.asked)) == (BAD, 1)


def test_no_money_to_ask_again_fails_the_call_and_not_the_run() -> None:
    class Poor:
        turns = 0

        async def send(self, request: Request, scope: Scope) -> Reply:
            self.turns += 1
            if self.turns > 1:
                raise BudgetExceeded("nothing is left")
            return Reply(BAD)

    call = Agent("fake:a", schema=SCHEMA).call((user("How likely?"),))
    with pytest.raises(BadReply) as told:
        run(Obey(Poor(), problem_of).send(Request(call, call.conversation), Scope()))
    assert not isinstance(told.value, Halt)


def test_in_a_mixture_a_proposal_that_does_not_obey_is_none() -> None:
    turns: list[int] = []

    async def rule(conversation: Conversation) -> dict[str, object]:
        turns.append(1)
        return {"p": "high"}

    fake = Fake({"a": BAD, "b": GOOD, "agg": Script("done")})
    members = [Agent("x:a", schema=SCHEMA), Agent("x:b", schema=SCHEMA), Agent(rule, schema=SCHEMA)]
    scripts = Fake(lambda request: fake.scripts[request.call.model.removeprefix("x:")])  # type: ignore[index]
    answer = Mixture([members], "x:agg", providers={"x": scripts}).ask_sync("How likely?")
    assert [call.state for call in answer.view.calls] == ["failed", "done", "failed", "done"]
    assert [call.text for call in answer.proposals] == [GOOD]
    assert "does not obey its schema" in answer.view.calls[2].problem
    assert len(turns) == 1, "a function would only say the same again"
    assert [request.call.model for request in scripts.asked].count("x:a") == 2


def test_the_agent_s_own_schema_holds_for_the_answer_unless_the_caller_has_one() -> None:
    async def flow(conversation: Conversation) -> Reply:
        call = Agent("x:a", schema=SCHEMA).call(conversation, role="aggregator")
        return (await Ask((call,), final=True, label="aggregate", steps=1)).replies[0]

    def asked(form: Form, *said: str) -> tuple[str, list[str]]:
        scripts = Fake({"x:a": list(said)})
        answer = asyncio.run(Mixture.of_flow(flow, providers={"x": scripts}).ask("How likely?", form=form))
        return str(answer), [request.call.form.schema for request in scripts.asked]

    assert asked(Form(), BAD, GOOD) == (GOOD, [SCHEMA, SCHEMA])
    assert asked(Form(choices=1, schema_name="other"), BAD, GOOD) == (GOOD, [SCHEMA, SCHEMA])
    assert asked(Form(schema='{"type": "string"}'), '"yes"') == ('"yes"', ['{"type": "string"}'])
