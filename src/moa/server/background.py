"""Requests that chat front ends make by themselves: titles, tags, follow-ups. One cheap model does for them.

They are known by how the prompts begin that these front ends ship with: Open WebUI (backend/open_webui/config.py), LibreChat
(@librechat/agents, src/utils/title.ts), NextChat (app/locales/en.ts), and who asks for "a title for the conversation" as these do.
"""

from __future__ import annotations

import re

from moa.server.asked import Asked

_BEGINNINGS = (
    r"### Task:\s+(generate|create) a concise,? [^.\n]{0,60}\btitle\b[^.\n]{0,60}\bchat history\b",
    r"### Task:\s+generate 1-3 broad tags categorizing the main themes of the chat history\b",
    r"### Task:\s+suggest 3-5 relevant follow-up questions or prompts\b",
    r"### Task:\s+analyze the chat history to determine the necessity of generating search queries\b",
    r"### Task:\s+generate a detailed prompt for a[nm] image generation task based on the given language and context\b",
    r"### Task:\s+you are an autocompletion system\.",
    r"your task is to reflect the speaker's likely facial expression through a fitting emoji\.",
    r"(please )?(provide|generate|create|write) an? [^.\n]{0,60}\btitle (for|of|summari[sz]ing) (the|this|our) "
    r"(conversation|chat|discussion)(?=[ ]*(?:[.,:;\n]|\Z)|[ ](without|using|with|in)\b)",
    r"please generate a concise title \(max \d+ characters\) for a conversation that starts with\b",
    r"analyze this conversation and provide:\s+1\. the detected language\b",
    r"summari[sz]e (the|our) discussion briefly in 200 words or less to use as a prompt for future context\.",
)
_OWN = re.compile(rf"\s*(?:{'|'.join(_BEGINNINGS)})", re.IGNORECASE)
MOST = 20_000
"""Characters: a front end's own prompt is no longer."""


def is_background(asked: Asked) -> bool:
    """Whether a front end asks this by itself."""
    options = asked.options
    if asked.form.tools or options.solo or options.mode is not None or options.reshapes:
        return False
    text = asked.conversation[-1].text
    return len(text) <= MOST and _OWN.match(text) is not None
