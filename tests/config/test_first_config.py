"""Those asked first answer as the mixture would: by its own way to combine, and by its weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.test_topologies_config import QUESTION, config
from moa.config.flows import flow_of
from moa.core.flow import Played, play
from moa.core.types import Reply

PANEL = 'proposers = ["a", "b", "c"]\n'
AUTO = 'mode = "auto"\n'


def played(folder: Path, mixture: str, said: dict[str, str], **learnt: str) -> Played[Reply]:
    for name, text in learnt.items():
        (folder / f"{name}.json").write_text(text)
        mixture += f'\n{name} = "{folder / name}.json"'
    return play(flow_of(config(folder, mixture), "m")(QUESTION), lambda call: said[call.agent])


def test_probabilities_of_the_first_are_recalibrated_as_those_of_all_are(tmp_path: Path) -> None:
    said = dict.fromkeys("abc", "Answer: 0.9")
    pool = '{"kind": "log", "slope": 3.0}'
    first, full = (
        played(tmp_path, PANEL + 'combine = "pool"\n' + mode, said, pool=pool).answer.text for mode in (AUTO, "")
    )
    assert first == full == "Answer: 0.9986"


def test_the_first_agree_on_json_whatever_they_say_around_it(tmp_path: Path) -> None:
    said = {"a": 'Here: {"city": "Lima"}', "b": 'It is {"city": "Lima"}'}
    made = played(tmp_path, PANEL + 'combine = "fields"\n' + AUTO, said)
    assert (made.answer.text, [ask.label for ask in made.asked]) == ('{"city": "Lima"}', ["first"])


def test_who_dissents_has_no_part_in_what_the_first_answer(tmp_path: Path) -> None:
    said = {"a": "Answer: 4", "b": "Answer: 5", "c": "Answer: 5"}
    mixture = PANEL + 'combine = "vote"\nfirst = ["a", "b", "c"]\nagree = 0.6'
    made = played(tmp_path, mixture, said, weights='{"of": {"a": 3.0, "b": 0.5, "c": 1.0}}')
    assert (made.answer.agent, [ask.label for ask in made.asked]) == ("c", ["first"])


@pytest.mark.parametrize("how", ['combine = "vote"\n', 'aggregator = "agg"\n'])
def test_who_is_worth_nothing_is_none_of_the_first(tmp_path: Path, how: str) -> None:
    said = {"a": "Answer: lie", "b": "Answer: true", "c": "Answer: true", "agg": "Answer: true"}
    weights = '{"of": {"a": 0.0, "b": 1.0, "c": 1.0}}'
    made = played(tmp_path, PANEL + how + AUTO, said, weights=weights)
    assert [call.agent for call in made.asked[0].calls] == ["b", "c"]
    assert made.answer.text == "Answer: true"


@pytest.mark.parametrize("first", [AUTO, 'first = ["a", "b"]\n'])
def test_where_no_two_are_left_that_could_agree_the_whole_mixture_works(tmp_path: Path, first: str) -> None:
    said = {"a": "Answer: lie", "b": "Answer: lie", "c": "Answer: true"}
    made = played(
        tmp_path, PANEL + 'combine = "vote"\n' + first, said, weights='{"of": {"a": 0.0, "b": 0.0, "c": 1.0}}'
    )
    assert (made.answer.agent, [call.agent for call in made.asked[0].calls]) == ("c", ["a", "b", "c"])
