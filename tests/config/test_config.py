"""Configuration: where it comes from, what wins, and errors that name the place, the value and the nearest right name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import genai_prices
import pytest
from genai_prices import calc_price

from moa.config.build import Rig
from moa.config.flows import MOST_NESTED, default_name, flow_of
from moa.config.load import load
from moa.config.prices import price_of
from moa.config.registry import find, names
from moa.config.spec import Mixture
from moa.core.errors import ConfigError
from moa.core.flow import play
from moa.core.prices import cost
from moa.core.types import Usage, user

QUESTION = (user("Hi"),)
GOOD = """
[agents.claude]
model = "fake:claude"
temperature = 0.5
prompt = "Be brief."
[agents.gpt]
model = "fake:gpt"
[mixtures.default]
layers = [["claude", "gpt"], ["claude"]]
aggregator = "claude"
"""


def config(tmp_path: Path, text: str, **environ: str) -> Any:
    (tmp_path / "moa.toml").write_text(text)
    return load({"HOME": str(tmp_path), **environ}, folder=tmp_path)


def models(made: Any, name: str) -> list[list[str]]:
    return [[call.model for call in ask.calls] for ask in play(flow_of(made, name)(QUESTION), lambda call: "0.5").asked]


def test_a_mixture_of_the_file_becomes_a_flow(tmp_path: Path) -> None:
    made = config(tmp_path, GOOD)
    played = play(flow_of(made, "default")(QUESTION), lambda call: call.agent)
    assert [[call.agent for call in ask.calls] for ask in played.asked] == [["claude", "gpt"], ["claude"], ["claude"]]
    assert played.asked[0].calls[0].sampling.temperature == 0.5
    assert played.asked[0].calls[0].manner.instructions == "Be brief."
    assert default_name(made) == "default"


def test_stronger_sources_win(tmp_path: Path) -> None:
    (tmp_path / ".config/moa").mkdir(parents=True)
    (tmp_path / ".config/moa/config.toml").write_text("[limits]\ntimeout = 10\nat_once = 3\nattempts = 1\n")
    (tmp_path / "moa.toml").write_text("[limits]\ntimeout = 20\nat_once = 4\n")
    environ = {"HOME": str(tmp_path), "MOA_LIMITS__TIMEOUT": "30"}
    limits = load(environ, folder=tmp_path).spec.limits
    assert (limits.timeout, limits.at_once, limits.attempts) == (30, 4, 1)
    flagged = load(environ, folder=tmp_path, flags={"limits": {"timeout": 40}}).spec.limits
    assert flagged.timeout == 40
    assert load({"HOME": str(tmp_path / "elsewhere")}, folder=tmp_path / ".config").spec.limits.timeout == 120


def test_moa_config_names_another_file_and_it_must_exist(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('default = "duo"')
    environ = {"HOME": str(tmp_path), "MOA_CONFIG": str(tmp_path / "other.toml")}
    assert default_name(load(environ, folder=tmp_path)) == "duo"
    with pytest.raises(ConfigError, match=r"missing\.toml: no such file .*MOA_CONFIG"):
        load(environ | {"MOA_CONFIG": str(tmp_path / "missing.toml")}, folder=tmp_path)


def test_the_names_of_the_field_are_accepted_as_aliases(tmp_path: Path) -> None:
    made = config(tmp_path, '[presets.x]\nreference_models = ["fake:a", "fake:b"]\nrounds = 2\njudge = "fake:c"\n')
    assert models(made, "x") == [["fake:a", "fake:b"], ["fake:a", "fake:b"], ["fake:c"]]


def test_a_mixture_may_be_a_member_and_an_aggregator(tmp_path: Path) -> None:
    made = config(tmp_path, GOOD + '[mixtures.outer]\nproposers = ["default", "gpt"]\naggregator = "gpt"\n')
    assert [call for step in models(made, "outer") for call in step].count("fake:claude") == 3
    assert models(made, "outer")[-1] == ["fake:gpt"]


def test_presets_are_there_and_paper_is_three_layers_with_thirteen_calls(tmp_path: Path) -> None:
    made = load({"HOME": str(tmp_path)}, folder=tmp_path)
    assert {"builtin", "paper", "paper-lite", "self", "duo"} <= set(made.spec.mixtures)
    for name in made.spec.mixtures:
        assert models(made, name), f"{name} cannot be drawn"
    assert [len(step) for step in models(made, "paper")] == [6, 6, 1]
    assert [len(step) for step in models(made, "paper-lite")] == [6, 1]
    assert [len(step) for step in models(made, "self")] == [4, 1]
    assert [len(step) for step in models(made, "builtin")] == [4, 1]
    assert default_name(made) == "builtin"


def test_every_way_to_combine_and_every_topology_has_a_preset(tmp_path: Path) -> None:
    presets = load({"HOME": str(tmp_path)}, folder=tmp_path).spec.mixtures.values()
    for field in ("combine", "topology"):
        known = get_args(Mixture.model_fields[field].annotation)
        assert {getattr(one, field) for one in presets} == set(known)
    for field in ("routes", "classifier", "guard", "sift", "gate", "first", "batch", "window", "residual"):
        assert any(getattr(one, field) for one in presets), field


def test_one_setting_of_a_mixture_may_come_from_the_environment(tmp_path: Path) -> None:
    made = config(tmp_path, GOOD, MOA_MIXTURES__DEFAULT__DEADLINE="30", MOA_DEFAULT="default")
    assert made.spec.mixtures["default"].deadline == 30
    assert made.spec.mixtures["default"].aggregator == "claude"


def test_variables_that_are_somebody_else_s_are_left_alone(tmp_path: Path) -> None:
    assert config(tmp_path, GOOD, MOA_SERVICE_HOST="10.0.0.1", MOA_PORT="tcp://10.0.0.1:80", MOA_="1").spec


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"MOA_STORE__PROMTS": "false"}, r'MOA_STORE__PROMTS: there is no such setting; did you mean "prompts"'),
        ({"MOA_STORE__DAYS": "soon"}, r"MOA_STORE__DAYS: .*'soon'"),
        ({"MOA_A__B": "1", "MOA_A__B__C": "1"}, r"MOA_A__B__C: stands beside another variable"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(tmp_path, GOOD, **environ)


def test_a_key_that_was_written_down_is_not_shown(tmp_path: Path) -> None:
    for text, environ in (
        ("[hosts.x]\nbase_url = 'http://x/v1'\nkey = 'sk-canary'\n", {}),
        ("", {"MOA_HOSTS__X__KEY": "sk-canary"}),
    ):
        with pytest.raises(ConfigError) as error:
            config(tmp_path, text, **environ)
        assert "sk-canary" not in str(error.value)


def test_a_file_of_windows_is_read(tmp_path: Path) -> None:
    (tmp_path / "moa.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert "default" in load({"HOME": str(tmp_path)}, folder=tmp_path).spec.mixtures


def test_a_folder_in_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "moa.toml").mkdir()
    with pytest.raises(ConfigError, match=r"moa\.toml: cannot be read"):
        load({"HOME": str(tmp_path)}, folder=tmp_path)


ERRORS = {
    "more needed than there are": (
        GOOD + "need = 2\n",
        r"mixtures\.default\.need: 2 replies cannot come from a layer of 1",
    ),
    "rounds beside layers": (GOOD + "rounds = 2\n", "rounds goes with proposers"),
    "samples without an agent": (GOOD + "samples = 2\n", "samples goes with agent"),
    "a vote with an aggregator": (GOOD + 'combine = "vote"\n', "asks no aggregator"),
    "an unknown agent": (
        GOOD.replace('["claude", "gpt"]', '["gpt"]').replace('[["gpt"], ["claude"]]', '[["gpt"], ["claud"]]'),
        r'moa\.toml: mixtures\.default\.layers\[1\]\[0\]: no agent "claud"; did you mean "claude"\?$',
    ),
    "an unknown aggregator": (
        GOOD.replace('aggregator = "claude"', 'aggregator = "gtp"'),
        r'mixtures\.default\.aggregator: no agent "gtp"; did you mean "gpt"\?',
    ),
    "an unknown setting": (
        GOOD + "agregator = 1\n",
        r'mixtures\.default\.agregator: there is no such setting; did you mean "aggregator"\?',
    ),
    "an unknown table": (
        "[agent.x]\nmodel = 'a:b'\n",
        r'moa\.toml: agent: there is no such setting; did you mean "agents"\?',
    ),
    "a wrong type": (
        GOOD.replace("0.5", '"hot"'),
        r"agents\.claude\.temperature: input should be a valid number.*'hot'",
    ),
    "a wrong value": (
        GOOD.replace("0.5", "7"),
        r"agents\.claude\.temperature: input should be less than or equal to 2 \(it is 7\)",
    ),
    "a missing model": ("[agents.x]\nprompt = 'y'\n", r"agents\.x\.model: is missing"),
    "no aggregator": ("[mixtures.x]\nproposers = ['fake:a']\n", r"mixtures\.x: an aggregator is needed"),
    "no members": (
        "[mixtures.x]\naggregator = 'fake:a'\n",
        r"mixtures\.x: a mixture has exactly one of layers, proposers or agent",
    ),
    "two shapes": (
        "[mixtures.x]\nproposers = ['fake:a']\nlayers = [['fake:a']]\naggregator = 'fake:a'\n",
        r"exactly one of .*layers and proposers",
    ),
    "an empty layer": ("[mixtures.x]\nlayers = [[]]\naggregator = 'fake:a'\n", "a layer has at least one agent"),
    "a key written down": (
        "[hosts.x]\nbase_url = 'http://x/v1'\nkey = 'sk-123'\n",
        r"hosts\.x\.key: keys are named, never written down",
    ),
    "a name with a colon": ("[agents.'a:b']\nmodel = 'fake:x'\n", "is no name"),
    "no TOML": ("[agents\n", r"moa\.toml: not valid TOML"),
    "an unknown default": ("default = 'papr'\n", r'moa\.toml: default: no mixture "papr"; did you mean "paper"\?'),
    "a circle": (
        "[mixtures.a]\nproposers = ['b']\naggregator = 'fake:x'\n[mixtures.b]\nproposers = ['a']\naggregator = 'fake:x'\n",
        r"mixtures\.a: this mixture stands inside itself \(a > b > a\)",
    ),
    "a negative price": ("[prices.'x:y']\ninput = -1\noutput = 0\n", r"prices\.x:y\.input"),
    "a price that is no number": ("[prices.'x:y']\ninput = nan\noutput = 0\n", r"prices\.x:y\.input"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_names_the_place_the_value_and_the_nearest_name(tmp_path: Path, case: str) -> None:
    text, message = ERRORS[case]
    with pytest.raises(ConfigError, match=message):
        everything(tmp_path, text)


def everything(tmp_path: Path, text: str) -> None:
    """Load a file, make every mixture it is about, and choose the default."""
    made = config(tmp_path, text)
    for name in ("default", "x", "a"):
        if name in made.spec.mixtures:
            flow_of(made, name)
    default_name(made)


def test_an_unknown_mixture_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'no mixture "bultin"; did you mean "builtin"\?'):
        flow_of(load({"HOME": str(tmp_path)}, folder=tmp_path), "bultin")


def test_mixtures_nest_to_a_limit(tmp_path: Path) -> None:
    chain = "".join(f"[mixtures.m{n}]\nproposers = ['m{n + 1}']\naggregator = 'fake:x'\n" for n in range(MOST_NESTED))
    last = f"[mixtures.m{MOST_NESTED}]\nproposers = ['fake:x']\naggregator = 'fake:x'\n"
    made = config(tmp_path, chain + last)
    assert models(made, "m1")
    with pytest.raises(ConfigError, match="nested more than"):
        flow_of(made, "m0")


@pytest.mark.parametrize(
    ("model", "environ", "message"),
    [
        ("groq:llama", {}, "groq needs a key: set GROQ_API_KEY"),
        ("grok:llama", {}, r'no host "grok"; did you mean "groq"\?'),
        ("llama", {}, r'write "host:model"'),
        ("builtin:p9", {}, "no built-in model 'p9'"),
        ("local:/nowhere/x.gguf", {}, "/nowhere/x.gguf"),
    ],
)
def test_what_cannot_be_called_is_named_before_any_call(
    tmp_path: Path, model: str, environ: dict[str, str], message: str
) -> None:
    rig = Rig(load({"HOME": str(tmp_path)}, folder=tmp_path), environ)
    with pytest.raises(ConfigError, match=message) as error:
        rig.wires.check(model, "moa.toml: agents.x.model")
    assert str(error.value).startswith("moa.toml: agents.x.model: ")


def test_a_key_is_found_and_a_local_server_needs_none(tmp_path: Path) -> None:
    rig = Rig(load({"HOME": str(tmp_path)}, folder=tmp_path), {"GROQ_API_KEY": "secret-key-value"})
    rig.wires.check("groq:llama", "x")
    rig.wires.check("ollama:llama3:8b", "x")
    assert "secret-key-value" not in repr(rig.wires.wire("groq"))


@pytest.mark.parametrize("model", ["google:gemini-2.5-pro", "anthropic:claude-sonnet-4-5", "openai:gpt-4o-mini"])
@pytest.mark.parametrize("sent", [1, 200_000, 200_001, 900_000])
def test_a_call_costs_what_genai_prices_says_however_long_it_is(model: str, sent: int) -> None:
    host, _, name = model.partition(":")
    listed = calc_price(genai_prices.Usage(input_tokens=sent, output_tokens=2000), model_ref=name, provider_id=host)
    price = price_of({}, ())(model)
    assert price is not None
    assert cost(Usage(sent, 2000), price) == pytest.approx(float(listed.total_price))


def test_prices_are_own_free_known_or_unknown(tmp_path: Path) -> None:
    rig = Rig(config(tmp_path, "[prices.'groq:mine']\ninput = 1\noutput = 2\n"), {})
    own, free = rig.price("groq:mine"), rig.price("builtin:p1")
    assert own is not None
    assert free is not None
    assert (own.input, own.output, free.output) == (1, 2, 0)
    known = rig.price("openai:gpt-4o")
    assert known is not None
    assert known.output > known.input > 0
    assert rig.price("openai:no-such-model-at-all") is None
    assert rig.price("ollama:anything") is not None


def test_the_registry_finds_what_ships_and_nothing_else() -> None:
    assert {"builtin", "local", "fake"} <= set(names())
    assert find("fake") is not None
    assert find("nothing-of-that-name") is None


def test_of_a_known_host_only_what_differs_is_said(tmp_path: Path) -> None:
    """Its wire and quirks stay; its key goes to no other address than its own."""
    text = """
[hosts.anthropic]
base_url = "https://proxy.example/v1"
[hosts.openai]
key = "env:WORK_KEY"
wire = "responses"
"""
    wires = Rig(config(tmp_path, text), {"ANTHROPIC_API_KEY": "sk-1", "OPENAI_API_KEY": "sk-2"}).wires
    proxied, own = wires.host("anthropic"), wires.host("openai")
    assert (proxied.wire, proxied.base_url, proxied.key_env) == ("anthropic", "https://proxy.example/v1", ())
    assert (own.wire, own.key_env, own.max_tokens) == ("responses", ("WORK_KEY",), "max_completion_tokens")


def test_the_models_of_an_own_host_are_taken_for_those_its_wire_is_made_for(tmp_path: Path) -> None:
    text = (
        '[hosts.corp]\nbase_url = "https://corp.example/v1"\nwire = "anthropic"\n[profiles."corp:old*"]\nseed = true\n'
    )
    profiles = Rig(config(tmp_path, text), {}).profiles
    assert profiles["corp:claude"] == profiles["anthropic:claude"]
    assert not profiles["corp:claude"].choices
    assert profiles["corp:old-one"].seed
