"""What a request comes to, whichever protocol it came in, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Protocol

import msgspec

from moa.config.choosing import Told
from moa.core.conversation import conversation_of
from moa.core.errors import ConfigError
from moa.core.events import Delta, Event, RunFinished
from moa.core.named import check_name, joined
from moa.core.types import PLAIN, Conversation, Form, Image, Part, Reply, Sampling, Text, named_part
from moa.core.values import quickly_made
from moa.core.view import CallView, View, folded
from moa.flows.agreement import agreement_of
from moa.flows.modes import Mode
from moa.server.refusals import Rejection
from moa.server.seen import seen

MOST_PROPOSERS = 32
MOST_PARTS = 64


class Picture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named part that is a picture: an https: or data: address."""

    image_url: str


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `moa` object of a request: what a caller may set. Times are in seconds, money in US dollars.

    `proposers`, `aggregator` and `layers` replace those of the mixture, by names of configured agents; `mode` is how much of it
    works ("full", "auto", or "solo": the aggregator alone, which `solo` says, too); `tag` is what its routes know the question by.
    `proposals`: give back what the proposers said (not behind a gate). While a stream is silent, `events` sends the events of the
    run, `progress` tells of them in words, as reasoning. `parts` are named parts of the question, which join its last user turn
    (docs/parts.md).
    """

    proposers: Annotated[tuple[str, ...], msgspec.Meta(max_length=MOST_PROPOSERS)] = ()
    aggregator: str = ""
    layers: int = 0
    deadline: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None
    max_cost: Annotated[float, msgspec.Meta(gt=0)] | None = None
    solo: bool = False
    mode: Mode | None = None
    tag: Annotated[str, msgspec.Meta(max_length=100)] = ""
    proposals: bool = False
    events: bool = False
    progress: bool = False
    parts: Annotated[dict[str, str | Picture], msgspec.Meta(max_length=MOST_PARTS)] = {}

    @property
    def shape(self) -> tuple[tuple[str, ...], str, int]:
        """What of it makes another mixture."""
        return self.proposers, self.aggregator, self.layers

    @property
    def reshapes(self) -> bool:
        """Whether it makes another mixture."""
        return any(self.shape)

    @property
    def told(self) -> Told:
        """How much of the mixture is to work, and the question's tag.

        Raises:
            Rejection: two modes are asked for.
        """
        if self.solo and self.mode not in (None, "solo"):
            raise Rejection(
                f'\'solo\' is mode "solo", and this request asks for mode "{self.mode}", too.',
                param="moa.mode",
                code="invalid_value",
            )
        return Told("solo" if self.solo else self.mode, self.tag)


@quickly_made
@dataclass(frozen=True, slots=True)
class Asked:
    """A request: of which model, what, in which form, and whether it is streamed. `usage`: a stream ends with what it has used."""

    model: str
    conversation: Conversation
    form: Form = PLAIN
    sampling: Sampling = Sampling()
    stream: bool = False
    usage: bool = False
    options: Options = Options()
    echo: Mapping[str, Any] = field(default_factory=dict)
    """What the protocol gives back as it came."""
    gated: bool = False
    """Whether what its models say may leave only as the answer."""


@quickly_made
@dataclass(frozen=True, slots=True)
class Answered:
    """What came of it: the reply, and the run behind it. `refusal`: the words in which a model declined, in place of a reply's."""

    reply: Reply
    view: View
    refusal: str = ""

    @classmethod
    def of(cls, events: tuple[Event, ...], *, gated: bool = False) -> Answered:
        """The answer that the events of a whole run hold."""
        last = events[-1].fact
        assert isinstance(last, RunFinished)
        return cls(last.reply, folded(seen(event, gated=gated) for event in events))


class Speaking(Protocol):
    """One answer being streamed in one protocol: each method gives the bytes to send."""

    def opening(self, run: str) -> bytes:
        """Sent at once, before anything is known."""
        ...

    def delta(self, delta: Delta) -> bytes:
        """A piece of the answer."""
        ...

    def aside(self, what: Mapping[str, Any]) -> bytes:
        """An event of the run, for clients that asked for those; standard ones skip it."""
        ...

    def progress(self, words: str) -> bytes:
        """A line on how the run stands, told as reasoning."""
        ...

    def closing(self, answered: Answered) -> bytes:
        """The end of an answer."""
        ...

    def failure(self, error: Exception) -> bytes:
        """The end of a run without an answer."""
        ...


class Dialect(Protocol):
    """One protocol: how a request is read and an answer written."""

    def read(self, body: Any) -> Asked:
        """What a body asks.

        Raises:
            Rejection, ConfigError: it is wrong; names the parameter.
        """
        ...

    def whole(self, asked: Asked, answered: Answered) -> Any:
        """The answer, not streamed."""
        ...

    def speaking(self, asked: Asked) -> Speaking:
        """The answer, streamed."""
        ...

    def refusal(self, error: Exception) -> Any:
        """The body of an error."""
        ...


def sent_of(body: Any, names: Iterable[str]) -> list[str]:
    """Which of these fields of a body were sent: what is taken and not used is named in the answer."""
    return [name for name in names if getattr(body, name) is not None]


