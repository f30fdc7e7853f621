"""What a key may do in a minute: requests, and tokens as they are counted when an answer is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from moa.server.door import tenant
from moa.server.refusals import Rejection
from moa.stores.keys import Key

MINUTE = 60.0


@dataclass
class _Bucket:
    """So much a minute, refilled steadily; it may be overdrawn once."""

    most: float
    left: float
    at: float

    def refill(self, now: float) -> None:
        self.left = min(self.most, self.left + (now - self.at) * self.most / MINUTE)
        self.at = now

    def wait(self, wanted: float) -> float:
        return max(wanted - self.left, 0.0) * MINUTE / self.most


@dataclass
class Allowances:
    """Those of all keys, in memory. `clock` gives seconds."""

    clock: Callable[[], float]
    _requests: dict[str, _Bucket] = field(default_factory=dict)
    _tokens: dict[str, _Bucket] = field(default_factory=dict)

    def take(self, key: Key) -> dict[str, str]:
        """Count one request of a key; the headers that tell what is left.

        Raises:
            Rejection: it has used up its minute.
        """
        who, now, taken = tenant(key), self.clock(), list[tuple[str, _Bucket, float]]()
        for what, most, buckets, wanted in (
            ("requests", key.requests, self._requests, 1.0),
            ("tokens", key.tokens, self._tokens, 0.0),
        ):
            if most is not None:
                bucket = buckets.setdefault(who, _Bucket(most, most, now))
                bucket.refill(now)
                taken.append((what, bucket, wanted))
        for what, bucket, wanted in taken:
            if bucket.left < wanted or bucket.left < 0:
                words = f"Rate limit reached: {bucket.most} {what} per minute."
                wait = bucket.wait(wanted)
                raise Rejection(words, 429, code="rate_limit_exceeded", retry_after=wait, headers=_told(taken))
        for _, bucket, wanted in taken:
            bucket.left -= wanted
        return _told(taken)

    def used(self, who: str, tokens: int) -> None:
        """Count what a run of theirs has used."""
        bucket = self._tokens.get(who)
        if bucket is not None:
            bucket.left -= tokens


def _told(taken: list[tuple[str, _Bucket, float]]) -> dict[str, str]:
    """What is left, as OpenAI's headers have it."""
    headers = dict[str, str]()
    for what, bucket, _ in taken:
        headers |= {
            f"x-ratelimit-limit-{what}": str(bucket.most),
            f"x-ratelimit-remaining-{what}": str(max(int(bucket.left), 0)),
            f"x-ratelimit-reset-{what}": f"{bucket.wait(bucket.most):.3f}s",
        }
    return headers
