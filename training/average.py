"""The mean of several checkpoints' weights: `python -m training.average a b --name c --work FOLDER` makes c.pt of a.pt and b.pt.

Runs that follow one another end in one valley of the loss, and its middle answers what is new better than its rim ("Averaging
Weights Leads to Wider Optima", Izmailov et al., https://arxiv.org/abs/1803.05407).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from training import model
from training.model import Llama


def average(models: Sequence[Llama]) -> Llama:
    """A model whose every weight is the mean of theirs, which are of one shape."""
    kept = [one.state_dict() for one in models]
    mean = Llama(models[0].shape)
    mean.load_state_dict({name: torch.stack([weights[name] for weights in kept]).mean(0) for name in kept[0]})
    return mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", help="their names, without .pt")
    parser.add_argument("--name", required=True, help="name of the checkpoint to make")
    parser.add_argument("--work", type=Path, required=True, help="folder of the checkpoints")
    args = parser.parse_args()
    for name in args.checkpoints:
        if not (args.work / f"{name}.pt").is_file():
            parser.error(f"there is no {name}.pt in {args.work}; train it first, or name another")
    mean = average([model.load(args.work / f"{name}.pt") for name in args.checkpoints])
    model.save(mean, args.work / f"{args.name}.pt")


if __name__ == "__main__":
    main()
