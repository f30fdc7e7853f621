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
        now, headers = self.clock(), dict[str, str]()
        for what, most, buckets, wanted in (
            ("requests", key.requests, self._requests, 1.0),
            ("tokens", key.tokens, self._tokens, 0.0),
        ):
            if most is None:
                continue
            bucket = buckets.setdefault(tenant(key), _Bucket(most, most, now))
            bucket.refill(now)
            if bucket.left < wanted or bucket.left < 0:
                wait = bucket.wait(wanted)
                raise Rejection(
                    f"Rate limit reached: {most} {what} per minute.", 429, code="rate_limit_exceeded", retry_after=wait
                )
            bucket.left -= wanted
            headers |= {
                f"x-ratelimit-limit-{what}": str(most),
                f"x-ratelimit-remaining-{what}": str(int(bucket.left)),
                f"x-ratelimit-reset-{what}": f"{bucket.wait(bucket.most):.3f}s",
            }
        return headers

    def used(self, who: str, tokens: int) -> None:
        """Count what a run of theirs has used."""
        bucket = self._tokens.get(who)
        if bucket is not None:
            bucket.left -= tokens
