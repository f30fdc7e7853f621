"""The acting call alone is under a form; the others advise on a plain view, as far as the conversation is theirs."""

from __future__ import annotations

from functools import partial

import pytest

from moa import Agent, ConfigError, play, user
from moa.core.errors import CallError
from moa.core.types import Call, Conversation, Form, Message, Sampling, Text, Tool, ToolCall, ToolResult, assistant
from moa.flows.acting import Advise, acting, advised_on, must_act
from moa.flows.combine import synthesise
from moa.flows.gate import Gate, gated
from moa.flows.topology import Judging, Layout, MakeFlow, topology
from moa.flows.tree import tree

TOOLS = Form(tools=(Tool("weather"),))


def step(number: int) -> tuple[Message, Message]:
    call = ToolCall(f"c{number}", "weather", "{}")
    return assistant(call), Message("tool", (ToolResult(call.id, f"result {number}"),))


def flow(how: str = "synthesise") -> MakeFlow:
    return topology([[Agent("a"), Agent("b")]], None if how == "vote" else Agent("agg"), how)


def loop(steps: int) -> Conversation:
    return (user("hi"), assistant("hello"), user("cold?"), *(one for n in range(steps) for one in step(n)))


def test_only_the_final_call_has_the_form_and_the_sampling() -> None:
    sampling = Sampling(temperature=0.5, stop=("x",))
    asked = play(acting(flow(), TOOLS, sampling)((user("cold?"),)), lambda call: "yes").asked
    assert [call.form.tools != () for ask in asked for call in ask.calls] == [False, False, True]
    assert [call.sampling.temperature for ask in asked for call in ask.calls] == [None, None, 0.5]


def test_what_the_request_does_not_say_is_as_the_agent_has_it() -> None:
    layers = [[Agent("a")]]
    made = topology(layers, Agent("agg", temperature=0.2, max_tokens=9), "synthesise")  # type: ignore[arg-type]
    (final,) = play(acting(made, sampling=Sampling(max_tokens=5))((user("x"),)), lambda call: "y").asked[-1].calls
    assert (final.sampling.temperature, final.sampling.max_tokens) == (0.2, 5)


@pytest.mark.parametrize(
    ("advise_on", "steps", "seen"),
    [("turn", 0, 0), ("turn", 3, 0), ("call", 3, 3), (1, 3, 3), (2, 1, 0), (2, 2, 2), (2, 3, 2), (3, 7, 6)],
)
def test_proposers_advise_on_so_many_steps(advise_on: Advise, steps: int, seen: int) -> None:
    assert advised_on(loop(steps), advise_on) == loop(seen)


def test_tool_traffic_is_told_in_words() -> None:
    asked = play(acting(flow(), TOOLS, advise_on="call")(loop(1)), lambda call: "yes").asked
    (advice, *_), (final,) = (ask.calls for ask in asked)
    assert [message.role for message in advice.conversation][-2:] == ["assistant", "user"]
    assert all(isinstance(part, Text) for message in advice.conversation for part in message.parts)
    assert "result 0" in advice.conversation[-1].text
    assert final.conversation == loop(1)


def test_a_vote_cannot_act() -> None:
    must_act(flow(), (user("x"),), TOOLS)
    must_act(flow("vote"), (user("x"),), Form())
    for form, param in (
        (TOOLS, "tools"),
        (Form(schema="{}"), "response_format"),
        (Form(choices=2), "n"),
        (Form(logprobs=0), "logprobs"),
    ):
        with pytest.raises(ConfigError) as refused:
            must_act(partial(flow("vote")), (user("x"),), form)
        assert refused.value.param == param


FORMS = (TOOLS, Form(schema="{}"), Form(choices=2), Form(logprobs=0))
PANEL = [[Agent("x:a"), Agent("x:b")]]


def dies(call: Call) -> str | CallError:
    return CallError("down") if call.role == "aggregator" else "no faults" if call.role == "judge" else "a proposal"


@pytest.mark.parametrize("form", FORMS, ids=["tools", "schema", "n", "logprobs"])
@pytest.mark.parametrize(
    "made",
    [
        topology(PANEL, Agent("x:agg"), "synthesise"),
        topology(PANEL, Agent("x:agg"), "fusion"),
        topology([[*PANEL[0], Agent("x:c")]], Agent("x:agg"), "council"),
        topology(PANEL, Agent("x:agg"), "synthesise", judging=Judging(anchor=True)),
        topology(PANEL, Agent("x:agg"), "synthesise", layout=Layout("refine")),
        gated(topology(PANEL, Agent("x:agg"), "synthesise"), Gate()),
        lambda conversation: tree(conversation, [PANEL[0], PANEL[0]], synthesise(Agent("x:agg"))),
    ],
    ids=["synthesise", "fusion", "council", "anchor", "refine", "gate", "tree"],
)
def test_no_proposal_stands_in_for_a_call_that_was_to_have_a_form(made: MakeFlow, form: Form) -> None:
    assert play(made((user("x"),)), dies).answer.text == "a proposal"
    with pytest.raises(CallError, match="down"):
        play(acting(made, form)((user("x"),)), dies)


def test_within_a_mixture_that_only_advises_a_proposal_still_stands_in() -> None:
    inner = topology([[Agent("x:a")]], Agent("x:inner"), "synthesise")
    outer = acting(topology([[inner]], Agent("x:agg"), "synthesise"), TOOLS)
    played = play(outer((user("x"),)), lambda call: CallError("down") if call.agent == "x:inner" else f"{call.agent}!")
    assert [one.text for one in played.asked[-1].calls[0].references] == ["x:a!"]


def test_a_refinement_without_a_critic_is_no_answer_under_a_form() -> None:
    made = topology([[Agent("x:a")]], Agent("x:agg"), "synthesise", layout=Layout("refine"))
    down = lambda call: CallError("down") if call.role == "judge" else "a draft"  # noqa: E731
    assert play(made((user("x"),)), down).answer.text == "a draft"
    with pytest.raises(CallError, match="down"):
        play(acting(made, TOOLS)((user("x"),)), down)
