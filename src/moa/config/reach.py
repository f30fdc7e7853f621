"""Whom the routes of a mixture may ask, whether or not they are taken: read from its spec."""

from __future__ import annotations

from moa.config.spec import Mixture, Spec


def behind_routes(spec: Spec, name: str) -> tuple[str, ...]:
    """The agents and models ("host:model") that the routes of a mixture lead to, those of mixtures among them included."""
    mixture = spec.mixtures.get(name)
    found = [one for route in mixture.routes for one in _reached(spec, route.to, (name,))] if mixture else []
    return tuple(dict.fromkeys(found))


def _reached(spec: Spec, name: str, above: tuple[str, ...]) -> list[str]:
    if name in spec.agents or name not in spec.mixtures:
        return [name]
    return [
        one
        for member in _members(spec.mixtures[name])
        if member not in above
        for one in _reached(spec, member, (*above, name))
    ]


def _members(mixture: Mixture) -> list[str]:
    """The names that stand in a mixture, wherever."""
    layers = [member for layer in mixture.layers for member in layer]
    single = [mixture.agent, mixture.aggregator, mixture.embedder, mixture.classifier and mixture.classifier.agent]
    routes = [route.to for route in mixture.routes]
    return [*layers, *mixture.proposers, *mixture.first, *mixture.judges, *routes, *(one for one in single if one)]
