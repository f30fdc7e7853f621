"""`moa show`: what a mixture would do and cost. No call is made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from moa.cli.options import Auto, ConfigFile, Json, Solo, Tag, mode_of
from moa.cli.output import Screen, money
from moa.core.plan import Plan
from moa.core.tokens import ASSUMED_MAX_TOKENS
from moa.core.types import Call
from moa.mixture import Mixture


def show(
    name: Annotated[
        str | None, typer.Argument(metavar="MIXTURE", help="Which mixture; the default one if none.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every mixture instead.")] = False,
    solo: Solo = False,
    auto: Auto = False,
    tag: Tag = "",
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Show the steps a mixture would run, their calls, and what they cost at most. No call is made."""
    screen = Screen(as_json=as_json)
    if every:
        _list(screen, config)
        return
    mixture = Mixture.from_config(name, config=config, mode=mode_of(solo, auto), tag=tag)
    planned, attempts = mixture.plan(), mixture.rig.config.spec.limits.attempts
    description = mixture.rig.config.spec.mixtures[mixture.name].description
    if as_json:
        screen.json(_plain(mixture, planned, attempts, description))
    else:
        screen.answer("".join(f"{line}\n" for line in _written(mixture.name, planned, attempts, description)))


def _list(screen: Screen, config: Path | None) -> None:
    from moa.config.find import load_here
    from moa.config.flows import default_name

    loaded = load_here(file=config)
    default = default_name(loaded)
    mixtures = {name: spec.description for name, spec in loaded.spec.mixtures.items()}
    if screen.as_json:
        screen.json(
            [{"name": name, "default": name == default, "description": text} for name, text in mixtures.items()]
        )
        return
    rows = [(name, "default" if name == default else "", text) for name, text in mixtures.items()]
    screen.table(("mixture", "", "description"), rows, cut=2)


def _plain(mixture: Mixture, planned: Plan, attempts: int, description: str) -> dict[str, Any]:
    return {
        "mixture": mixture.name,
        "description": description,
        "steps": [
            {
                "number": step.number,
                "branch": step.branch,
                "label": step.label,
                "streams": step.streams,
                "calls": [_call(call) for call in step.calls],
            }
            for step in planned.steps
        ],
        "routes": list(planned.routes),
        "streams": _streams(planned),
        "least_calls": planned.least_calls,
        "most_calls": planned.most_calls,
        "worst_cost": _worst(planned, attempts),
        "attempts": attempts,
        "unpriced": list(planned.unpriced),
        "assumed_max_tokens": ASSUMED_MAX_TOKENS if planned.assumed else None,
        "deadline": mixture.deadline,
        "max_cost": mixture.max_cost,
    }


def _call(call: Call) -> dict[str, Any]:
    return {"agent": call.agent, "model": call.model, "role": call.role, "settings": _settings(call)}


def _settings(call: Call) -> dict[str, Any]:
    """What is set for a call; what is left to the provider is left out."""
    names = ("temperature", "top_p", "max_tokens", "seed", "reasoning_effort")
    settings = {name: value for name in names if (value := getattr(call.sampling, name)) is not None}
    settings |= {"sample": call.sample} if call.sample else {}
    settings |= {"sees": ", ".join(call.manner.view)} if call.manner.view else {}
    settings |= {"schema": call.form.schema} if call.form.own else {}
    return settings | ({"prompt": call.manner.instructions} if call.manner.instructions else {})


def _written(name: str, planned: Plan, attempts: int, description: str) -> list[str]:
    lines = [f"{name}: {description}" if description else name]
    wide = max((len(call.agent) for step in planned.steps for call in step.calls), default=0)
    for step in planned.steps:
        many = f"{len(step.calls)} calls at once" if len(step.calls) > 1 else "1 call"
        lines.append(
            f"\n{step.number}{step.branch}. {step.label}: {many}{', streams the answer' if step.streams else ''}"
        )
        for call in step.calls:
            settings = ", ".join(f"{key} {value}" for key, value in _settings(call).items())
            lines.append(f"   {call.agent:<{wide}}  {call.model}{f'  ({settings})' if settings else ''}")
    if any(step.branch for step in planned.steps):
        lines.append("\nbranches (a, b …) run beside each other, each at its own pace")
    least, most = planned.least_calls, planned.most_calls
    if planned.routes:
        lines.append(
            f"\nroutes: {', '.join(planned.routes)} (the way with the most calls is shown; what is below holds for all)"
        )
    lines.append(f"\ncalls: {most}" if least == most else f"\ncalls: {least} to {most}")
    lines.append(f"streams: {'yes' if _streams(planned) else 'no (the answer comes whole)'}")
    return [*lines, f"worst cost: {_cost(planned, attempts)}"]


def _streams(planned: Plan) -> bool:
    return any(step.streams for step in planned.steps)


def _worst(planned: Plan, attempts: int) -> float | None:
    return None if planned.worst_cost is None else planned.worst_cost * attempts


def _cost(planned: Plan, attempts: int) -> str:
    if planned.worst_cost is None:
        return f"unknown: no price for {', '.join(planned.unpriced)}; write it under [prices] in moa.toml"
    if planned.worst_cost == 0:
        return "$0"
    longest = f"{ASSUMED_MAX_TOKENS} tokens where none is set" if planned.assumed else "as long as it may be"
    again = ", and every one tried again" if attempts > 1 else ""
    return f"{money(_worst(planned, attempts))} for a short question, if every call writes {longest}{again}"
