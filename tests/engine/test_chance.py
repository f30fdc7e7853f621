"""Chance that is drawn in advance is nobody else's."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from moa.engine.chance import token


def test_tokens_are_hex_of_the_size_asked_for_and_never_the_same() -> None:
    drawn = [token() for _ in range(1000)]
    assert len(set(drawn)) == 1000
    assert {len(one) for one in drawn} == {32}
    assert len(token(5)) == 10
    assert all(int(one, 16) >= 0 for one in drawn)


def test_threads_never_draw_the_same() -> None:
    with ThreadPoolExecutor(8) as pool:
        drawn = [one for some in pool.map(lambda _: [token() for _ in range(500)], range(16)) for one in some]
    assert len(set(drawn)) == 8000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_never_draws_what_its_parent_does() -> None:
    token()  # now there is something in advance
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, " ".join(token() for _ in range(50)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    theirs = os.read(reading, 1 << 16).decode().split()
    os.close(reading)
    assert len(theirs) == 50
    assert not {token() for _ in range(300)} & set(theirs)
