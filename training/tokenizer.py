"""The common tokenizer: byte-level BPE whose merges only grow from the left end of a word.

A token of several letters thus starts with a space, a capital or a sign. A word in quotes has none of these in front,
so it is read letter by letter, and digits are always single: what the models must look at piece by piece, they see
piece by piece.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from training.files import write_text
from training.manners import MANNERS, working
from training.world import SKILLS, Question, sample
from training.world.beyond import HONEST
from training.world.draft import Rng

SPECIALS = ("<|bos|>", "<|user|>", "<|asst|>", "<|end|>")
BOS, USER, ASSISTANT, END = range(len(SPECIALS))
VOCABULARY = 1024
FRAME = ("\n\nResponse ", "\n>", "\n> Answer:")
"""Pieces of the frame of references, each one token of the aggregator's beside the common ones: a ninth less to read."""
CORPUS_SEED = 1
CORPUS_PER_SKILL = 3000
SPACE = "Ġ"
SPLITTER = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def corpus() -> list[str]:
    """Questions of every skill with the working in every manner, and the pieces of the aggregator's frame."""
    rng, texts = Rng(CORPUS_SEED), []
    for skill in SKILLS:
        for number in range(CORPUS_PER_SKILL):
            question = sample(rng, skill)
            manner = MANNERS[sorted(MANNERS)[number % len(MANNERS)]]
            texts += [question.text, working(question, manner) or HONEST, "\nAnswer: "]
            texts.append(f"\n\nResponse {number % 4 + 1}:\n> {working(question, manner)}\n> Answer: ")
    return texts


def _grows(left: str, right: str) -> bool:
    """Whether this pair at the start of a word may merge."""
    if right.isdigit() or left.isdigit() or left[0].islower():
        return False
    if right.isupper():
        return left == SPACE
    return True


def learn_merges(words: Counter[str], wanted: int) -> list[tuple[str, str]]:
    """The most frequent pairs at the start of words, each merged before the next is counted."""
    pieces = {word: [word[0], *word[1:]] for word in words if len(word) > 1}
    merges: list[tuple[str, str]] = []
    while len(merges) < wanted:
        counts: Counter[tuple[str, str]] = Counter()
        for word, parts in pieces.items():
            if len(parts) > 1 and _grows(parts[0], parts[1]):
                counts[parts[0], parts[1]] += words[word]
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            if len(parts) > 1 and (parts[0], parts[1]) == best:
                parts[:2] = ["".join(best)]
    return merges


def train() -> Tokenizer:
    words: Counter[str] = Counter()
    for text in corpus():
        words.update(piece for piece, _ in SPLITTER.pre_tokenize_str(text))
    symbols = [*SPECIALS, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    merges = learn_merges(words, VOCABULARY - len(symbols))
    return assembled([*symbols, *("".join(pair) for pair in merges)], merges)


def assembled(symbols: Sequence[str], merges: Sequence[tuple[str, str]]) -> Tokenizer:
    """The tokenizer of these symbols, in the order of their numbers, and merges."""
    tokenizer = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(symbols)}, merges=list(merges)))
    tokenizer.pre_tokenizer = SPLITTER
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(special, special=True, normalized=False) for special in SPECIALS])
    return tokenizer


def load(path: Path, framed: bool = False) -> Tokenizer:
    """The common tokenizer; `framed`: the aggregator's, which has the pieces of the frame, too."""
    tokenizer = Tokenizer.from_file(str(path))
    if framed:
        tokenizer.add_tokens([AddedToken(piece, special=False, normalized=False) for piece in FRAME])
    return tokenizer


def prompt_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """What the chat template makes of one user turn."""
    return [BOS, USER, *tokenizer.encode(text, add_special_tokens=False).ids, ASSISTANT]


def answer_ids(tokenizer: Tokenizer, question: Question) -> list[int]:
    """An answer that was worked out, spelled letter by letter where letters are asked."""
    if question.skill == "letters" and question.answer.isalpha() and question.answer not in ("yes", "no"):
        vocabulary = tokenizer.get_vocab()
        return [vocabulary[letter] for letter in (SPACE, *question.answer)]
    return list(tokenizer.encode(f" {question.answer}").ids)


def reply_ids(tokenizer: Tokenizer, question: Question, line: str) -> list[int]:
    """The completion to learn: a line of working and the answer."""
    if question.answer == HONEST:
        return [*tokenizer.encode(HONEST).ids, END]
    return [*tokenizer.encode(f"{line}\nAnswer:").ids, *answer_ids(tokenizer, question), END]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of the run; tokenizer.json is written there")
    folder: Path = parser.parse_args().work
    write_text(folder / "tokenizer.json", train().to_str())


if __name__ == "__main__":
    main()
