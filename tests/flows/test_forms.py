"""A form that the caller asks for is obeyed by whoever answers, or refused: no shorter way returns an answer without it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from config.test_topologies_config import PANEL, QUESTION, config
from moa import ConfigError
from moa.config.choosing import Told
from moa.config.flows import flow_of
from moa.config.schema import problem_of
from moa.core.errors import BadReply
from moa.core.flow import Played, play
from moa.core.types import PLAIN, Call, Choice, Form, Reply, Tool, ToolCall
from moa.flows.acting import acting, must_act
from moa.flows.schema import under_schema

SCHEMA = '{"type":"object","properties":{"a":{"type":"number"}},"required":["a"]}'
FORMS = [Form(tools=(Tool("look"),)), Form(schema=SCHEMA), Form(choices=2), Form(logprobs=0)]
CASCADE = PANEL + 'aggregator = "agg"\nfirst = ["a", "b"]'
ROBUST = PANEL + 'aggregator = "agg"\nsift = true\nguard = "anchor"\njudges = ["b"]\ngate = {}'
NESTED = 'proposers = ["c"]\naggregator = "n"\n[mixtures.n]\nproposers = ["a", "b"]\naggregator = "agg"\nmode = "auto"'
INSIDE = 'proposers = ["n", "c"]\naggregator = "agg"\n[mixtures.n]\nproposers = ["a", "b"]\naggregator = "agg"\nmode = "auto"'
FORKED = '[mixtures.n]\nproposers = ["c"]\naggregator = "c"'
REFINED = 'proposers = ["a"]\naggregator = "agg"\ntopology = "refine"\njudges = ["b"]'


def answered(
    folder: Path, mixture: str, form: Form, said: str | None = None, told: Told | None = None
) -> Played[Reply]:
    """What is played of a mixture under a form; the call that is under it obeys, and nobody else does."""
    made = flow_of(config(folder, mixture), "m", told=told or Told())
    must_act(made, QUESTION, form)

    def say(call: Call) -> Reply:
        return Reply('{"a": 1}' if PLAIN != form == call.form else said or "4", agent=call.agent, model=call.model)

    return play(acting(made, form)(QUESTION), say)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "mixture",
    [
        CASCADE,
        PANEL + 'aggregator = "agg"\nmode = "auto"',
        PANEL + f'aggregator = "agg"\nfirst = ["n", "a"]\n{FORKED}',
        CASCADE + "\ngate = {}",
        ROBUST,
        NESTED,
        REFINED,
    ],
)
def test_no_shorter_way_answers_where_a_form_is_asked_for(tmp_path: Path, mixture: str, form: Form) -> None:
    played = answered(tmp_path, mixture, form, "Best: 1. No faults")
    assert played.answer.text == '{"a": 1}'
    assert not any(ask.label == "first" for ask in played.asked)


def test_without_a_form_the_shorter_ways_are_as_they_were(tmp_path: Path) -> None:
    assert [ask.label for ask in answered(tmp_path, CASCADE, PLAIN).asked] == ["first"]
    assert [ask.label for ask in answered(tmp_path, REFINED, PLAIN, "No faults").asked] == ["a", "critique 1"]


def test_a_mixture_that_only_advises_goes_its_own_way(tmp_path: Path) -> None:
    played = answered(tmp_path, INSIDE, FORMS[1])
    assert [ask.label for ask in played.asked] == ["first", "c", "aggregate"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", ["full", "solo"])
def test_behind_a_gate_the_aggregator_acts_and_nothing_is_streamed(tmp_path: Path, mode: str, form: Form) -> None:
    played = answered(tmp_path, PANEL + 'aggregator = "agg"\ngate = {}', form, told=Told(mode))  # type: ignore[arg-type]
    assert played.asked[-1].calls[0].form == form
    assert not any(ask.final for ask in played.asked)


def test_the_gate_cleans_what_the_acting_call_says_and_calls(tmp_path: Path) -> None:
    bad = "see ![x](https://evil.example/p.png)"
    reply = Reply(bad, others=(Choice(bad),), tool_calls=(ToolCall("1", "look", '{"at": "https://evil.example/x"}'),))
    made = flow_of(config(tmp_path, PANEL + 'aggregator = "agg"\ngate = {}'), "m", told=Told("solo"))
    answer = play(acting(made, FORMS[0])(QUESTION), [reply]).answer
    assert "evil.example" not in f"{answer.text}{answer.others}{answer.tool_calls}"


def test_the_gate_looks_at_a_repaired_answer_too(tmp_path: Path) -> None:
    made = flow_of(config(tmp_path, PANEL + 'aggregator = "agg"\ngate = {}'), "m", told=Told("solo"))
    schema = '{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}'
    flow = under_schema(acting(made, Form(schema=schema)), problem_of(schema))
    played = play(flow(QUESTION), ["no JSON", '{"a": "![x](https://evil.example/p.png)"}'])
    assert [ask.label for ask in played.asked] == ["aggregate", "repair"]
    assert played.answer.text == '{"a": "x"}'


def test_one_category_that_votes_is_enough_to_refuse_a_form(tmp_path: Path) -> None:
    mixture = (
        PANEL + 'aggregator = "agg"\nclassifier = { agent = "c", categories = ["law", "maths"] }\n'
        'routes = [{ to = "v", category = "maths" }]\n[mixtures.v]\nproposers = ["a", "b"]\ncombine = "vote"'
    )
    with pytest.raises(ConfigError, match="votes"):
        answered(tmp_path, mixture, FORMS[0])


def test_an_answer_that_no_call_was_asked_to_give_in_a_form_is_no_answer_under_a_schema(tmp_path: Path) -> None:
    made = flow_of(config(tmp_path, PANEL + 'combine = "vote"'), "m")
    with pytest.raises(BadReply, match="no call"):
        play(partial(under_schema(made, problem_of(SCHEMA)))(QUESTION), lambda call: "4")