def converted(body: Any, kind: type[Any]) -> Any:
    """A body as the typed request it should be.

    Raises:
        Rejection: it is none; names the parameter.
    """
    if not isinstance(body, dict):
        raise Rejection("the body must be a JSON object", code="invalid_type")
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        words, _, path = str(error).partition(" - at `$")
        param = path.rstrip("`").lstrip(".")
        if "unknown field" in words:
            name = words.rsplit("`", 2)[-2]
            param = f"{param}.{name}".lstrip(".")
            raise Rejection(
                f"Unrecognized request argument supplied: {name}", param=param, code="unknown_parameter"
            ) from None
        if "required field" in words:
            name = words.rsplit("`", 2)[-2]
            param = f"{param}.{name}".lstrip(".")
            raise Rejection(
                f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
            ) from None
        raise Rejection(
            f"Invalid value for '{param}': {words[0].lower()}{words[1:]}.", param=param, code="invalid_value"
        ) from None


def conversation(messages: list[Any]) -> Conversation:
    """OpenAI-shaped messages as a conversation. Where there are instructions alone, the last of them is the question: OpenAI
    answers such a request, but many hosts take none without a user's turn.

    Raises:
        Rejection: one of them is wrong; names it.
    """
    *before, last = messages
    if all(isinstance(one, dict) and one.get("role") in ("system", "developer") for one in messages):
        messages = [*before, {**last, "role": "user"}]
    try:
        return conversation_of([_spoken(one) for one in messages])
    except ConfigError as error:
        place = str(error).partition(": ")[0]
        param = place if place.startswith("messages[") else "messages"
        raise Rejection(str(error), param=param, code="invalid_value") from None


SHOWN_BELOW = "(an image, shown below)"
"""Where a tool's result holds an image: hosts take text there, so that it follows in a turn of the user's."""


def shown(result: str, images: Iterable[Part]) -> Iterator[Part]:
    """The images of a tool's result, of which it is said that they are its."""
    for image in images:
        yield Text(f"An image in the result of tool call {result}:")
        yield image


def _spoken(message: Any) -> Any:
    """A message with an assistant's refusal as its text: OpenAI's clients send it back in a field, or a part, of its own."""
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message
    content = message.get("content")
    if content is None and isinstance(message.get("refusal"), str):
        return {**message, "content": message["refusal"]}
    return {**message, "content": [_said(part) for part in content]} if isinstance(content, list) else message


def _said(part: Any) -> Any:
    match part:
        case {"type": "refusal", "refusal": str(text)}:
            return {"type": "text", "text": text}
    return part


def with_parts(asked: Asked) -> Asked:
    """The same request, with the named parts of its `moa` object in the conversation.

    Raises:
        Rejection: one of them cannot be a part; names it.
    """
    if not asked.options.parts:
        return asked
    parts = tuple(_part(name, said) for name, said in asked.options.parts.items())
    return replace(asked, conversation=joined(asked.conversation, parts))


def _part(name: str, said: str | Picture) -> Part:
    param = f"moa.parts.{name[:80]}"
    try:
        check_name(name, param)
    except ConfigError as error:
        raise Rejection(str(error), param=param, code="invalid_value") from None
    if isinstance(said, str) and not said.strip():
        raise Rejection(f"Invalid value for '{param}': it is empty; leave it out.", param=param, code="invalid_value")
    if isinstance(said, Picture) and not IMAGE_ADDRESS.match(said.image_url):
        raise Rejection(
            "Invalid image: an https: address, or data:image/png, jpeg, gif or webp in base64, is needed.",
            param=param,
            code="invalid_image_url",
        )
    return named_part(name, said if isinstance(said, str) else Image(said.image_url))


IMAGE_ADDRESS = re.compile(r"^(https://|data:image/(png|jpe?g|gif|webp);base64,)", re.IGNORECASE)
"""Where an image may lie: in the request, or where a provider may fetch it."""


def metadata(view: View, asked: Asked) -> dict[str, Any]:
    """The `moa` object of an answer: who took part, who failed and why, what it took."""
    from moa.core.money import by_role

    ended = [(call.role, call.cost) for call in view.calls if call.state == "done"]
    wasted = [(call.role, call.wasted) for call in view.calls if call.wasted != 0.0]
    told: dict[str, Any] = {
        "run": view.run,
        "mixture": view.mixture,
        "degraded": view.degraded,
        "seconds": round((view.ended or view.started) - view.started, 4),
        "cost": view.cost,
        "costs": dict(by_role(ended + wasted)),
        "usage": {
            "input_tokens": view.usage.input,
            "output_tokens": view.usage.output,
            "estimated": view.usage.estimated,
        },
        "agents": [_agent(call) for call in view.calls],
        "notes": list(view.notes),
    }
    if agreed := agreement_of(view):
        told["agreement"] = asdict(agreed)
    if asked.options.proposals and not asked.gated:
        told["proposals"] = [
            {"agent": call.agent, "model": call.model, "text": call.text}
            | ({"saw": list(call.saw)} if call.saw else {})
            for call in view.calls
            if call.role == "proposer" and call.state == "done"
        ]
    return told


def _agent(call: CallView) -> dict[str, Any]:
    told: dict[str, Any] = {
        "agent": call.agent,
        "model": call.model,
        "role": call.role,
        "state": call.state,
        "seconds": None if call.ended is None else round(call.ended - call.started, 4),
        "cost": call.cost,
    }
    return told | ({"cached": True} if call.cached else {}) | ({"problem": call.problem} if call.problem else {})
