"""A run as plain data for `--json`, and in one line for a person."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from moa.cli.output import money, seconds
from moa.core.view import CallView, View
from moa.flows.agreement import agreement_of


def calls(view: View, *, texts: bool) -> list[dict[str, Any]]:
    """The calls of a run, in the order they went out."""
    return [_call(call, texts) for call in view.calls]


def _call(call: CallView, texts: bool) -> dict[str, Any]:
    return {
        "agent": call.agent,
        "model": call.model,
        "role": call.role,
        "state": call.state,
        "seconds": duration(call),
        "tokens": call.tokens,
        "cost": call.cost,
        "problem": call.problem,
        **({"saw": list(call.saw)} if call.saw else {}),
        **({"text": call.text} if texts else {}),
    }


def result(view: View, answer: str, *, texts: bool) -> dict[str, Any]:
    """A run that has an answer."""
    return {
        "answer": answer,
        "run": view.run,
        "mixture": view.mixture,
        "seconds": round((view.ended or view.started) - view.started, 3),
        "cost": view.cost,
        "usage": asdict(view.usage),
        "degraded": view.degraded,
        "notes": list(view.notes),
        "calls": calls(view, texts=texts),
    } | ({"agreement": asdict(agreed)} if (agreed := agreement_of(view)) else {})


def duration(call: CallView) -> float | None:
    """How long a call took, in seconds; None while it is under way."""
    return None if call.ended is None else round(call.ended - call.started, 3)


def summary(view: View) -> str:
    """Seconds, cost, calls, who failed and why, and the id of the run."""
    took = (view.ended or view.started) - view.started
    many = f"{len(view.calls)} call{'s' if len(view.calls) != 1 else ''}"
    return " · ".join([seconds(took), money(view.cost), many, *troubles(view), f"run {view.run}"])


def troubles(view: View) -> list[str]:
    """Who failed and why, who abstained, and what else a reader should know. A call that was merely no longer needed is none."""
    failed = [f"{call.agent} failed: {call.problem}" for call in view.calls if call.state == "failed"]
    silent = [call.problem for call in view.calls if call.state == "abstained"]
    return [*failed, *silent, *view.notes]
