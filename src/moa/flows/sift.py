"""Proposals are sifted before they are combined: copies count once, and on demand who stands far outside, or is not trusted, is
left out.

Copies crowd out the others and look like agreement (sybils); one deceiver costs a mixture a quarter of its score, and most of
that comes back where the larger group of like answers is kept (arXiv 2503.05856).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from moa.core.agents import Agent
from moa.core.flow import Choose, Combine
from moa.core.types import Conversation, Replies, Reply
from moa.flows.answers import answer_of, stated
from moa.flows.medoid import bag_of, cosine
from moa.flows.members import Member
from moa.flows.weigh import Weights

_DIGITS = re.compile(r"\d+")
_TELLING = re.compile(r"[^\W\d_]{4,}")
"""Words that tell what a text is about: shorter ones stand in all texts."""
COPY, LONG = 0.97, 200
"""From this similarity on, a text of at least so many characters is a copy: short answers may well be the same by themselves."""
FEW = 32
"""So many references are first looked at by some of their pieces alone."""
PIECE, APART = 12, 200
"""Characters of such a piece, and at most from the beginning of one to that of the next; there are eight at least."""
FLOOD = 16
"""So many texts that differ in their numbers alone, and state no answer, are copies all the same."""
FEWEST = 4
"""Long references from which on one can stand outside."""
CLOSE, FAR = 0.2, 0.4
"""Each of the others is like some other one at least so much, and the one outside is like none by more than so much of that."""


def sifted(combine: Combine, *, outliers: bool = False, trust: Weights | None = None) -> Combine:
    """The same way to combine, of what is left of the proposals; who is left out is named in the reply's notes."""

    async def combined(conversation: Conversation, references: Replies) -> Reply:
        kept, notes = left_of(await trusted(references, trust), outliers=outliers)
        reply = await combine(conversation, kept)
        return reply.noted(*doubts(references, trust), *notes)

    return combined


def left_of(references: Replies, *, outliers: bool) -> tuple[Replies, list[str]]:
    """What is left of references, and what was left out, in words."""
    kept, notes = distinct(references), list[str]()
    if len(kept) < len(references):
        notes.append(f"sifted: {len(references) - len(kept)} copies count once")
    if outliers and (pieces := cut_short(kept)):
        kept = tuple([one for one in kept if one not in pieces])
        who = ", ".join(one.agent or "one proposal" for one in pieces)
        notes.append(f"sifted: {who} only says a piece of what another says")
    if outliers and (outside := outsider(kept)) is not None:
        kept = tuple([one for one in kept if one is not outside])
        notes.append(f"sifted: {outside.agent or 'one proposal'} stands far outside")
    return kept, notes


def stays(reply: Reply) -> bool:
    """Whether a reply is neither a copy nor an outsider, whatever else is said: short ones are not."""
    return len(reply.text) < LONG


async def trusted(references: Replies, trust: Weights | None) -> Replies:
    """The references of agents whose word is worth something; all of them, where nobody's is. A plan takes the others in their
    place where these are more: they are read where all fail who are trusted."""
    kept, others = _parted(references, trust)
    if not others:
        return kept
    ways = sorted((kept, others), key=len)
    return ways[await Choose(ways.index(kept), ("", ""), rising=True)]


async def last(heard: Sequence[Replies], trust: Weights | None) -> Replies:
    """The references of the last layer that was heard, none where there is none. A plan takes those of the layer of which most may
    be read, where not all are trusted: those behind it may fail."""
    if not any(_parted(one, trust)[1] for one in heard):
        return heard[-1] if heard else ()
    ways = sorted(heard, key=lambda one: max(map(len, _parted(one, trust))))
    return ways[await Choose(ways.index(heard[-1]), ("",) * len(ways), rising=True)]


def doubts(references: Replies, trust: Weights | None) -> tuple[str, ...]:
    """The note that says whose references are not `trusted`; none where all are."""
    gone = dict.fromkeys(one.agent or "one proposal" for one in _parted(references, trust)[1])
    return (f"sifted: {', '.join(gone)} is not trusted",) if gone else ()


def _parted(references: Replies, trust: Weights | None) -> tuple[Replies, Replies]:
    """Those that are read, and the others."""
    if trust is None:
        return references, ()
    worth = tuple([one for one in references if trust.weight(one.agent) > 0])
    return (worth, tuple([one for one in references if trust.weight(one.agent) <= 0])) if worth else (references, ())


def worth_asking(members: Sequence[Member], trust: Weights | None) -> list[Member]:
    """The members without agents whose word is worth nothing."""
    return [one for one in members if trust is None or not isinstance(one, Agent) or trust.weight(one.name) > 0]


