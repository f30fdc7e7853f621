"""The tools of a Responses request, and what their calls mean to the client: functions, texts (`custom`), and those of a namespace.

Hosts know functions alone. So a custom tool becomes a function of one text, a namespace's tool one that bears both names, and what
a model calls is given back as the client has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from moa.core.types import Tool
from moa.server.chat import MOST_TOOLS, Json, encoded, of_name
from moa.server.refusals import Rejection, wrong

INPUT = "input"
"""What a custom tool's text is called where it is the argument of a function."""
_TEXT = {
    "type": "object",
    "properties": {INPUT: {"type": "string"}},
    "required": [INPUT],
    "additionalProperties": False,
}


class Offered(msgspec.Struct):
    """A tool as a request has it."""

    type: str
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.-]+$")] | None = None
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None
    format: Json | None = None
    tools: list[Offered] | None = None


@dataclass(frozen=True, slots=True)
class Meant:
    """What a function of a host is to the client; `custom`: a tool whose input is text."""

    name: str
    namespace: str = ""
    custom: bool = False


def tools_of(offered: Sequence[Offered]) -> tuple[Tool, ...]:
    """The tools as hosts know them.

    Raises:
        Rejection: one is of a type that is not served, or has no name; two mean different things by one name; or they are too many.
    """
    tools = tuple(_tools(offered, "tools", ""))
    if len(tools) > MOST_TOOLS:
        raise wrong("tools", f"at most {MOST_TOOLS}, with those of namespaces")
    known = dict[str, Meant]()
    for name, means in _meant(told(offered)):
        if known.setdefault(name, means) != means:
            raise wrong("tools", f"two different ones would be called '{name}'")
    return tools


def _tools(offered: Sequence[Offered], where: str, namespace: str) -> Iterator[Tool]:
    for number, tool in enumerate(offered):
        here = f"{where}[{number}]"
        if is_search(tool) and not namespace:
            continue
        if tool.type not in ("function", "custom") and (tool.type != "namespace" or namespace):
            raise wrong(f"{here}.type", "only tools of type 'function', 'custom' and 'namespace' are supported")
        if tool.name is None:
            raise Rejection(
                f"Missing required parameter: '{here}.name'.", param=f"{here}.name", code="missing_required_parameter"
            )
        if tool.type == "namespace":
            yield from _tools(tool.tools or (), f"{here}.tools", tool.name)
            continue
        name, said = flat(tool.name, namespace), tool.description or ""
        if tool.type == "custom":
            yield Tool(name, f"{said}{_rule(tool.format or {})}".strip(), msgspec.json.encode(_TEXT).decode())
        else:
            parameters = encoded(tool.parameters or {"type": "object", "properties": {}}, f"{here}.parameters")
            yield Tool(name, said, parameters, tool.strict)


def is_search(tool: Offered) -> bool:
    """Whether it is OpenAI's own search, which runs nowhere here. Codex offers it with every request, and an offer need not be
    taken up: it is left out, and the answer says so."""
    return tool.type.startswith("web_search")


def _rule(form: Json) -> str:
    """What a host does not see to is told to the model: the grammar of a text."""
    match form:
        case {"type": "grammar", "syntax": str(syntax), "definition": str(rule)}:
            return f"\n\n`{INPUT}` is text by this {syntax} grammar:\n{rule}"
    return ""


def chosen(choice: Any, names: set[str]) -> tuple[str, set[str]]:
    """The `tool_choice` as a Form has it, and the names of the tools it leaves.

    Raises:
        Rejection: it is none, or names none of them.
    """
    match choice:
        case None | "auto" | "none" | "required":
            return choice or "", names
        case {"type": "function" | "custom"} if _named(choice) in names:
            return of_name(_named(choice), names)
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, "tools": [*tools]}:
            allowed = {_named(tool) for tool in tools}
            if allowed and allowed <= names:
                return mode, allowed
    raise wrong("tool_choice", "auto, none, required, or functions that are among the tools are needed")


def _named(tool: Any) -> str:
    """The name of a tool as hosts know it; empty for anything else."""
    match tool:
        case {"type": "function" | "custom", "name": str(name)}:
            return flat(name, str(tool.get("namespace") or ""))
    return ""


def told(offered: Iterable[Offered]) -> list[Json]:
    """The tools as an answer repeats them."""
    return [_told(tool) for tool in offered if not is_search(tool)]


def _told(tool: Offered) -> Json:
    head = {"type": tool.type, "name": tool.name, "description": tool.description}
    if tool.type == "function":
        return {**head, "parameters": tool.parameters, "strict": tool.strict}
    said = {name: value for name, value in head.items() if value is not None}
    if tool.type == "namespace":
        return {**said, "description": tool.description or "", "tools": [_told(one) for one in tool.tools or ()]}
    return {**said, "format": tool.format or {"type": "text"}}


def meant_by(tools: Iterable[Json]) -> Mapping[str, Meant]:
    """What each function of the hosts is to the client, from the tools as `told`."""
    return dict(_meant(tools))


def _meant(tools: Iterable[Json]) -> Iterator[tuple[str, Meant]]:
    for tool in tools:
        within, namespace = (tool["tools"], tool["name"]) if tool["type"] == "namespace" else ((tool,), "")
        for one in within:
            yield flat(one["name"], namespace), Meant(one["name"], namespace, one["type"] == "custom")


def flat(name: str, namespace: str) -> str:
    """A tool's name where hosts know of no namespace."""
    return f"{namespace}__{name}" if namespace else name


def arguments_of(text: str) -> str:
    """The text of a custom tool as the arguments of a function."""
    return msgspec.json.encode({INPUT: text}).decode()


def text_of(arguments: str) -> str:
    """The text that a custom tool is called with; of arguments that hold none, all of them."""
    try:
        said = msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return arguments
    return said[INPUT] if isinstance(said, dict) and isinstance(said.get(INPUT), str) else arguments
