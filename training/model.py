"""A small Llama, as llama.cpp runs it: RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied embedding."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.files import whole

FAST = torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16") else torch.float32
"""What matrices are multiplied in: a processor without instructions for bfloat16 takes ten times as long in it as in float32."""


def fast() -> torch.autocast:
    """Multiply in it."""
    return torch.autocast("cpu", torch.bfloat16, enabled=FAST is torch.bfloat16)


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a model; `context` is the longest input it may be shown."""

    vocabulary: int = 1024
    width: int = 128
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 352
    context: int = 1024
    epsilon: float = 1e-5
    rope_base: float = 10000.0

    @property
    def head_width(self) -> int:
        return self.width // self.heads


def rotary_tables(shape: Shape) -> tuple[Tensor, Tensor]:
    powers = torch.arange(0, shape.head_width, 2).float() / shape.head_width
    angles = torch.outer(torch.arange(shape.context).float(), 1.0 / shape.rope_base**powers)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Interleaved rotary positions, the order GGUF expects without permutation; x is batch, head, place, width."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class Norm(nn.Module):
    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight, self.epsilon)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention written out: compiled, it is twice as fast on a CPU as the fused one at these lengths."""
    batch, heads, places, width = q.shape
    groups = k.shape[1]
    scores = q.reshape(batch, groups, -1, width) @ k.transpose(-1, -2)
    scores = scores.reshape(batch, heads, places, places).float() * width**-0.5
    causal = torch.ones(places, places, dtype=torch.bool).tril()
    weights = scores.masked_fill(~causal, -torch.inf).softmax(-1).to(v.dtype)
    return (weights.reshape(batch, groups, -1, places) @ v).reshape(batch, heads, places, width)


class Block(nn.Module):
    """One layer; the parameter names are those of the GGUF tensors."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width, kv_width = shape.width, shape.kv_heads * shape.head_width
        self.attn_norm = Norm(width, shape.epsilon)
        self.ffn_norm = Norm(width, shape.epsilon)
        self.attn_q = nn.Linear(width, width, bias=False)
        self.attn_k = nn.Linear(width, kv_width, bias=False)
        self.attn_v = nn.Linear(width, kv_width, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_gate = nn.Linear(width, shape.hidden, bias=False)
        self.ffn_up = nn.Linear(width, shape.hidden, bias=False)
        self.ffn_down = nn.Linear(shape.hidden, width, bias=False)

    def project(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of the normalised input, queries and keys already rotated."""
        batch, places, _ = x.shape
        h = self.attn_norm(x)
        q, k, v = (
            part(h).view(batch, places, -1, self.shape.head_width).transpose(1, 2)
            for part in (self.attn_q, self.attn_k, self.attn_v)
        )
        return rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype), v

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """The rest of the layer, once attention has been taken."""
        x = x + self.attn_output(attended.transpose(1, 2).flatten(2))
        h = self.ffn_norm(x)
        return x + self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        q, k, v = self.project(x, cos, sin)
        return self.finish(x, attend(q, k, v))


class Llama(nn.Module):
    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape.width, shape.epsilon)
        cos, sin = rotary_tables(shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        return self.logits(self.hidden(ids))

    def hidden(self, ids: Tensor) -> Tensor:
        """What the layers make of each place, before it is turned into logits."""
        x = self.token_embd(ids)
        places = ids.shape[1]
        for block in self.blk:
            x = block(x, self.cos[:places], self.sin[:places])
        return x

    def logits(self, x: Tensor) -> Tensor:
        return functional.linear(self.output_norm(x), self.token_embd.weight)


def save(model: Llama, path: Path, **more: Any) -> None:
    with whole(path) as temporary:
        torch.save({"shape": asdict(model.shape), "weights": model.state_dict(), **more}, temporary)


def load(path: Path) -> Llama:
    kept = torch.load(path, weights_only=True)
    model = Llama(Shape(**kept["shape"]))
    model.load_state_dict(kept["weights"])
    return model.eval()
