"""Each method of the field is a few lines of a configuration; what does not go together is told with its place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from moa.config.flows import flow_of
from moa.config.load import Config, load
from moa.core.errors import ConfigError
from moa.core.flow import play
from moa.core.plan import plan
from moa.core.types import user

AGENTS = '[agents]\na = { model = "fake:a" }\nb = { model = "fake:b" }\nc = { model = "fake:c" }\nagg = { model = "fake:agg" }\n'
PANEL = 'proposers = ["a", "b", "c"]\n'
QUESTION = (user("Which city?"),)


NOT_THE_PAPERS = ('combine = "vote"', 'combine = "select"\naggregator = "agg"', 'guard = "anchor"\naggregator = "agg"')


def config(folder: Path, mixture: str) -> Config:
    (folder / "moa.toml").write_text(f"{AGENTS}[mixtures.m]\n{mixture}")
    return load({"HOME": str(folder)}, folder=folder)


def steps(folder: Path, mixture: str) -> str:
    made = plan(flow_of(config(folder, mixture), "m"), QUESTION, lambda model: None)
    return ", ".join(f"{step.label} x{len(step.calls)}" for step in made.steps)


@pytest.mark.parametrize(
    ("mixture", "planned"),
    [
        ('combine = "rank"\naggregator = "agg"', "layer 1 x3, rank x6"),
        ('combine = "rank"\njudges = ["a", "b"]\nranking = "listwise"', "layer 1 x3, rank x2"),
        (
            'combine = "council"\naggregator = "agg"\njudges = ["a", "b"]',
            "layer 1 x3, peer review x2, aggregate x1",
        ),
        ('combine = "council"\naggregator = "agg"', "layer 1 x3, peer review x3, aggregate x1"),
        ('combine = "fusion"\naggregator = "agg"', "layer 1 x3, analyse x1, aggregate x1"),
        ('combine = "medoid"', "layer 1 x3"),
        ('combine = "fields"', "layer 1 x3"),
        ('combine = "pool"', "layer 1 x3"),
        ('combine = "best"\nverify = { pattern = "Paris" }', "layer 1 x3"),
        ('guard = "anchor"\naggregator = "agg"', "layer 1 x3, aggregate x1, guard x2"),
        (
            'topology = "sparse"\nrounds = 2\naggregator = "agg"',
            "layer 1 x3, keep x1, layer 2 x3, keep x1, aggregate x1",
        ),
        ('topology = "sparse"\nrounds = 2\nkeep = 3\naggregator = "agg"', "layer 1 x3, layer 2 x3, aggregate x1"),
        (
            'topology = "tree"\ngroup = 2\naggregator = "agg"',
            "group 1, layer 1 x2, group 2, layer 1 x1, group 1, aggregate x1, group 2, aggregate x1, aggregate x1",
        ),
        ('topology = "debate"\nrounds = 2\ncombine = "vote"', "round 1 x3, round 2 x3"),
        ('topology = "consortium"\nrounds = 2\naggregator = "agg"', "round 1 x3, round 2 x3, aggregate x1"),
        ('topology = "refine"\naggregator = "agg"', "layer 1 x3, aggregate x1, critique 1 x1, revise 1 x1"),
        ('first = ["a", "b"]\naggregator = "agg"', "first x2, layer 1 x3, aggregate x1"),
        (
            'leave_one_out = true\naggregator = "agg"',
            "layer 1 x3, aggregate x1, aggregate x1, aggregate x1, aggregate x1",
        ),
        ('residual = true\nrounds = 2\naggregator = "agg"', "layer 1 x3, layer 2 x3, aggregate x1"),
    ],
)
def test_each_method_is_drawn_before_it_runs(tmp_path: Path, mixture: str, planned: str) -> None:
    assert steps(tmp_path, PANEL + mixture) == planned


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        (PANEL + 'combine = "rank"', "an aggregator is needed"),
        (PANEL + 'combine = "medoid"\naggregator = "agg"', "asks no aggregator"),
        (PANEL + 'combine = "best"', "needs verify"),
        (
            PANEL + 'combine = "best"\nverify = { pattern = "(" }',
            r"mixtures\.m\.verify\.pattern: no regular expression",
        ),
        (PANEL + 'combine = "best"\nverify = { pattern = "x", function = "a:b" }', "exactly one of"),
        (PANEL + 'combine = "best"\nverify = { function = "nowhere:check" }', r"verify\.function: 'nowhere:check'"),
        (PANEL + 'combine = "best"\nverify = { schema = "{" }', r"verify\.schema"),
        (PANEL + 'combine = "best"\nverify = { number = [nan, nan] }', r"mixtures\.m\.verify\.number: there is none"),
        (PANEL + 'combine = "best"\nverify = { number = [5, 1] }', r"m\.verify\.number: there is none from 5.0 to 1.0"),
        (PANEL + 'combine = "vote"\nweights = ""', r"mixtures\.m\.weights: no file is named"),
        (PANEL + 'combine = "pool"\npool = ""', r"mixtures\.m\.pool: no file is named"),
        ('proposers = ["a"]\ntopology = "consortium"\naggregator = "agg"', r"m\.proposers: one by itself agrees"),
        (PANEL + 'aggregator = "agg"\nkeep = 2', 'keep is of topology = "sparse"'),
        (PANEL + 'aggregator = "agg"\nballots = "borda"', 'ballots is of combine = "rank"'),
        (PANEL + 'topology = "tree"\nrounds = 2\naggregator = "agg"', "tree"),
        (PANEL + 'topology = "tree"\naggregator = "agg"\nleave_one_out = true', r"m\.leave_one_out: topology"),
        *(
            (PANEL + f'topology = "tree"\ncombine = "{how}"', rf'topology: a "tree" .* combine = "{how}" makes none')
            for how in ("vote", "pool", "fields", "medoid")
        ),
        *((PANEL + f'prompt = "paper"\n{rest}', r'prompt: "paper" is how plain layers') for rest in NOT_THE_PAPERS),
        (PANEL + 'topology = "sparse"\ncombine = "vote"', r"judges: topology needs an agent that judges"),
        (PANEL + 'aggregator = "agg"\nfirst = ["a"]', "name several, or verify"),
        (PANEL + 'aggregator = "agg"\nagree = 0.5', "agree goes with first"),
        (PANEL + 'aggregator = "agg"\nweights = "w.json"', "weights: w.json: No such file"),
        (PANEL + 'combine = "vote"\nweights = "nowhere.json"', "weights: nowhere.json: No such file"),
        (PANEL + 'aggregator = "agg"\nroutes = [{ to = "b" }]', "a route says when it is taken"),
        (
            PANEL + 'aggregator = "agg"\nroutes = [{ to = "bb", code = true }]',
            r"mixtures\.m\.routes\[0\]\.to: no agent",
        ),
        (PANEL + 'aggregator = "agg"\ngate = { secrets = ["hush"] }', "named, never written down"),
        (PANEL + 'aggregator = "agg"\ngate = { secrets = ["env:NO_SUCH"] }', r"m\.gate\.secrets: NO_SUCH is not set"),
        ('layers = [["a"], ["b"]]\ntopology = "debate"\naggregator = "agg"', "is among several, and there is one"),
        (
            'layers = [["a", "b"], ["b", "c"]]\ntopology = "debate"\naggregator = "agg"',
            "same members in every round",
        ),
        (PANEL + 'topology = "debate"\ncombine = "vote"', 'rounds: topology = "debate" asks again.* take 2 or more'),
        (PANEL + 'combine = "fields"\nanswers = "number"', "answers: .* reads JSON and nothing else"),
        (PANEL + 'aggregator = "agg"\nneed = 1\nleast = 2', r"m\.need: a layer that closes at 1 of 2 replies"),
    ],
)
def test_what_does_not_go_together_is_told(tmp_path: Path, mixture: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        flow_of(config(tmp_path, mixture), "m")


def test_a_judge_is_no_mixture(tmp_path: Path) -> None:
    mixture = PANEL + 'combine = "rank"\njudges = ["n"]\n[mixtures.n]\nproposers = ["a"]\ncombine = "vote"'
    with pytest.raises(ConfigError, match="a judge is an agent"):
        flow_of(config(tmp_path, mixture), "m")


def test_a_verifier_may_be_a_function_of_yours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_checks.py").write_text("def long(text):\n    return len(text)\n")
    monkeypatch.syspath_prepend(tmp_path)
    made = flow_of(config(tmp_path, PANEL + 'combine = "best"\nverify = { function = "own_checks:long" }'), "m")
    assert play(made(QUESTION), ["Rome", "Budapest", "Oslo"]).answer.text == "Budapest"


def test_votes_may_be_weighed_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text('{"of": {"a": 3, "b": 1, "c": 1}}')
    made = flow_of(config(tmp_path, PANEL + f'combine = "vote"\nweights = "{tmp_path / "w.json"}"'), "m")
    assert play(made(QUESTION), ["Rome", "Paris", "Paris"]).answer.text == "Rome"
    (tmp_path / "w.json").write_text('{"of": {"a": "much"}}')
    with pytest.raises(ConfigError, match=r"weights: .*w\.json: Expected `float`"):
        flow_of(config(tmp_path, PANEL + f'combine = "vote"\nweights = "{tmp_path / "w.json"}"'), "m")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ('{"of": {"c": 0}}', r"m\.weights: they give 1 of 3 members no weight.* `judges` that are none of them$"),
        ('{"of": {"c": 1}, "more": {"law": {"c": -1}}}', r"no weight.*\(on questions of category 'law'\)$"),
    ],
)
def test_a_council_that_trusts_too_few_to_rank_is_refused(tmp_path: Path, weights: str, message: str) -> None:
    (tmp_path / "w.json").write_text(weights)
    mixture = f'{PANEL}combine = "council"\nchairman = "agg"\nweights = "{tmp_path / "w.json"}"\n'
    sorting = 'classifier = { agent = "agg", categories = ["law", "art"] }\n'
    with pytest.raises(ConfigError, match=message):
        flow_of(config(tmp_path, mixture + sorting), "m")
    flow_of(config(tmp_path, mixture + sorting + 'judges = ["agg"]\n'), "m")


def test_a_question_goes_where_the_first_route_says(tmp_path: Path) -> None:
    routes = '[{ to = "b", code = true }, { to = "c", language = "de" }, { to = "n", shorter = 10 }]'
    mixture = PANEL + f'aggregator = "agg"\nroutes = {routes}\n[mixtures.n]\nproposers = ["a", "c"]\ncombine = "vote"'
    made = flow_of(config(tmp_path, mixture), "m")
    asked_of = {"```\nx = 1\n```": ["b"], "Was ist das?": ["c"], "hi": ["a", "c"], "a longer question": [*"abc", "agg"]}
    for text, agents in asked_of.items():
        asked = play(made((user(text),)), lambda call: "4").asked
        assert [call.agent for ask in asked for call in ask.calls] == agents


def test_a_pool_may_be_learnt(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"kind": "linear", "slope": 2.0}')
    made = flow_of(config(tmp_path, PANEL + f'combine = "pool"\npool = "{tmp_path / "p.json"}"'), "m")
    assert play(made(QUESTION), ["0.5", "50%", "Answer: 0.5"]).answer.text == "Answer: 0.5"


def test_an_answer_passes_the_gate_that_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "tulip-harbour")
    mixture = PANEL + 'aggregator = "agg"\ngate = { secrets = ["env:CANARY"], hosts = ["a.example"] }'
    made = flow_of(config(tmp_path, mixture), "m")
    reply = play(made(QUESTION), lambda call: "ruobrah-pilut at https://a.example/x and https://b.example/y").answer
    assert reply.text == "[removed] at https://a.example/x and [b. example: address removed]"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise RuntimeError('no disk')", r"m\.verify\.function: 'odd_checks:f' is no .*RuntimeError: no disk"),
        ("raise SystemExit(3)", r"verify\.function: .*SystemExit: 3"),
        ("def f(text) return", r"verify\.function: .*SyntaxError"),
        ("async def f(text): return 1", r"verify\.function: 'odd_checks:f' is async"),
        ("class C:\n    async def __call__(self, text): return 1\nf = C()", "is async"),
        ("def f(text): yield 1", "is async or yields"),
        ("def f(): return 1", "does not take one argument"),
        ("def f(text, more): return 1", "does not take one argument"),
        ("f = 5", "cannot be called"),
    ],
)
def test_a_function_that_cannot_verify_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    (tmp_path / "odd_checks.py").write_text(source + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "odd_checks", raising=False)
    with pytest.raises(ConfigError, match=message):
        flow_of(config(tmp_path, PANEL + 'combine = "best"\nverify = { function = "odd_checks:f" }'), "m")
    sys.modules.pop("odd_checks", None)


def test_a_builtin_may_verify(tmp_path: Path) -> None:
    made = flow_of(config(tmp_path, PANEL + 'combine = "best"\nverify = { function = "builtins:len" }'), "m")
    assert play(made(QUESTION), ["Rome", "Budapest", "Oslo"]).answer.text == "Budapest"


@pytest.mark.parametrize("how", ['combine = "vote"', 'aggregator = "agg"'])
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ('{"of": {"z": 1}}', r"mixtures\.m\.weights: .*w\.json: it names z and no member of this mixture \(a, b, c\)"),
        ('{"of": {"a": 1, "b": -2}}', r"w\.json: what b is worth is less than nothing"),
        ('{"of": {"a": 1}, "other": -1}', "what other is worth is less than nothing"),
        ('{"of": {"a": 0, "b": 0, "c": 0}}', "no member of this mixture is worth anything"),
        ('{"x": ' + "[" * 100_000, r"w\.json: nested too deep"),
    ],
)
def test_weights_that_can_weigh_nothing_here_are_refused(tmp_path: Path, how: str, weights: str, message: str) -> None:
    (tmp_path / "w.json").write_text(weights)
    with pytest.raises(ConfigError, match=message):
        flow_of(config(tmp_path, PANEL + how + f'\nweights = "{tmp_path / "w.json"}"'), "m")


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (
            '{"weights": {"z": 2}}',
            r"mixtures\.m\.pool: .*w\.json: it names z and no member of this mixture \(a, b, c\)",
        ),
        ('{"weights": {"z": 2, "a": -3}}', r"m\.pool: .*w\.json: weights\.a: -3.0 is no weight; take 0 to 1,000,000"),
        ('{"weights": {"a": 1e308}}', r"m\.pool: .*w\.json: weights\.a: 1e\+308 is no weight"),
        ('{"slope": 1e308}', r"m\.pool: .*w\.json: slope: 1e\+308 is too far from 0"),
        ('{"intercept": -1e7}', r"m\.pool: .*w\.json: intercept: -10000000.0 is too far from 0"),
        ('{"slope": NaN}', r"m\.pool: .*w\.json: JSON is malformed"),
        ('{"slope": 1e999}', r"m\.pool: .*w\.json: "),
        ('{"kind": "geometric"}', r"m\.pool: .*w\.json: Invalid enum value 'geometric'"),
        ('{"weights": {"a": 0, "b": 0, "c": 0}}', r"m\.pool: .*w\.json: no member of this mixture is worth anything"),
    ],
)
def test_a_pool_that_is_none_or_is_of_others_is_refused_by_its_file_and_field(
    tmp_path: Path, pool: str, message: str
) -> None:
    (tmp_path / "w.json").write_text(pool)
    with pytest.raises(ConfigError, match=message):
        flow_of(config(tmp_path, PANEL + f'combine = "pool"\npool = "{tmp_path / "w.json"}"'), "m")


def test_a_pool_may_name_the_agents_of_a_mixture_within_and_some_who_are_not_here(tmp_path: Path) -> None:
    more = '\n[mixtures.n]\nproposers = ["c"]\naggregator = "agg"'
    for pool, panel in (
        ('{"weights": {"c": 2}}', '["a", "b", "n"]'),
        ('{"weights": {"a": 3, "z": 1}, "slope": -1}', '["a", "b", "c"]'),
    ):
        (tmp_path / "w.json").write_text(pool)
        mixture = f'proposers = {panel}\ncombine = "pool"\npool = "{tmp_path / "w.json"}"{more}'
        assert play(flow_of(config(tmp_path, mixture), "m")(QUESTION), lambda call: "0.5").answer.text == "Answer: 0.5"


def test_weights_may_name_the_agents_of_a_mixture_within_and_nobody_yet(tmp_path: Path) -> None:
    inner = '\n[mixtures.n]\nproposers = ["c"]\ncombine = "vote"'
    for weights, panel in (('{"of": {"c": 2}}', '["a", "b", "n"]'), ('{"of": {}, "other": 0.5}', '["a", "b", "c"]')):
        (tmp_path / "w.json").write_text(weights)
        mixture = f'proposers = {panel}\ncombine = "vote"\nweights = "{tmp_path / "w.json"}"{inner}'
        assert play(flow_of(config(tmp_path, mixture), "m")(QUESTION), lambda call: "4").answer.text == "4"


@pytest.mark.parametrize(("how", "done"), [("fusion", "written"), ("select", "picked"), ("rank", "judged")])
def test_what_an_agent_must_do_no_mixture_does(tmp_path: Path, how: str, done: str) -> None:
    mixture = PANEL + f'combine = "{how}"\naggregator = "n"\n[mixtures.n]\nproposers = ["a"]\ncombine = "vote"'
    with pytest.raises(ConfigError, match=rf"m\.aggregator: {how} is {done} by an agent, not a mixture"):
        flow_of(config(tmp_path, mixture), "m")


def test_samples_of_one_agent_are_a_consortium_and_one_sample_is_none(tmp_path: Path) -> None:
    mixture = 'agent = "a"\nsamples = {}\ntopology = "consortium"\naggregator = "agg"'
    assert steps(tmp_path, mixture.format(2)) == "round 1 x2, aggregate x1"
    with pytest.raises(ConfigError, match="take 2 or more samples of an agent"):
        flow_of(config(tmp_path, mixture.format(1)), "m")