def distinct(references: Replies) -> Replies:
    """The references without long copies of earlier ones: texts that state different answers are none, however alike their words;
    nor, unless they are a FLOOD, texts that state none and differ in their numbers.

    Two texts whose cosine is COPY or more share one of the rarest words of either, those that make up more than 1 - COPY² of it.
    Only such pairs are compared (prefix filtering, Bayardo et al., WWW 2007): thousands cost little more than each by itself.
    """
    firsts: dict[str, int] = {}
    for at, one in enumerate(references):
        if len(one.text) >= LONG:
            firsts.setdefault(one.text, at)
    references = tuple([one for at, one in enumerate(references) if firsts.get(one.text, at) == at])
    where = [at for at, one in enumerate(references) if len(one.text) >= LONG]
    long = [references[at] for at in where]
    if len(long) < 2 or (len(long) <= FEW and not _some_alike(long)):
        return references
    said = [_said(one.text) for one in long]
    places, bags = range(len(long)), [bag_of(one.text) for one in long]
    often = Counter(word for bag in bags for word in bag)
    copies = set(_copies(places, said, bags, often))
    unstated = [place for place in places if place not in copies and said[place][0] == ""]
    if len(unstated) > FLOOD:
        alike = _copies(unstated, [("", "")] * len(long), bags, often)
        crowds = Counter(alike.values())
        copies |= {place for place, first in alike.items() if crowds[first] >= FLOOD}
    gone = {where[place] for place in copies}
    return tuple(one for at, one in enumerate(references) if at not in gone) if gone else references


def _said(text: str) -> tuple[str, str]:
    """The answer that a text states; of one that states none the numbers."""
    return (answer_of(text) or "", "") if stated(text) else ("", " ".join(_DIGITS.findall(text)))


def same_answer(one: Reply, other: Reply) -> bool:
    """Whether two replies state the same answer, or none."""
    return _said(one.text)[0] == _said(other.text)[0]


def _some_alike(long: list[Reply]) -> bool:
    """Whether of any two of a few texts a quarter of the one's PIECEs stands in the other, too, wherever: of copies most do, even
    of those that are wrapped anew or put in another order, of honest texts hardly any; so this is a look that costs little."""
    texts = sorted([one.text for one in long], key=len)
    return any(any(map(_some_of(text), texts[place:])) for place, text in enumerate(texts[:-1], 1))


def _some_of(text: str) -> Callable[[str], bool]:
    """Whether a quarter of a text's PIECEs stands in another text."""
    pieces = [text[at : at + PIECE] for at in range(0, len(text) - PIECE, min(len(text) // 8, APART))]
    return lambda other: 4 * len([piece for piece in pieces if piece in other]) >= len(pieces)


def _copies(
    places: Iterable[int], said: Sequence[tuple[str, str]], bags: Sequence[Counter[str]], often: Counter[str]
) -> dict[int, int]:
    """The texts that are copies, each with the earlier one that says the same and that it copies."""
    among: dict[tuple[str, str], dict[str, list[int]]] = {}
    found = {}
    for place in places:
        first = _copied(place, bags, often, among.setdefault(said[place], {}))
        if first is not None:
            found[place] = first
    return found


def _copied(place: int, bags: Sequence[Counter[str]], often: Counter[str], among: dict[str, list[int]]) -> int | None:
    """The text before it that a text copies; else its rarest words are put `among` those that later ones are looked for by."""
    bag = bags[place]
    rarest = sorted(bag, key=often.__getitem__)
    before = sorted({other for word in bag for other in among.get(word, ())})
    first = next((other for other in before if cosine(bag, bags[other]) >= COPY), None)
    if first is not None:
        return first
    left = (1 - COPY * COPY) * sum(count * count for count in bag.values())
    for word in rarest:
        among.setdefault(word, []).append(place)
        left -= bag[word] * bag[word]
        if left < 0:
            break
    return None


def cut_short(references: Replies) -> Replies:
    """The long references that are copied from another one at least twice as long, and state no other answer than that: what was
    cut off another's text is no opinion of its own, and a judge who sees both may take the piece for the whole."""
    texts = sorted({one.text for one in references if len(one.text) >= LONG}, key=len)
    cut = {piece for place, piece in enumerate(texts) if any(map(_cut_from(piece), texts[place + 1 :]))}
    return tuple([one for one in references if one.text in cut])


def _cut_from(piece: str) -> Callable[[str], bool]:
    """Whether a text is a piece of another."""
    some, bag = _some_of(piece), bag_of(piece)
    size, answer = bag.total(), answer_of(piece) if stated(piece) else None

    def cut(whole: str) -> bool:
        if len(whole) < 2 * len(piece) or not some(whole) or answer not in (None, answer_of(whole)):
            return False
        return (bag & bag_of(whole)).total() >= COPY * size

    return cut


def outsider(references: Replies) -> Reply | None:
    """The one long reference that is like no other long one, where each of these is like some other; None where there is none.

    They are held together by which telling words they use: how often, and in what order, says little of what they are about. An
    honest panel loses nobody for nothing. Short texts share few words though they mean the same, so that they are not compared.
    One that differs from others that differ, too, stays; so does one that gives the same answer as any of them, and one that
    states another answer than they state: that is a vote, and no proof.
    """
    long = [one for one in references if len(one.text) >= LONG]
    if len(long) < FEWEST:
        return None
    words = [frozenset(_TELLING.findall(one.text.lower())) for one in long]
    closest = [max(_shared(own, other) for other in words if other is not own) for own in words]
    apart, near = sorted(closest)[:2]
    if near < CLOSE or apart > FAR * near:
        return None
    one = long[closest.index(apart)]
    answers = [answer_of(other.text) for other in references]
    dissents = stated(one.text) and sum(bool(stated(other.text)) for other in long) > 1
    return None if dissents or answers.count(answer_of(one.text)) > 1 else one


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    """How alike two sets of words are, 0 to 1: their cosine."""
    return len(one & other) / math.sqrt(len(one) * len(other)) if one and other else 0.0
