"""Requests that chat front ends make by themselves: titles, tags, follow-ups. One cheap model does for them.

They are known by the prompts that these front ends (Open WebUI, LibreChat and their kin) ship with.
"""

from __future__ import annotations

import re

from moa.server.asked import Asked, Options

_OPEN_WEBUI = re.compile(
    r"\A\s*### Task:\s.{0,200}\b(title|tags?|follow-up|quer(y|ies)|emoji|autocomplet)", re.IGNORECASE | re.DOTALL
)
_TITLE = re.compile(
    r"\A\W*(please )?(provide|generate|create|write|summari[sz]e)\b.{0,80}\b(title|topic)\b.{0,120}\b(conversation|chat|words?)\b",
    re.IGNORECASE | re.DOTALL,
)
MOST = 20_000
"""Characters: a front end's own prompt is no longer."""


def is_background(asked: Asked) -> bool:
    """Whether a front end asks this by itself."""
    if asked.form.tools or asked.options.shape != Options().shape:
        return False
    text = asked.conversation[-1].text
    return len(text) <= MOST and bool(_OPEN_WEBUI.match(text) or (_TITLE.match(text) and "\n" in text))
