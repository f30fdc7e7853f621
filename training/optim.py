"""Muon for the matrices, AdamW for the rest: at these sizes and minutes about twice as far as AdamW alone."""

from typing import Any

import torch
from torch import Tensor, nn

from training.model import FAST

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonal(update: Tensor, rounds: int = 4) -> Tensor:
    """The nearest semi-orthogonal matrices to a batch of updates, by a few Newton-Schulz rounds."""
    tall = update.shape[-2] > update.shape[-1]
    x = update.to(FAST)
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(rounds):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).float()


class Muon:
    """Momentum, made orthogonal; matrices of one shape are handled as one batch."""

    def __init__(self, parameters: list[nn.Parameter], momentum: float = 0.95, decay: float = 0.01) -> None:
        self.momentum, self.decay = momentum, decay
        self.groups: dict[tuple[int, ...], list[nn.Parameter]] = {}
        for parameter in parameters:
            self.groups.setdefault(tuple(parameter.shape), []).append(parameter)
        self.buffers = {shape: torch.zeros(len(group), *shape) for shape, group in self.groups.items()}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for shape, group in self.groups.items():
            gradients = torch.stack([p.grad for p in group if p.grad is not None])
            buffer = self.buffers[shape]
            buffer.lerp_(gradients, 1 - self.momentum)
            update = orthogonal(gradients.lerp(buffer, self.momentum)) * max(1.0, shape[0] / shape[1]) ** 0.5
            for parameter, change in zip(group, update, strict=True):
                parameter.mul_(1 - rate * self.decay).add_(change, alpha=-rate)


class Optimizer:
    """Both together, with one scale for their rates."""

    def __init__(self, model: nn.Module, matrices: list[nn.Parameter], muon_rate: float, adam_rate: float) -> None:
        chosen = {id(p) for p in matrices}
        rest = [p for p in model.parameters() if id(p) not in chosen]
        self.muon, self.muon_rate = Muon(matrices), muon_rate
        self.adam_rate = adam_rate
        self.adam = torch.optim.AdamW(rest, lr=adam_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True)

    def step(self, scale: float) -> None:
        for group in self.adam.param_groups:
            group["lr"] = self.adam_rate * scale
        self.adam.step()
        self.muon.step(self.muon_rate * scale)

    def state(self) -> dict[str, Any]:
        return {"adam": self.adam.state_dict(), "muon": list(self.muon.buffers.values())}

    def restore(self, state: dict[str, Any]) -> None:
        self.adam.load_state_dict(state["adam"])
        self.muon.buffers = dict(zip(self.muon.buffers, state["muon"], strict=True))
