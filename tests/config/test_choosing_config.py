"""Who works, as a configuration says: tags, categories, a learnt router, modes, and a vote a few at a time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from config.test_topologies_config import PANEL, QUESTION, config
from moa import Mixture
from moa.config.choosing import Told
from moa.config.flows import flow_of
from moa.core.errors import ConfigError
from moa.core.flow import play
from moa.core.plan import plan
from moa.core.types import user
from moa.evals.records import Record
from moa.evals.router import Way, fit

AUTO = 'aggregator = "agg"\nmode = "auto"\n'


def asked(folder: Path, mixture: str, told: Told | None = None, say: Iterable[str] | None = None) -> list[str]:
    """Who is asked, in order; all give the same answer where nothing else is said."""
    made = flow_of(config(folder, mixture), "m", told=told or Told())
    played = play(made(QUESTION), (lambda call: "4") if say is None else say)
    return [call.agent for ask in played.asked for call in ask.calls]


def test_a_route_may_look_at_the_callers_tag(tmp_path: Path) -> None:
    mixture = PANEL + 'aggregator = "agg"\nroutes = [{ to = "b", tag = "legal" }]'
    assert asked(tmp_path, mixture, Told(tag="legal")) == ["b"]
    assert asked(tmp_path, mixture, Told(tag="medical")) == asked(tmp_path, mixture) == ["a", "b", "c", "agg"]


def test_a_tag_reaches_the_mixtures_inside(tmp_path: Path) -> None:
    inner = '[mixtures.n]\nproposers = ["a"]\naggregator = "agg"\nroutes = [{ to = "c", tag = "legal" }]'
    mixture = f'proposers = ["n"]\naggregator = "agg"\n{inner}'
    assert asked(tmp_path, mixture, Told(tag="legal")) == ["c", "agg"]
    assert asked(tmp_path, mixture) == ["a", "agg", "agg"]


def test_only_tags_that_a_route_names_make_a_difference(tmp_path: Path) -> None:
    spec = config(tmp_path, PANEL + 'aggregator = "agg"\nroutes = [{ to = "b", tag = "legal" }]').spec
    assert Told("auto", "legal").within(spec) == Told("auto", "legal")
    assert Told("auto", "other").within(spec) == Told("auto")


SORTED = (
    PANEL + 'classifier = { agent = "c", categories = ["maths", "law"] }\n'
    'routes = [{ to = "b", category = "law" }, { to = "a", shorter = 5 }]\n'
)


@pytest.mark.parametrize(
    ("category", "who"),
    [("law", ["c", "b"]), ("maths", ["c", "a", "b", "c", "agg"]), ("?", ["c", "a", "b", "c", "agg"])],
)
def test_a_route_may_look_at_what_a_classifier_says(tmp_path: Path, category: str, who: list[str]) -> None:
    assert asked(tmp_path, SORTED + 'aggregator = "agg"', say=[category, *"4444"]) == who


def test_no_classifier_is_asked_where_a_rule_before_its_own_holds(tmp_path: Path) -> None:
    before = SORTED.replace("routes = [", 'routes = [{ to = "b", longer = 3 }, ')
    assert asked(tmp_path, before + 'aggregator = "agg"') == ["b"]


def test_a_vote_is_weighed_by_the_category_that_a_classifier_names(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text('{"of": {"a": 3, "b": 1, "c": 1}, "more": {"law": {"a": -3}}}')
    made = flow_of(config(tmp_path, SORTED + f'combine = "vote"\nweights = "{tmp_path / "w.json"}"'), "m")
    for category, answer in (("maths", "Rome"), ("none of them", "Rome")):
        assert play(made(QUESTION), [category, "Rome", "Paris", "Paris"]).answer.text == answer
    unrouted = SORTED.replace('{ to = "b", category = "law" }, ', "")
    made = flow_of(config(tmp_path, unrouted + f'combine = "vote"\nweights = "{tmp_path / "w.json"}"'), "m")
    assert play(made(QUESTION), ["law", "Rome", "Paris", "Paris"]).answer.text == "Paris"


def written(folder: Path, **way: float | bool | int) -> str:
    """A router file: "a" for questions of cities, "b" for those of sums."""
    records = [
        Record(
            f"Which city is number {n}?" if n % 5 < 3 else f"How much is {n} and {n}?",
            {},
            {"a": float(n % 5 < 3), "b": float(n % 5 >= 3)},
            embedding=(1.0, 0.0) if n % 5 < 3 else (0.0, 1.0),
        )
        for n in range(100)
    ]
    path = folder / "router.json"
    path.write_bytes(msgspec.json.encode(fit(records, ("a", "b"), Way(**way))))  # type: ignore[arg-type]
    return str(path)


def test_a_router_is_read_from_its_file_and_asks_whom_it_has_learnt_of(tmp_path: Path) -> None:
    made = flow_of(config(tmp_path, f'router = "{written(tmp_path)}"'), "m")
    for text, who in (("Which city is it?", "a"), ("How much is it?", "b")):
        played = play(made((user(text),)), lambda call: "4")
        assert [call.agent for ask in played.asked for call in ask.calls] == [who]
        assert played.asked[0].final
    planned = plan(made, QUESTION, lambda model: None)
    assert (planned.least_calls, planned.most_calls) == (1, 1)


def test_a_router_may_read_embeddings_and_be_asked_for_the_best_alone(tmp_path: Path) -> None:
    mixture = f'router = "{written(tmp_path, embeddings=True)}"\nembedder = "fake:e"'
    assert asked(tmp_path, mixture, say=["[0.1, 0.9]", "4"]) == ["embedder", "b"]
    assert asked(tmp_path, mixture, Told("solo")) == ["a"]


def test_a_router_of_a_mixture_and_rules_before_it(tmp_path: Path) -> None:
    mixture = (
        f'router = "{written(tmp_path)}"\nroutes = [{{ to = "n", tag = "hard" }}]\n[mixtures.n]\n'
        'proposers = ["b", "c"]\ncombine = "vote"'
    )
    assert asked(tmp_path, mixture, Told(tag="hard")) == ["b", "c"]
    assert asked(tmp_path, mixture) == ["a"]


@pytest.mark.parametrize(
    ("mode", "mixture", "who"),
    [
        (None, AUTO, ["a", "b"]),
        ("full", AUTO, ["a", "b", "c", "agg"]),
        ("solo", AUTO, ["agg"]),
        ("auto", 'aggregator = "agg"', ["a", "b"]),
        ("auto", 'combine = "vote"', ["a", "b"]),
        ("auto", 'aggregator = "agg"\nmode = "full"\nverify = { number = [0, 9] }', ["a", "b"]),
        (None, 'aggregator = "agg"\nfirst = ["c", "b"]', ["c", "b"]),
        ("full", 'aggregator = "agg"\nfirst = ["c", "b"]', ["a", "b", "c", "agg"]),
        ("solo", 'aggregator = "agg"\nfirst = ["c", "b"]\nroutes = [{ to = "b", longer = 1 }]', ["agg"]),
    ],
)
def test_how_much_of_a_mixture_works_is_its_mode(
    tmp_path: Path, mode: str | None, mixture: str, who: list[str]
) -> None:
    assert asked(tmp_path, PANEL + mixture, Told(mode)) == who  # type: ignore[arg-type]


def test_auto_asks_the_whole_mixture_where_its_start_disagrees(tmp_path: Path) -> None:
    assert asked(tmp_path, PANEL + AUTO, say=["4", "5", *"4444"]) == ["a", "b", "a", "b", "c", "agg"]
    sampled = 'agent = "a"\nsamples = 4\n' + AUTO
    assert asked(tmp_path, sampled, say=["4", "4"]) == ["a", "a"]
    checked = 'agent = "a"\nverify = { number = [0, 9] }\n' + AUTO
    assert asked(tmp_path, checked, say=["4"]) == ["a"]
    assert asked(tmp_path, checked, say=["12", "4", "4"]) == ["a", "a", "agg"]


def test_a_gate_stands_in_every_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "tulip-harbour")
    gated = PANEL + 'aggregator = "agg"\ngate = { secrets = ["env:CANARY"] }'
    for mode in ("full", "solo", "auto"):
        made = flow_of(config(tmp_path, gated), "m", told=Told(mode))  # type: ignore[arg-type]
        assert "tulip" not in play(made(QUESTION), lambda call: "tulip-harbour").answer.text


def test_a_vote_a_few_at_a_time_is_drawn_with_its_least_and_most_calls(tmp_path: Path) -> None:
    mixture = 'agent = "a"\nsamples = 12\ncombine = "vote"\nbatch = 4'
    planned = plan(flow_of(config(tmp_path, mixture), "m"), QUESTION, lambda model: None)
    assert (planned.least_calls, planned.most_calls) == (4, 12)
    assert [step.label for step in planned.steps] == ["batch 1", "batch 2", "batch 3"]
    assert asked(tmp_path, mixture + "\nsure = 1", say=["4"] * 12) == ["a"] * 8


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        (PANEL + 'aggregator = "agg"\nrouter = "r.json"', "exactly one of layers, proposers or agent .* or a router"),
        ('router = "nowhere.json"', r"mixtures\.m\.router: nowhere\.json: No such file"),
        ('router = "r.json"\ncombine = "vote"', "router: it chooses one agent, so combine has no use beside it"),
        (PANEL + 'aggregator = "agg"\nembedder = "fake:e"', "embedder: it goes with a router"),
        (PANEL + 'aggregator = "agg"\nbatch = 2', 'batch: this is of combine = "vote"'),
        (PANEL + 'combine = "vote"\nsure = 0.9', "sure goes with batch"),
        (PANEL + 'combine = "vote"\nbatch = 2\nneed = 2', "batch: only a plain vote"),
        (PANEL + 'combine = "vote"\nrounds = 2\nbatch = 2', "batch: only a plain vote"),
        (PANEL + 'combine = "vote"\nmode = "solo"', "asks the aggregator alone, and this mixture has none"),
        (PANEL + 'aggregator = "agg"\nmode = "half"', "mode"),
        ('agent = "a"\naggregator = "agg"\nmode = "auto"', "mode: .* needs two that agree"),
        (PANEL + 'aggregator = "agg"\nroutes = [{ to = "b", category = "x" }]', "told by a classifier"),
        (SORTED.replace('"law" }', '"tax" }') + 'aggregator = "agg"', "the classifier knows no category 'tax'"),
        (SORTED.replace('agent = "c"', 'agent = "cc"') + 'aggregator = "agg"', r"m\.classifier\.agent: no agent .cc"),
        (SORTED.replace('"maths", "law"', '"law", "LAW"') + 'aggregator = "agg"', "each category is named once"),
        (SORTED.replace('"maths", "law"', '"law"') + 'aggregator = "agg"', "categories"),
        (SORTED.replace('agent = "c"', 'agent = "n"') + 'aggregator = "agg"\n[mixtures.n]\nproposers = ["a"]\ncombine = "vote"',
         "a classifier is an agent"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_has_a_place_and_a_reason(tmp_path: Path, mixture: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        flow_of(config(tmp_path, mixture), "m")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "truncated"),
        ('{"agents": ["a"]}', "missing required field"),
        ('{"agents": ["a"], "best": "b", "worth": [], "gain": 0, "error": 0}', "best: 'b' is none of the agents"),
        ('{"agents": ["a"], "best": "a", "worth": [["x"]], "gain": 0, "error": 0}', r"\$\.worth\[0\]\[0\]"),
        ('{"version": 2, "agents": ["a"], "best": "a", "worth": [], "gain": 0, "error": 0}', r"\$\.version"),
        ('{"agents": ["zz"], "best": "zz", "worth": [], "gain": 0, "error": 0}', r'r\.json\): no agent "zz"'),
    ],
)
def test_a_file_that_is_no_router_is_told_with_the_place_in_it(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ConfigError, match=message):
        flow_of(config(tmp_path, f'router = "{tmp_path / "r.json"}"'), "m")


def test_an_embedder_goes_with_a_router_that_reads_embeddings_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reads only words, so leave it out"):
        flow_of(config(tmp_path, f'router = "{written(tmp_path)}"\nembedder = "fake:e"'), "m")
    with pytest.raises(ConfigError, match="reads embeddings: name the model"):
        flow_of(config(tmp_path, f'router = "{written(tmp_path, embeddings=True)}"'), "m")
    with pytest.raises(ConfigError, match="a router asks one already"):
        flow_of(config(tmp_path, f'router = "{written(tmp_path)}"\nmode = "auto"'), "m")


def test_mode_and_tag_may_be_said_with_each_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config(tmp_path, PANEL + 'aggregator = "agg"\nroutes = [{ to = "b", tag = "legal" }]\n')
    file = tmp_path / "moa.toml"

    def who(mixture: Mixture, **how: str) -> list[str]:
        return [call.agent for call in mixture.ask_sync("Which city?", **how).view.calls]  # type: ignore[arg-type]

    mixture = Mixture.from_config("m", config=file, flags={"store": {"keep": False}})
    assert who(mixture) == who(mixture, tag="other") == ["a", "b", "c", "agg"]
    assert who(mixture, mode="solo") == ["agg"]
    assert who(mixture, mode="auto") == ["a", "b"]
    assert who(mixture, tag="legal") == who(mixture, tag="legal", mode="auto") == ["b"]
    tagged = Mixture.from_config("m", config=file, flags={"store": {"keep": False}}, tag="legal")
    assert who(tagged) == ["b"]
    assert who(tagged, mode="solo") == ["agg"]
    with pytest.raises(ConfigError, match="mode: 'half' is none of full, solo, auto"):
        who(mixture, mode="half")
    with pytest.raises(ConfigError, match="this one was made in code"):
        who(Mixture([["fake:a"]], "fake:b"), tag="legal")


@pytest.mark.parametrize("to", ["groq:llama", "n"])
def test_what_a_route_leads_to_is_checked_before_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    inner = '[mixtures.n]\nproposers = ["a", "groq:llama"]\naggregator = "agg"'
    config(tmp_path, PANEL + f'aggregator = "agg"\nroutes = [{{ to = "{to}", words = ["contract"] }}]\n{inner}\n')
    mixture = Mixture.from_config("m", config=tmp_path / "moa.toml", flags={"store": {"keep": False}})
    with pytest.raises(ConfigError, match="GROQ_API_KEY"):
        mixture.ask_sync("Which city?")


def test_what_is_no_wish_is_no_argument() -> None:
    with pytest.raises(TypeError, match="dedline"):
        Mixture([["fake:a"]], "fake:b").ask_sync("Which city?", dedline=3)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("mixture", "problem"),
    [
        (PANEL + 'aggregator = "agg"\nroutes = [{ to = "a", words = [] }]', "words"),
        (PANEL + 'aggregator = "agg"\nroutes = [{ to = "a", words = ["law", " "] }]', "words"),
        (PANEL + 'aggregator = "agg"\nroutes = [{ to = "a", longer = 100, shorter = 50 }]', "longer than 100"),
        (PANEL + 'aggregator = "agg"\nroutes = [{ to = "a", longer = 4, shorter = 5 }]', "longer than 4"),
        (PANEL + 'aggregator = "agg"\nclassifier = { agent = "c", categories = ["x", "y"] }', "classifier"),
        (PANEL + 'combine = "vote"\njudges = ["a"]', "judges"),
        (PANEL + 'aggregator = "agg"\nverify = { number = [0, 1] }', "verify"),
        ('agent = "a"\naggregator = "agg"\nrounds = 2', "rounds"),
        ('proposers = ["a"]\ntopology = "refine"\naggregator = "agg"\nsift = true', "sift: topology"),
        (PANEL + 'combine = "vote"\njudges = ["a"]\nguard = "anchor"', "guard: what a vote gives"),
        (PANEL + 'aggregator = "agg"\njudges = ["a"]', "judges: .*asks only the aggregator"),
        (PANEL + 'combine = "select"\naggregator = "agg"\njudges = ["a"]', "judges: .*asks only the aggregator"),
        (PANEL + 'aggregator = "agg"\nguard = "anchor"\njudges = ["a", "b"]', "judges: only the first"),
        (PANEL + 'combine = "rank"\naggregator = "agg"\nranking = "listwise"\nballots = "copeland"', "ballots: lists"),
        (PANEL + 'combine = "vote"\nfirst = ["a", "b"]\nagree = 0.5', "agree: of 2 asked first"),
        (PANEL + 'combine = "vote"\nmode = "auto"\nagree = 0.4', "agree: of 2 asked first"),
        (PANEL + 'combine = "vote"\ntopology = "consortium"\nconfidence = 0.33', "confidence: of 3"),
        (PANEL + 'aggregator = "agg"\nresidual = true', "residual: there is no older layer"),
        (PANEL + 'aggregator = "agg"\ngrace = 5', "grace goes with need"),
        ('proposers = ["a"]\naggregator = "agg"\nleave_one_out = true', "leave_one_out: of one proposal"),
        ('agent = "a"\ntopology = "refine"\ncombine = "vote"', "combine: topology"),
    ],
)
def test_what_would_have_no_effect_or_always_one_is_refused(tmp_path: Path, mixture: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        config(tmp_path, mixture)


@pytest.mark.parametrize(
    "mixture",
    [
        PANEL + 'aggregator = "agg"\nroutes = [{ to = "a", longer = 4, shorter = 6 }]',
        PANEL + 'combine = "vote"\njudges = ["a"]\nguard = "anchor"\nverify = { number = [0, 1] }',
        PANEL + 'combine = "vote"\naggregator = "agg"\ntopology = "refine"\nguard = "anchor"',
        PANEL + 'combine = "rank"\njudges = ["a", "b"]\nranking = "listwise"\nballots = "borda"',
        PANEL + 'combine = "fusion"\njudges = ["a"]\naggregator = "agg"',
        PANEL + 'combine = "vote"\nfirst = ["a", "b", "c"]\nagree = 0.34',
        PANEL + 'combine = "vote"\ntopology = "consortium"\nconfidence = 0.34',
        'layers = [["a"], ["b"]]\nresidual = true\naggregator = "agg"\nneed = 1\ngrace = 1',
        'agent = "a"\nsamples = 2\naggregator = "agg"\nleave_one_out = true',
        PANEL + 'combine = "vote"\njudges = ["a"]\ntopology = "sparse"',
        PANEL + 'aggregator = "agg"\nverify = { number = [0, 1] }\nguard = "anchor"',
        'proposers = ["a"]\ntopology = "refine"\naggregator = "agg"\nguard = "anchor"\nverify = { number = [0, 1] }',
        'agent = "a"\nsamples = 2\ntopology = "refine"\ncombine = "vote"',
    ],
)
def test_what_has_an_effect_is_not_refused(tmp_path: Path, mixture: str) -> None:
    flow_of(config(tmp_path, mixture), "m")
