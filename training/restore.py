"""Take the models that ship up again: `python -m training.restore --work FOLDER` makes a checkpoint of each
(`shipped-p1.pt` and so on: what `--start` may name) and the common tokenizer.

The weights are those of the files, so a model that goes on from here is its former self to within a 254th of each block's
largest weight (q8_0; a sixteenth in the layers of q4_0). The tokenizer is the one in the files, whatever the world has become
since it was made.
"""

import argparse
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer

from training import model
from training.export import EMBEDDED, MEMBERS
from training.files import write_text
from training.model import Llama, Shape
from training.tokenizer import assembled

FIELDS = {
    "context": "context_length",
    "width": "embedding_length",
    "layers": "block_count",
    "hidden": "feed_forward_length",
    "heads": "attention.head_count",
    "kv_heads": "attention.head_count_kv",
    "epsilon": "attention.layer_norm_rms_epsilon",
    "rope_base": "rope.freq_base",
    "vocabulary": "vocab_size",
}


def restore(path: Path) -> Llama:
    """The model of a GGUF file."""
    reader = gguf.GGUFReader(path)
    shape = Shape(**{name: reader.fields[f"llama.{key}"].contents() for name, key in FIELDS.items()})
    weights = {
        tensor.name: torch.from_numpy(np.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type), np.float32))
        for tensor in reader.tensors
    }
    found = Llama(shape)
    found.load_state_dict(weights)
    return found


def tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a GGUF file."""
    fields = gguf.GGUFReader(path).fields
    symbols, merges = fields["tokenizer.ggml.tokens"].contents(), fields["tokenizer.ggml.merges"].contents()
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    return assembled(symbols, pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for tokenizer.json and the checkpoints")
    parser.add_argument("--folder", type=Path, default=EMBEDDED, help="where the GGUF files are")
    parser.add_argument("--prefix", default="shipped-", help="what the names of the checkpoints begin with")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for name in MEMBERS:
        model.save(restore(args.folder / f"{name}.gguf"), args.work / f"{args.prefix}{name}.pt")
    write_text(args.work / "tokenizer.json", tokenizer(args.folder / f"{MEMBERS[0]}.gguf").to_str())


if __name__ == "__main__":
    main()
