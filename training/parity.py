"""Check that a GGUF file answers as its PyTorch model does: `python -m training.parity --model p1 --work FOLDER`.

Worth running after one minute of training, before a long run. Both round differently, so in a young model a few replies
part where two tokens are nearly as likely; many that part mean a wrong tokenizer, template or tensor.
"""

import argparse
from pathlib import Path

import torch

from training import model as models
from training import tokenizer as tokenizers
from training.export import EMBEDDED, MEMBERS
from training.llama import Member
from training.sample import generate
from training.world import questions

SEED = 5
PER_SKILL = 8
LEAST_EQUAL = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MEMBERS, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of tokenizer.json and the checkpoints")
    parser.add_argument("--folder", type=Path, default=EMBEDDED, help="where the GGUF files are")
    args = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = tokenizers.load(args.work / "tokenizer.json", framed=args.model == "aggregator")
    texts = [question.text for question in questions(PER_SKILL, SEED)]
    prompts = [tokenizers.prompt_ids(tokenizer, text) for text in texts]
    ours = generate(models.load(args.work / f"{args.model}.pt"), tokenizer, prompts)
    theirs = Member(args.folder / f"{args.model}.gguf").ask(texts)
    equal = sum(a == b for a, b in zip(ours, theirs, strict=True))
    print(f"{args.model}: {equal} of {len(texts)} greedy replies equal")
    if equal < LEAST_EQUAL * len(texts):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
