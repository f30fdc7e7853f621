"""What the server can be asked, as an OpenAPI document: made of the typed requests themselves, so that the two cannot differ."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec

from moa._version import __version__
from moa.server import chat, messages, responses
from moa.server.route import Route

Json = dict[str, Any]
_REQUESTS = {
    "/v1/chat/completions": chat.Body,
    "/v1/responses": responses.Body,
    "/v1/messages": messages.Body,
}
_GROUP = re.compile(r"\([^)]*\)")


@cache
def document(routes: tuple[Route, ...]) -> Json:
    """The document of these routes."""
    schemas, components = msgspec.json.schema_components(
        list(_REQUESTS.values()), ref_template="#/components/schemas/{name}"
    )
    bodies = dict(zip(_REQUESTS, schemas, strict=True))
    paths: dict[str, Json] = {}
    for route in routes:
        path = _GROUP.sub("{id}", route.path.pattern).replace("\\", "")
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, bodies.get(path))
    return {
        "openapi": "3.1.0",
        "info": {"title": "moa", "version": __version__, "summary": "Mixtures of models as models."},
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": _ERROR},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


_ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "object", "required": ["message", "type"]}},
}


def _operation(route: Route, path: str, body: Json | None) -> Json:
    refused = {
        "description": "Turned away; says why.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    said = next(iter((route.handle.__doc__ or f"{route.method} {path}").splitlines()), "")
    told: Json = {"summary": said, "responses": {"200": {"description": "The answer."}, "default": refused}}
    if "{id}" in path:
        told["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    if route.method == "POST":
        told["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body or {"type": "object"}}},
        }
    if route.scope is not None:
        told["security"] = [{"bearer": []}, {"key": []}]
    return told
