"""`moa costs`: what was spent."""

from __future__ import annotations

import json
from pathlib import Path

from command import moa_says, write_config
from fake_host import Model, host


def test_what_was_spent_is_told_by_model_by_mixture_and_by_day(tmp_path: Path) -> None:
    prices = "".join(
        f'[prices."near:{name}"]\ninput = {price}\noutput = 0\n' for name, price in (("a", 1e5), ("judge", 0))
    )
    with host(a=Model("one"), b=Model(status=400), judge=Model("It is four.")) as here:
        write_config(tmp_path, here.url, ["a", "b"], "judge", rest=prices)
        assert moa_says("costs", home=tmp_path).err == "nothing was asked in that time\n"
        assert moa_says("ask", "What is 2 + 2?", "-q", home=tmp_path).code == 0
    told = moa_says("costs", home=tmp_path)
    head, *rows, whole = told.out.splitlines()
    assert head.split() == ["model", "attempts", "failed", "tokens", "in", "tokens", "out", "cost"]
    costs = {row.split()[0]: row.split()[-1] for row in rows}
    assert (costs["near:b"], costs["near:judge"]) == ("$0", "$0")
    assert float(costs["near:a"].removeprefix("$")) > 0
    assert rows[0].startswith("near:a"), "the dearest first"
    assert whole == f"together {costs['near:a']}"
    (one,) = json.loads(moa_says("costs", "--by", "mixture", "--json", home=tmp_path).out)
    assert (one["what"], one["attempts"], one["failed"]) == ("default", 3, 1)
    (day,) = json.loads(moa_says("costs", "--by", "day", "--days", "2", "--json", home=tmp_path).out)
    assert len(day["what"]) == len("2026-11-28")
    assert moa_says("costs", "--by", "payer", home=tmp_path).out.splitlines()[1].startswith("(nobody named)")
