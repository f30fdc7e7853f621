"""Make the aggregator: sample the exported proposers, then train on their replies.

`python -m training.aggregator sample --model p1 --work FOLDER` once for each proposer, then
`python -m training.reshape p3 --name small --layers 0 1 3 --work FOLDER` and
`python -m training.aggregator train --start small --minutes 35 --seed 5 --work FOLDER`.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from tokenizers import Tokenizer

from training import model as models
from training import tokenizer as tokenizers
from training.coverage import PROPOSERS
from training.data import Example, MakeChunk, Rows, pack
from training.export import EMBEDDED
from training.files import write_text
from training.llama import Member
from training.references import (
    ENOUGH,
    TURNS,
    Part,
    Spoiler,
    frame,
    lesson,
    load_asked,
    measure_trust,
    training_questions,
    twins_of,
)
from training.tokenizer import END, answer_ids, prompt_ids
from training.train import Plan, Run, together
from training.world import Question
from training.world.beyond import HONEST
from training.world.draft import Rng

SHAPE = models.Shape(vocabulary=tokenizers.VOCABULARY + len(tokenizers.FRAME), layers=3)
QUESTIONS = 28_000
WARM = 0.7
WIDTHS = (128, 256, 384, 512, 640)
CHUNK_EXAMPLES = 8_000
KEPT_EVERY = 2_000


def sample_proposer(folder: Path, work: Path, name: str, count: int) -> None:
    """Keep one proposer's replies: to half of each skill's questions greedy, as the shipped mixture asks, else at 0.7.

    And its greedy ones to twins of some (`references.twin`).
    """
    path = folder / f"{name}.gguf"
    member, parts = Member(path), work / f"sampled-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    asked = training_questions(count)
    rounds = [number // len(TURNS) % 2 for number in range(count)]  # the questions take the skills in turn
    cold, warm = ([one.text for one, odd in zip(asked, rounds, strict=True) if odd == wanted] for wanted in (0, 1))
    greedy = iter(ask_on(member, cold, parts / "greedy.json"))
    drawn = iter(ask_on(member, warm, parts / "warm.json", WARM, PROPOSERS.index(name) * count))
    write_text(work / f"replies-{name}.json", json.dumps([next(drawn if odd else greedy) for odd in rounds]))
    write_text(work / f"twins-{name}.json", json.dumps(ask_on(member, twins_of(name, asked), parts / "twins.json")))


def ask_on(member: Member, texts: Sequence[str], path: Path, temperature: float = 0.0, seed: int = 0) -> list[str]:
    """Ask so many at a time and keep what has come; asked again, it goes on where it was."""
    replies: list[str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    for at in range(len(replies), len(texts), KEPT_EVERY):
        replies += member.ask(texts[at : at + KEPT_EVERY], temperature, seed + at)
        write_text(path, json.dumps(replies))
    return replies


def aggregator_chunks(tokenizer: Tokenizer, work: Path, seed: int, beyond: int = 1, enough: int = ENOUGH) -> MakeChunk:
    """Chunks of questions with their references, spoilt anew each time one comes round; what is beyond the world comes so often.
    `enough` is that of a lesson."""
    asked = load_asked(work)
    trust, spoiler = measure_trust(asked), Spoiler(asked)
    drawn = asked + [one for one in asked if one.question.answer == HONEST] * (beyond - 1)

    def chunk(index: int) -> tuple[Rows, ...]:
        rng = Rng(f"{seed} aggregator chunk {index}")
        examples: list[Example] = []
        for one in rng.sample(drawn, min(CHUNK_EXAMPLES, len(drawn))):
            shown = spoiler.show(one, rng)
            text = frame(one.question.text, [reference.text for reference in shown])
            reply, weights = reply_to_learn(tokenizer, one.question, lesson(one.question, shown, trust, enough))
            examples.append((prompt_ids(tokenizer, text), reply, weights))
        return pack(examples, WIDTHS)

    return chunk


def reply_to_learn(tokenizer: Tokenizer, question: Question, parts: Sequence[Part]) -> tuple[list[int], list[int]]:
    """The tokens of a reply, and what each counts in the loss."""
    ids: list[int] = []
    weights: list[int] = []
    for part in parts:
        piece = answer_ids(tokenizer, question) if part.worked_out else tokenizer.encode(part.text).ids
        ids += piece
        weights += [part.weight] * len(piece)
    return [*ids, END], [*weights, 1]


def train(work: Path, start: str | None, plan: Plan, name: str, beyond: int, enough: int, rank: int) -> None:
    """Train from the weights of one that already knows the tokens (`reshape`), or from chance; one worker of perhaps several."""
    torch.manual_seed(plan.seed)
    tokenizer = tokenizers.load(work / "tokenizer.json", framed=True)
    model = models.load(work / f"{start}.pt").train() if start else models.Llama(SHAPE)
    if model.shape.vocabulary != SHAPE.vocabulary:
        raise SystemExit(f"{start} has no tokens for the frame; make one that has with python -m training.reshape")
    Run(model, plan, aggregator_chunks(tokenizer, work, plan.seed, beyond, enough), work / f"{name}.pt").go()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    sampling, training = steps.add_parser("sample"), steps.add_parser("train")
    sampling.add_argument("--model", choices=PROPOSERS, required=True)
    sampling.add_argument("--count", type=int, default=QUESTIONS)
    sampling.add_argument("--folder", type=Path, default=EMBEDDED, help="where the proposers' GGUF files are")
    training.add_argument("--start", help="checkpoint to start from; none: from chance")
    training.add_argument("--minutes", type=float, default=35.0)
    training.add_argument("--seed", type=int, default=5)
    training.add_argument("--rate", type=float, default=1.0, help="share of the usual learning rates")
    training.add_argument("--beyond", type=int, default=1, help="how often what is beyond the world comes")
    training.add_argument(
        "--enough", type=int, default=ENOUGH, help="how many that call a question beyond are believed"
    )
    training.add_argument("--workers", type=int, default=1, help="processes that share the run")
    training.add_argument("--name", default="aggregator", help="name of the checkpoint")
    for step in (sampling, training):
        step.add_argument("--work", type=Path, required=True, help="folder of tokenizer.json and the checkpoints")
        step.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.step == "sample":
        sample_proposer(args.folder, args.work, args.model, args.count)
    else:
        plan = Plan(args.minutes * 60, args.seed, muon_rate=0.015 * args.rate, adam_rate=2e-3 * args.rate)
        together(partial(train, args.work, args.start, plan, args.name, args.beyond, args.enough), args.workers)


if __name__ == "__main__":
    main()
