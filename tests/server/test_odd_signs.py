"""Signs that UTF-8 has no bytes for break no answer."""

from __future__ import annotations

import pytest
from served import FACES, SCRIPTS, served


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("stream", [False, True])
def test_half_a_surrogate_pair_in_an_answer_is_a_question_mark(face: str, stream: bool) -> None:
    wishes = {"proposals": True, "events": True, "progress": True}
    with served({**SCRIPTS, "a": "Par\udc00is", "agg": "It is \ud800 Paris."}) as server:
        got = server.ask("POST", face, {"model": "moa", "stream": stream, "moa": wishes, **FACES[face]})
    assert got.status == 200
    assert "Par?is" in got.body.decode()
    assert "It is ? Paris." in got.body.decode()
    assert b"error" not in got.body.replace(b'"error":null', b"")
