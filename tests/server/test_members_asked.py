"""A request that names other members, or more layers, for a mixture in which they would have no part is told so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from served import MIXTURES, Served, served

from moa.evals.records import Record
from moa.evals.router import Way, fit

LEFT = ["a", "b", "c"]
MORE: dict[str, Any] = {
    "medoid": {"proposers": LEFT, "combine": "medoid"},
    "best": {"proposers": LEFT, "combine": "best", "verify": {"number": [0, 9]}},
    "fields": {"proposers": LEFT, "combine": "fields"},
    "pool": {"proposers": LEFT, "combine": "pool"},
    "ranked": {"proposers": LEFT, "combine": "rank", "judges": ["agg"]},
    "samples": {"agent": "a", "samples": 3, "aggregator": "agg"},
}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(mixtures=MIXTURES | MORE) as running:
        yield running


@pytest.mark.parametrize("mixture", ["poll", "medoid", "best", "fields", "pool", "ranked"])
def test_an_aggregator_is_refused_where_none_has_a_say(server: Served, mixture: str) -> None:
    before = len(server.asked)
    got = server.chat(model=f"moa/{mixture}", moa={"aggregator": "other"})
    error = got.json["error"]
    assert (got.status, error["param"], len(server.asked)) == (400, "moa.aggregator", before)
    assert "no aggregator has a say" in error["message"]


@pytest.mark.parametrize(
    ("mixture", "why"), [("samples", "samples of one agent"), ("deep", "layers of different agents")]
)
def test_layers_are_refused_for_what_they_would_repeat(server: Served, mixture: str, why: str) -> None:
    got = server.chat(model=f"moa/{mixture}", moa={"layers": 2})
    assert (got.status, got.json["error"]["param"]) == (400, "moa.layers")
    assert why in got.json["error"]["message"]
    assert server.chat(model=f"moa/{mixture}", moa={"layers": 2, "proposers": ["a", "b"]}).status == 200


@pytest.mark.parametrize(
    "wish", [{"proposers": ["a", "b"]}, {"aggregator": "agg"}, {"layers": 2}], ids=lambda wish: min(wish)
)
def test_where_a_router_chooses_nobody_else_is_named(tmp_path: Path, wish: dict[str, Any]) -> None:
    records = [Record(f"Which city is number {n}?", {}, {"a": n % 2, "b": 1 - n % 2}) for n in range(20)]
    (tmp_path / "router.json").write_bytes(msgspec.json.encode(fit(records, ("a", "b"), Way())))
    with served(mixtures={"chosen": {"router": str(tmp_path / "router.json")}}, default="chosen") as server:
        assert server.chat(model="moa/chosen").status == 200
        got = server.chat(model="moa/chosen", moa=wish)
    assert (got.status, got.json["error"]["param"]) == (400, "moa")
    assert "router" in got.json["error"]["message"]
