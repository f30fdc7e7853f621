"""Ask a model many things at once: batched generation in PyTorch with a cache of keys and values."""

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from training.model import FAST, Llama, fast
from training.tokenizer import END

Prompts = Sequence[Sequence[int]]


class Batch:
    """Prompts aligned at their right end, with the cache that grows to the right of them."""

    def __init__(self, model: Llama, prompts: Prompts, longest: int) -> None:
        self.model, self.shape = model, model.shape
        lengths = [len(prompt) for prompt in prompts]
        self.start = max(lengths)
        self.ids = torch.full((len(prompts), self.start + longest), END)
        for row, prompt in enumerate(prompts):
            self.ids[row, self.start - len(prompt) : self.start] = torch.tensor(prompt)
        self.offset = self.start - torch.tensor(lengths)
        self.places = (torch.arange(self.ids.shape[1])[None] - self.offset[:, None]).clamp(min=0)
        size = (len(prompts), self.shape.kv_heads, self.ids.shape[1], self.shape.head_width)
        self.keys = [torch.zeros(size, dtype=FAST) for _ in range(self.shape.layers)]
        self.values = [torch.zeros_like(keys) for keys in self.keys]

    def logits(self, first: int, end: int) -> Tensor:
        """What comes after column `end - 1`, columns `first` to `end` being new."""
        columns = torch.arange(end)
        seen = (columns[None, None] <= columns[first:, None]) & (columns[None, None] >= self.offset[:, None, None])
        seen |= ~seen.any(-1, keepdim=True)
        places = self.places[:, first:end]
        cos, sin = self.model.cos[places][:, None], self.model.sin[places][:, None]
        with fast():
            x = self.model.token_embd(self.ids[:, first:end])
            for block, keys, values in zip(self.model.blk, self.keys, self.values, strict=True):
                q, keys[:, :, first:end], values[:, :, first:end] = block.project(x, cos, sin)
                known = keys[:, :, :end], values[:, :, :end]
                attended = functional.scaled_dot_product_attention(
                    q.to(FAST), *known, attn_mask=seen[:, None], enable_gqa=True
                )
                x = block.finish(x, attended)
            return self.model.logits(x[:, -1]).float()


@torch.no_grad()
def _complete(model: Llama, prompts: Prompts, longest: int, temperature: float, chance: torch.Generator) -> Tensor:
    batch = Batch(model, prompts, longest)
    done = torch.zeros(len(prompts), dtype=torch.bool)
    first = 0
    for end in range(batch.start, batch.ids.shape[1]):
        logits = batch.logits(first, end)
        if temperature:
            chosen = torch.multinomial((logits / temperature).softmax(-1), 1, generator=chance)[:, 0]
        else:
            chosen = logits.argmax(-1)
        batch.ids[:, end] = torch.where(done, END, chosen)
        done |= chosen == END
        first = end
        if done.all():
            break
    return batch.ids[:, batch.start :]


def generate(
    model: Llama,
    tokenizer: Tokenizer,
    prompts: Prompts,
    temperature: float = 0.0,
    seed: int = 0,
    longest: int = 120,
    size: int = 256,
) -> list[str]:
    """One completion for each prompt, in order; prompts of like length share a batch."""
    chance = torch.Generator().manual_seed(seed)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    texts = [""] * len(prompts)
    for begin in range(0, len(order), size):
        chosen = order[begin : begin + size]
        ids = _complete(model, [prompts[i] for i in chosen], longest, temperature, chance)
        for i, row in zip(chosen, ids.tolist(), strict=True):
            reply = row[: row.index(END)] if END in row else row
            texts[i] = tokenizer.decode(reply, skip_special_tokens=True)
    return texts
