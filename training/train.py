"""Train one model for a number of minutes: `python -m training.train --model p1 --minutes 20 --seed 1 --work FOLDER`.

A checkpoint is kept every five minutes; the same command takes up again where the last one was. Several processes may
share one run (`together`): each takes its part of every batch, and their gradients are averaged.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed, multiprocessing
from torch.nn import functional

from training import model as models
from training import tokenizer as tokenizers
from training.coverage import PROPOSERS
from training.data import WIDTHS, MakeChunk, Mask, Rows, Tokens, proposer_chunks
from training.model import Llama, Shape
from training.optim import Optimizer

CHECKPOINT_SECONDS = 300.0
WARM_UP_STEPS = 60
CONSTANT_SHARE = 0.4
LEAST_SCALE = 0.02
LOG_STEPS = 200
MUON_RATE, ADAM_RATE = 0.02, 3e-3  # of a proposer that starts from chance
Batch = tuple[Tokens, Mask]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does; the same plan and data give the same steps."""

    seconds: float
    seed: int
    muon_rate: float
    adam_rate: float
    batch_tokens: int = 3072


@dataclass(slots=True)
class Progress:
    """How far a run has come; kept in every checkpoint."""

    step: int = 0
    chunk: int = 0
    batch: int = 0
    seconds: float = 0.0


def rate_scale(step: int, done: float) -> float:
    """A short warm-up, constant for 40 % of the time, then down linearly."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return warm * (1.0 if done < CONSTANT_SHARE else max(LEAST_SCALE, (1 - done) / (1 - CONSTANT_SHARE)))


def _batches(rows: Rows, tokens: int, chance: np.random.RandomState) -> list[Batch]:
    """Rows of one width in batches of about so many tokens; what does not fill a batch is left out."""
    size = tokens // (rows.tokens.shape[1] - 1)
    order = chance.permutation(len(rows.tokens))[: len(rows.tokens) // size * size]
    return [(rows.tokens[chosen], rows.learnt[chosen]) for chosen in order.reshape(-1, size)]


def _shares(batches: list[Batch], workers: int) -> list[list[Batch]]:
    """Batches of one width, one for each worker at a time, so that none waits long for another."""
    return [batches[at : at + workers] for at in range(0, len(batches) - workers + 1, workers)]


def together(run: Callable[[int], None], workers: int) -> None:
    """Call `run` with its rank in so many processes that can reach each other; with one, just call it."""
    if workers == 1:
        run(0)
        return
    with tempfile.TemporaryDirectory() as meeting:
        multiprocessing.spawn(_worker, (run, workers, f"file://{meeting}/point", torch.get_num_threads()), workers)


def _worker(rank: int, run: Callable[[int], None], workers: int, meeting: str, threads: int) -> None:
    torch.set_num_threads(threads)
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=workers)
    run(rank)
    distributed.destroy_process_group()


class Run:
    """One model in training: its optimizer, its place in the data, its checkpoint file."""

    def __init__(self, model: Llama, plan: Plan, chunks: MakeChunk, checkpoint: Path) -> None:
        self.model, self.plan, self.chunks, self.checkpoint = model, plan, chunks, checkpoint
        shared = distributed.is_available() and distributed.is_initialized()
        self.rank, self.workers = (distributed.get_rank(), distributed.get_world_size()) if shared else (0, 1)
        matrices = [p for p in model.blk.parameters() if p.dim() == 2]
        self.optimizer = Optimizer(model, matrices, plan.muon_rate, plan.adam_rate)
        self.progress = Progress()
        self.counted = 0.0  # processor time of this process when it was last looked at
        self.hidden = torch.compile(model.hidden, dynamic=False)
        if checkpoint.exists():
            self._restore()
        self._load_chunk()

    def _restore(self) -> None:
        kept = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(kept["weights"])
        self.optimizer.restore(kept["optimizer"])
        self.progress = Progress(**kept["progress"])

    def keep(self) -> None:
        progress = {name: getattr(self.progress, name) for name in Progress.__slots__}
        models.save(self.model, self.checkpoint, optimizer=self.optimizer.state(), progress=progress)

    def _load_chunk(self) -> None:
        chance = np.random.RandomState(self.plan.seed + self.progress.chunk)
        self.batches = [
            share[self.rank]
            for rows in self.chunks(self.progress.chunk)
            for share in _shares(_batches(rows, self.plan.batch_tokens, chance), self.workers)
        ]
        chance.shuffle(self.batches)

    def _batch(self) -> tuple[Tensor, Tensor]:
        while self.progress.batch >= len(self.batches):
            self.progress.chunk += 1
            self.progress.batch = 0
            self._load_chunk()
        tokens, learnt = self.batches[self.progress.batch]
        self.progress.batch += 1
        return torch.from_numpy(tokens.astype(np.int64)), torch.from_numpy(learnt.astype(np.float32))[:, 1:]

    def step(self) -> float:
        tokens, learnt = self._batch()
        counted = learnt > 0  # a third to a half of the places; logits of the others would be for nothing
        with models.fast():
            logits = self.model.logits(self.hidden(tokens[:, :-1])[counted])
        losses = functional.cross_entropy(logits.float(), tokens[:, 1:][counted], reduction="none")
        loss = (losses * learnt[counted]).sum() / learnt.sum()
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        self._average()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step(rate_scale(self.progress.step, self.progress.seconds / self.plan.seconds))
        self.progress.step += 1
        return loss.item()

    def _average(self) -> None:
        """Count the processor time of this step; average it and the gradients over all workers, so that they agree on both."""
        now = time.process_time()
        self.progress.seconds, self.counted = self.progress.seconds + now - self.counted, now
        if self.workers == 1:
            return
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        flat = torch.cat([*(g.flatten() for g in gradients), torch.tensor([self.progress.seconds])])
        distributed.all_reduce(flat)
        flat /= self.workers
        self.progress.seconds = flat[-1].item()
        for gradient, mean in zip(gradients, flat[:-1].split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def go(self) -> None:
        """Train until the processor time is used up, that of each worker; that of earlier runs counts."""
        losses: list[float] = []
        kept = self.counted = time.process_time()
        while self.progress.seconds < self.plan.seconds:
            losses.append(self.step())
            if self.rank:
                continue
            if self.progress.step % LOG_STEPS == 0:
                print(f"step {self.progress.step} {self.progress.seconds:.0f} s loss {np.mean(losses):.4f}", flush=True)
                losses.clear()
            if self.counted - kept > CHECKPOINT_SECONDS:
                self.keep()
                kept = self.counted
        if not self.rank:
            self.keep()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=PROPOSERS, required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--thin-seed", type=int, help="of the run before: its few examples of thin skills again (that of --seed)"
    )
    parser.add_argument("--rate", type=float, default=1.0, help="share of the usual learning rates")
    parser.add_argument("--start", help="checkpoint to start from; none: from chance")
    parser.add_argument("--name", help="name of the checkpoint (the model's)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, required=True, help="folder of tokenizer.json and the checkpoints")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    plan = Plan(args.minutes * 60, args.seed, muon_rate=MUON_RATE * args.rate, adam_rate=ADAM_RATE * args.rate)
    tokenizer = tokenizers.load(args.work / "tokenizer.json")
    thin_seed = args.seed if args.thin_seed is None else args.thin_seed
    chunks = proposer_chunks(tokenizer, args.model, args.seed, thin_seed, WIDTHS)
    model = models.load(args.work / f"{args.start}.pt").train() if args.start else Llama(Shape())
    Run(model, plan, chunks, args.work / f"{args.name or args.model}.pt").go()


if __name__ == "__main__":
    main()
