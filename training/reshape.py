"""Make a smaller model to train the aggregator from: `python -m training.reshape p3 --name small --layers 0 1 3 --work FOLDER`.

It keeps the named layers only, and gets a row in its embedding for each piece of the frame (`tokenizer.FRAME`): the mean of the
tokens it stands for. Such a model answers badly until it has been trained on ("ShortGPT: Layers in Large Language Models are More
Redundant Than You Expect", Men et al., https://arxiv.org/abs/2403.03853).
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from training import model as models
from training import tokenizer as tokenizers
from training.model import Llama
from training.tokenizer import FRAME, VOCABULARY


def keep_layers(model: Llama, layers: Sequence[int]) -> Llama:
    """The same model of these layers only, in this order."""
    smaller = Llama(replace(model.shape, layers=len(layers)))
    kept = {name: weight for name, weight in model.state_dict().items() if not name.startswith("blk.")}
    smaller.load_state_dict(kept, strict=False)
    for new, old in zip(smaller.blk, layers, strict=True):
        new.load_state_dict(model.blk[old].state_dict())
    return smaller


def learn_frame(model: Llama, common: Tokenizer) -> Llama:
    """The same model with tokens for the pieces of the frame; one that has them stays as it is."""
    if model.shape.vocabulary > VOCABULARY:
        return model
    weights = model.state_dict()
    rows = [_mean(weights["token_embd.weight"], common.encode(piece, add_special_tokens=False).ids) for piece in FRAME]
    weights["token_embd.weight"] = torch.cat([weights["token_embd.weight"], torch.stack(rows)])
    larger = Llama(replace(model.shape, vocabulary=VOCABULARY + len(FRAME)))
    larger.load_state_dict(weights)
    return larger


def _mean(embedding: Tensor, ids: Sequence[int]) -> Tensor:
    return embedding[list(ids)].mean(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", help="name of the checkpoint to start from, without .pt")
    parser.add_argument("--name", required=True, help="name of the checkpoint to make")
    parser.add_argument("--layers", type=int, nargs="+", default=[0, 1, 3], help="the layers to keep, from 0 on")
    parser.add_argument("--work", type=Path, required=True, help="folder of tokenizer.json and the checkpoints")
    args = parser.parse_args()
    model = models.load(args.work / f"{args.start}.pt")
    if not set(args.layers) <= set(range(model.shape.layers)):
        parser.error(f"{args.start} has layers 0 to {model.shape.layers - 1}; keep some of these")
    common = tokenizers.load(args.work / "tokenizer.json")
    models.save(learn_frame(keep_layers(model, args.layers), common), args.work / f"{args.name}.pt")


if __name__ == "__main__":
    main()
