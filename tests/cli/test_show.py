"""`moa show`: what would run and cost, without a call."""

from __future__ import annotations

import json
from pathlib import Path

from command import fake_config, moa_says, write_config
from fake_host import Model, host

PRICES = '[prices."near:a"]\ninput = 1.0\noutput = 2.0\n[prices."near:judge"]\ninput = 1.0\noutput = 2.0\n'


def test_the_steps_the_calls_and_the_worst_cost_are_shown_and_nothing_is_sent(tmp_path: Path) -> None:
    with host(a=Model("one"), judge=Model("four")) as here:
        write_config(tmp_path, here.url, ["a"], "judge", rest=PRICES)
        shown = moa_says("show", home=tmp_path)
        told = json.loads(moa_says("show", "default", "--json", home=tmp_path).out)
        assert not here.paths
    assert (shown.code, shown.err) == (0, "")
    for words in (
        "1. layer 1: 1 call",
        "near:judge",
        "streams the answer",
        "calls: 2",
        "4096 tokens where none is set",
    ):
        assert words in shown.out, words
    assert [[call["agent"] for call in step["calls"]] for step in told["steps"]] == [["a"], ["judge"]]
    assert [step["streams"] for step in told["steps"]] == [False, True]
    assert (told["least_calls"], told["most_calls"], told["assumed_max_tokens"]) == (2, 2, 4096)
    assert told["attempts"] == 2
    assert 2 * 2 * 4096 * 2e-6 < told["worst_cost"] < 0.05, "every call twice, at its longest"


def test_groups_of_a_tree_are_drawn_beside_each_other(tmp_path: Path) -> None:
    fake_config(
        tmp_path, '[mixtures.wide]\ntopology = "tree"\nproposers = ["a", "a", "a", "a"]\ngroup = 2\naggregator = "a"\n'
    )
    shown = moa_says("show", "wide", home=tmp_path).out
    places = [shown.index(words) for words in (
        "1a. group 1, layer 1: 2 calls", "1b. group 2, layer 1: 2 calls", "2a. group 1, aggregate", "2b. group 2, aggregate",
        "3. aggregate: 1 call", "branches (a, b …) run beside each other",
    )]  # fmt: skip
    assert places == sorted(places)
    told = json.loads(moa_says("show", "wide", "--json", home=tmp_path).out)
    assert [(step["number"], step["branch"]) for step in told["steps"]] == [
        (1, "a"),
        (1, "b"),
        (2, "a"),
        (2, "b"),
        (3, ""),
    ]


def test_an_unknown_price_is_said(tmp_path: Path) -> None:
    fake_config(tmp_path, '[hosts.far]\nbase_url = "https://llm.example.org/v1"\n[mixtures.far]\n'
                'proposers = ["far:x"]\naggregator = "a"\n')  # fmt: skip
    assert "unknown: no price for far:x" in moa_says("show", "far", home=tmp_path).out
    assert json.loads(moa_says("show", "far", "--json", home=tmp_path).out)["worst_cost"] is None


def test_settings_of_agents_are_shown(tmp_path: Path) -> None:
    fake_config(tmp_path, '[agents.c]\nmodel = "fake:c"\ntemperature = 0.5\nmax_tokens = 99\n[mixtures.one]\nagent = "c"\n'
                'samples = 3\naggregator = "c"\n')  # fmt: skip
    shown = moa_says("show", "one", home=tmp_path).out
    assert "3 calls at once" in shown
    assert "temperature 0.5, max_tokens 99, sample 2" in shown


def test_all_lists_every_mixture_and_marks_the_default(tmp_path: Path) -> None:
    fake_config(tmp_path)
    listed = moa_says("show", "--all", home=tmp_path).out.splitlines()
    names = [line.split()[0] for line in listed[1:]]
    assert names[:5] == ["builtin", "paper", "paper-lite", "self", "duo"]
    assert {"vote", "fusion", "council", "robust"} <= set(names)
    assert listed[-1].split()[1] == "default"
    assert len(json.loads(moa_says("show", "--all", "--json", home=tmp_path).out)) == len(names)


def test_every_route_is_counted_and_named(tmp_path: Path) -> None:
    fake_config(tmp_path, '[mixtures.m]\nproposers = ["fake:a"]\naggregator = "fake:b"\n'
                'routes = [{ to = "fake:quick", shorter = 9 }, { to = "large", words = ["contract"] }]\n'
                '[mixtures.large]\nagent = "fake:c"\nsamples = 9\naggregator = "fake:d"\n')  # fmt: skip
    shown = moa_says("show", "m", home=tmp_path).out
    assert "calls: 1 to 10" in shown
    assert "routes: fake:quick, large" in shown
    told = json.loads(moa_says("show", "m", "--json", home=tmp_path).out)
    assert (told["least_calls"], told["most_calls"], told["routes"]) == (1, 10, ["fake:quick", "large"])
