"""A real GGUF that says what it is told: a language model whose every token has one successor, written by hand.

Its attention and feed-forward weights are zero, so what comes next follows from the last token alone: each token of the
script has a direction of its own in the embedding, and the output row of its successor points there. llama.cpp runs it like
any model; its chat template shows tools in the Hermes manner, so that llama.cpp's own server parses its tool calls. Which
script it starts is decided by the last token of the prompt: with tools it calls one, after a tool's result and without
tools it speaks. (A call with `tool_choice` "required" is not for it: llama.cpp's grammar wants tokens of another cut.)
"""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

CALL, DONE, SAY, END = "<|call|>", "<|done|>", "<|say|>", "<|end|>"
SPECIALS = ("<|bos|>", "<|user|>", CALL, DONE, SAY, END)
SCRIPTS = {
    CALL: ("<tool_call>\n", '{"name": "add", ', '"arguments": ', '{"a": 12, ', '"b": 30}', "}\n</tool_call>"),
    DONE: ("The sum", " is 42."),
    SAY: ("Hello", " there!"),
}
WIDTH = 32
TEMPLATE = """\
{{- '<|bos|>' -}}
{%- if tools -%}
{{- '<|user|># Tools\\n<tools>\\n' -}}
{%- for tool in tools -%}{{- (tool | tojson) + '\\n' -}}{%- endfor -%}
{{- '</tools>' -}}
{%- endif -%}
{%- for message in messages -%}
{%- if message.role == 'assistant' -%}
{{- '<|say|>' + (message.content or '') -}}
{%- for tool_call in message.tool_calls or [] -%}
{%- set call = tool_call.function or tool_call -%}
{{- '\\n<tool_call>\\n{"name": "' + call.name + '", "arguments": ' + (call.arguments | tojson) + '}\\n</tool_call>' -}}
{%- endfor -%}
{{- '<|end|>' -}}
{%- elif message.role == 'tool' -%}
{{- '<|user|><tool_response>\\n' + message.content + '\\n</tool_response>' -}}
{%- else -%}
{{- '<|user|>' + message.content -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{%- if messages[-1].role == 'tool' -%}{{- '<|done|>' -}}
{%- elif tools -%}{{- '<|call|>' -}}
{%- else -%}{{- '<|say|>' -}}
{%- endif -%}
{%- endif -%}
"""


def write(path: Path) -> None:
    """Write the model."""
    pieces = [piece for script in SCRIPTS.values() for piece in script]
    letters = _byte_letters()
    tokens = [*SPECIALS, *letters, *("".join(letters[byte] for byte in piece.encode()) for piece in pieces)]
    place = {token: number for number, token in enumerate(tokens)}
    after: dict[int, int] = {}
    for start, script in SCRIPTS.items():
        way = [start, *("".join(letters[byte] for byte in piece.encode()) for piece in script), END]
        after |= {place[token]: place[following] for token, following in pairwise(way)}
    assert len(after) < WIDTH
    embedding = [[0.01] * WIDTH for _ in tokens]
    output = [[0.0] * WIDTH for _ in tokens]
    for axis, (token, following) in enumerate(after.items()):
        embedding[token] = [float(axis == other) for other in range(WIDTH)]
        output[following][axis] = 10.0
    ones, square = [1.0] * WIDTH, [[0.0] * WIDTH for _ in range(WIDTH)]
    names = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    tensors = {
        "token_embd": embedding,
        "output": output,
        "output_norm": [ones],
        "blk.0.attn_norm": [ones],
        "blk.0.ffn_norm": [ones],
    } | {f"blk.0.{name}": square for name in names}
    _write(path, _settings(tokens), tensors)


def _settings(tokens: list[str]) -> dict[str, Any]:
    return {
        "general.architecture": "llama",
        "llama.context_length": 4096,
        "llama.embedding_length": WIDTH,
        "llama.block_count": 1,
        "llama.feed_forward_length": WIDTH,
        "llama.attention.head_count": 1,
        "llama.attention.head_count_kv": 1,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": WIDTH,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if token in SPECIALS else 1 for token in tokens],
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": SPECIALS.index(END),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }


def _byte_letters() -> list[str]:
    """The letter that stands for each byte in a byte-level vocabulary (GPT-2's): itself where it is printable."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(spare)) for byte in range(256)]


def _write(path: Path, settings: dict[str, Any], tensors: dict[str, list[list[float]]]) -> None:
    """The GGUF file format, version 3: settings, where each tensor lies, and the tensors."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(settings))
    for key, value in settings.items():
        head += _text(key) + _value(value)
    data = b""
    for name, rows in tensors.items():
        shape = (len(rows[0]),) if len(rows) == 1 else (len(rows[0]), len(rows))
        head += _text(f"{name}.weight") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)
        data += b"\0" * (-len(data) % 32)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + data)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _text(value)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value))
    return struct.pack("<IIQ", 9, 5, len(value)) + b"".join(struct.pack("<i", one) for one in value)
