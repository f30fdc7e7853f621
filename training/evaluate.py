"""Measure the shipped files on held-out questions: `python -m training.evaluate --seed 20261122` prints the tables.

Everything runs through llama.cpp from the GGUF files, greedy, with no post-processing; an answer counts when it equals
the known one exactly, small and capital letters alike.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from training.coverage import PROPOSERS
from training.export import EMBEDDED
from training.llama import Member
from training.references import falsify, frame
from training.scoring import answer_of, is_right
from training.world import SKILLS, Question, questions, sample
from training.world.beyond import HONEST
from training.world.draft import Rng

PER_SKILL = 110
FOREIGN_PROMPTS = 200
RESAMPLES = 2000
Replies = Sequence[str]


def vote(replies: Replies, rng: Rng) -> str | None:
    """The answer most replies give; chance among equals."""
    counts = Counter(answer for answer in map(answer_of, replies) if answer)
    best = [answer for answer, number in counts.items() if number == max(counts.values())]
    return rng.choice(best) if best else None


def interval(right: Sequence[bool], seed: int = 0) -> str:
    """Percentage with its 95 % bootstrap interval."""
    values = np.array(right, float)
    chosen = np.random.RandomState(seed).randint(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[chosen].mean(1), (2.5, 97.5))
    return f"{100 * values.mean():.1f} ({100 * low:.1f}-{100 * high:.1f})"


def _asks(skill: str, question: Question) -> bool:
    return question.skill == skill


@dataclass(slots=True)
class Report:
    """Columns of right and wrong, one per way to answer, over the same questions."""

    questions: Sequence[Question]
    columns: dict[str, list[bool]] = field(default_factory=dict)

    def add(self, name: str, replies: Replies) -> list[bool]:
        self.columns[name] = [is_right(r, q) for r, q in zip(replies, self.questions, strict=True)]
        return self.columns[name]

    def _share(self, right: Sequence[bool], keep: Callable[[Question], bool]) -> str:
        kept = [r for r, q in zip(right, self.questions, strict=True) if keep(q)]
        return f"{100 * sum(kept) / len(kept):.0f}"

    def table(self) -> str:
        """A markdown table: a row per skill, then seen and unseen phrasings, then all."""
        names = list(self.columns)
        lines = ["| | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]

        def row(title: str, keep: Callable[[Question], bool]) -> None:
            cells = (self._share(self.columns[name], keep) for name in names)
            lines.append(f"| {title} | " + " | ".join(cells) + " |")

        for skill in SKILLS:
            row(skill, partial(_asks, skill))
        row("seen phrasings", lambda q: q.seen_phrasing)
        row("unseen phrasings", lambda q: not q.seen_phrasing)
        totals = (interval(self.columns[name]) for name in names)
        return "\n".join([*lines, "| **all** | " + " | ".join(totals) + " |"])


class Mixture:
    """The proposers' replies, shuffled, framed and given to the aggregator."""

    def __init__(self, folder: Path) -> None:
        self.proposers = {name: Member(folder / f"{name}.gguf") for name in PROPOSERS}
        self.aggregator = Member(folder / "aggregator.gguf")

    def propose(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """Every proposer's reply to every text."""
        return list(zip(*(member.ask(texts) for member in self.proposers.values()), strict=True))

    def combine(self, texts: Sequence[str], replies: Sequence[Replies], seed: int) -> list[str]:
        rng = Rng(seed)
        shown = [[text for text in rng.sample(list(row), len(row)) if text.strip()] for row in replies]
        return self.aggregator.ask([frame(text, row) for text, row in zip(texts, shown, strict=True)])


def spoilt(replies: Sequence[Replies], seed: int, lies: bool) -> list[list[str]]:
    """One proposer after the other falsifies its answer, or gives its answer to another question."""
    rng, rows = Rng(seed), []
    for number, row in enumerate(replies):
        victim = number % len(row)
        other = falsify(row[victim], rng) if lies else rng.choice(replies)[victim]
        rows.append([other if place == victim else text for place, text in enumerate(row)])
    return rows


def any_right(replies: Sequence[Replies], asked: Sequence[Question]) -> list[bool]:
    return [any(is_right(text, question) for text in row) for row, question in zip(replies, asked, strict=True)]


def measure(mixture: Mixture, asked: Sequence[Question], seed: int) -> tuple[Report, list[tuple[str, ...]]]:
    texts = [question.text for question in asked]
    replies = mixture.propose(texts)
    report, rng = Report(asked), Rng(seed)
    for place, name in enumerate(PROPOSERS):
        report.add(name, [row[place] for row in replies])
    report.add("aggregator alone", mixture.aggregator.ask(texts))
    votes = [vote(row, rng) for row in replies]
    report.columns["vote"] = [v == q.answer.lower() for v, q in zip(votes, asked, strict=True)]
    report.columns["any of four"] = any_right(replies, asked)
    report.add("mixture", mixture.combine(texts, replies, seed))
    return report, replies


def report_robustness(mixture: Mixture, report: Report, replies: Sequence[Replies], seed: int) -> None:
    """What is lost with one spoilt proposer, with empty references, and what a second layer does."""
    asked = report.questions
    texts = [question.text for question in asked]
    without = [[text for place, text in enumerate(row) if place != n % len(row)] for n, row in enumerate(replies)]
    print(f"any of the three others: {interval(any_right(without, asked))}")
    for title, rows in (
        ("one proposer missing", without),
        ("one proposer lies", spoilt(replies, seed, lies=True)),
        ("one proposer answers another question", spoilt(replies, seed, lies=False)),
        ("references empty", [[] for _ in replies]),
    ):
        print(f"mixture, {title}: {interval(Report(asked).add('', mixture.combine(texts, rows, seed)))}")
    second = mixture.propose([frame(text, row) for text, row in zip(texts, replies, strict=True)])
    print(f"two layers: {interval(Report(asked).add('', mixture.combine(texts, second, seed)))}")


def report_by_agreement(report: Report) -> None:
    """How the mixture does by how many of the four are right."""
    counts = [sum(report.columns[name][i] for name in PROPOSERS) for i in range(len(report.questions))]
    for number in range(len(PROPOSERS) + 1):
        chosen = [i for i, count in enumerate(counts) if count == number]
        if chosen:
            rates = (f"{100 * np.mean([report.columns[c][i] for i in chosen]):.0f}" for c in ("vote", "mixture"))
            print(f"{number} right: {100 * len(chosen) / len(counts):.1f} % of questions; vote, mixture:", *rates)


def report_foreign(mixture: Mixture, asked: Sequence[Question], replies: Sequence[Replies], seed: int) -> None:
    """How often the honest sentence is given, where it should be and where it should not."""
    rng = Rng(f"{seed} foreign")
    texts = [sample(rng, "beyond", held_out=True).text for _ in range(FOREIGN_PROMPTS)]
    honest = [text == HONEST for text in mixture.combine(texts, mixture.propose(texts), seed)]
    own = [i for i, question in enumerate(asked) if question.answer != HONEST]
    final = mixture.combine([asked[i].text for i in own], [replies[i] for i in own], seed)
    print(f"foreign prompts with the honest sentence: {interval(honest)}")
    print(f"own questions with the honest sentence: {interval([text == HONEST for text in final])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--per-skill", type=int, default=PER_SKILL)
    parser.add_argument("--folder", type=Path, default=EMBEDDED, help="where the GGUF files are")
    args = parser.parse_args()
    mixture = Mixture(args.folder)
    report, replies = measure(mixture, questions(args.per_skill, args.seed), args.seed)
    print(report.table(), end="\n\n")
    report_by_agreement(report)
    report_robustness(mixture, report, replies, args.seed)
    report_foreign(mixture, report.questions, replies, args.seed)


if __name__ == "__main__":
    main()
