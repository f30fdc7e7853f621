"""Who may do what: every route against every kind of key; what a key may spend, ask in a minute, and see."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from served import Got, Served, served

from moa.core.errors import ConfigError, StoreFailed
from moa.server.app import ROUTES
from moa.server.door import Rules
from moa.stores.keys import SCOPES, Keys

PATHS = {
    "/v1/models/(.+)": "/v1/models/moa/review",
    "/v1/moa/runs/([0-9a-f]{8,40})": "/v1/moa/runs/00000000ffff",
    "/v1/moa/runs/([0-9a-f]{8,40})/events": "/v1/moa/runs/00000000ffff/events",
}
BODY = {"model": "moa/review", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}], "input": "hi"}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys.db")


@pytest.fixture
def server(keys: Keys, tmp_path: Path) -> Iterator[Served]:
    store = {"keep": True, "path": str(tmp_path / "runs.db")}
    with served(rules=Rules(keys, literal=("from-the-environment",)), store=store) as running:
        yield running


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def ask(server: Served, route: Any, **headers: str) -> Got:
    path = PATHS.get(route.path.pattern, route.path.pattern.replace("\\", ""))
    return server.ask(route.method, path, BODY if route.method == "POST" else None, **headers)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path.pattern}")
def test_every_route_lets_in_whom_it_says(server: Served, keys: Keys, route: Any) -> None:
    _, good = keys.create("good")
    _, expired = keys.create("expired", expires=time.time() - 1)
    _, revoked = keys.create("revoked")
    keys.revoke("revoked")
    _, other = keys.create("other", scopes=tuple(scope for scope in SCOPES if scope != route.scope))
    if route.scope is None:
        assert ask(server, route).status == 200
        return
    for wrong in ({}, bearer("wrong"), bearer(expired), bearer(revoked), {"authorization": "Basic eDp5"}, bearer(" ")):
        got = ask(server, route, **wrong)
        assert got.status == 401, wrong
        assert "error" in got.json
    assert ask(server, route, **bearer(other)).status == 403
    for right in (bearer(good), {"x_api_key": good}, bearer("from-the-environment")):
        assert ask(server, route, **right).status not in (401, 403)


def test_every_answer_says_that_it_is_not_to_be_stored(server: Served) -> None:
    for route in ROUTES:
        headers = ask(server, route, **bearer("from-the-environment")).headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize(
    "secret",
    ["' OR 1=1--", "%00", "x" * 60_000, "a, b", "Bearer", "\x7f", '"', "moa-"],
    ids=lambda secret: secret[:10],
)
def test_no_text_opens_the_door(server: Served, keys: Keys, secret: str) -> None:
    keys.create("good")
    got = server.ask("POST", "/v1/chat/completions", BODY, **bearer(secret))
    assert got.status in (400, 401, 431)
    assert b"sql" not in got.body.lower()


def test_without_a_key_no_body_is_read(server: Served) -> None:
    assert server.ask("POST", "/v1/chat/completions", b"[" * 1000).status == 401


def test_a_key_in_the_url_is_refused(server: Served) -> None:
    assert server.ask("GET", "/v1/models?key=from-the-environment", **bearer("from-the-environment")).status == 400


def test_a_key_sees_only_its_own_runs(server: Served, keys: Keys) -> None:
    _, mine = keys.create("mine")
    _, theirs = keys.create("theirs")
    run = server.ask("POST", "/v1/chat/completions", chat(), **bearer(mine)).json["moa"]["run"]
    seen = server.ask("GET", f"/v1/moa/runs/{run}", **bearer(mine))
    assert [seen.json["events"][0]["kind"], seen.json["events"][-1]["kind"]] == ["run_started", "run_finished"]
    assert b"nonce" not in seen.body
    unknown = server.ask("GET", "/v1/moa/runs/00000000ffff", **bearer(theirs))
    other = server.ask("GET", f"/v1/moa/runs/{run}", **bearer(theirs))
    assert (
        (other.status, other.json["error"]["code"])
        == (unknown.status, unknown.json["error"]["code"])
        == (404, "run_not_found")
    )
    frames = server.ask("GET", f"/v1/moa/runs/{run}/events", **bearer(mine)).frames
    assert frames == seen.json["events"]


def test_a_key_for_some_mixtures_sees_no_others(server: Served, keys: Keys) -> None:
    _, secret = keys.create("narrow", mixtures=("poll",))
    assert [model["id"] for model in server.ask("GET", "/v1/models", **bearer(secret)).json["data"]] == ["moa/poll"]
    assert server.ask("POST", "/v1/chat/completions", chat(), **bearer(secret)).status == 404
    assert server.ask("POST", "/v1/chat/completions", chat("moa"), **bearer(secret)).status == 404
    assert server.ask("POST", "/v1/chat/completions", chat("moa/poll"), **bearer(secret)).status == 200
    assert server.ask("POST", "/v1/chat/completions", chat("a"), **bearer(secret)).status == 404
    for changed in ({"proposers": ["other"]}, {"layers": 2}):
        other = chat("moa/poll") | {"moa": changed}
        assert server.ask("POST", "/v1/chat/completions", other, **bearer(secret)).status == 403
    words = {
        model: server.ask("POST", path, chat(model) | more, **bearer(secret))
        .json["error"]["message"]
        .replace(model, "X")
        for model in ("moa/review", "moa/none")
        for path, more in (("/v1/chat/completions", {}), ("/v1/messages/count_tokens", {}))
    }
    assert set(words.values()) == {"The model 'X' does not exist or you do not have access to it."}


def chat(model: str = "moa/review") -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}]}


def test_a_key_asks_so_often_a_minute(server: Served, keys: Keys) -> None:
    _, secret = keys.create("slow", requests=2)
    got = [server.ask("POST", "/v1/chat/completions", chat(), **bearer(secret)) for _ in range(3)]
    assert [one.status for one in got] == [200, 200, 429]
    assert got[0].headers["x-ratelimit-remaining-requests"] == "1"
    assert 1 <= int(got[2].headers["retry-after"]) <= 30
    assert got[2].json["error"]["code"] == "rate_limit_exceeded"
    assert got[2].headers["x-ratelimit-remaining-requests"] == "0"


def test_a_key_uses_so_many_tokens_a_minute(server: Served, keys: Keys) -> None:
    _, secret = keys.create("short", tokens=5)
    assert server.ask("POST", "/v1/chat/completions", chat(), **bearer(secret)).status == 200
    assert server.ask("POST", "/v1/chat/completions", chat(), **bearer(secret)).status == 429


def test_a_key_spends_no_more_than_its_day(keys: Keys, tmp_path: Path) -> None:
    _, secret = keys.create("poor", day=0.0)
    prices = {f"fake:{name}": {"input": 1.0, "output": 1.0} for name in ("a", "b", "c", "agg")}
    store = {"keep": True, "path": str(tmp_path / "runs.db")}
    with served(rules=Rules(keys), store=store, prices=prices) as server:
        got = server.ask("POST", "/v1/chat/completions", chat(), **bearer(secret))
    assert (got.status, got.json["error"]["code"]) == (402, "budget_exceeded")
    assert not server.asked


def test_a_web_page_and_another_host_name_stay_outside() -> None:
    with served(rules=Rules(open=True, hosts=("127.0.0.1",), origins=("https://ours.example",))) as server:
        assert server.ask("GET", "/v1/models").status == 200
        assert server.ask("GET", "/v1/models", host="evil.example").status == 421
        assert server.ask("GET", "/v1/models", origin="https://evil.example").status == 403
        assert server.ask("GET", "/v1/models", sec_fetch_site="cross-site").status == 403
        assert server.ask("GET", "/v1/models", origin="https://ours.example").status == 200
        ours = server.ask("OPTIONS", "/v1/chat/completions", origin="https://ours.example")
        assert (ours.status, ours.headers["access-control-allow-origin"]) == (204, "https://ours.example")
        preflight = server.ask("OPTIONS", "/v1/chat/completions", origin="https://evil.example")
        assert "access-control-allow-origin" not in preflight.headers


def test_the_sdks_of_a_web_page_that_may_ask_may_send_what_they_send_and_read_what_comes() -> None:
    sent = "authorization,anthropic-version,idempotency-key,openai-organization,x-stainless-retry-count"
    with served(rules=Rules(open=True, origins=("https://ours.example",))) as server:
        asked = {"access_control_request_method": "POST", "access_control_request_headers": sent}
        preflight = server.ask("OPTIONS", "/v1/chat/completions", origin="https://ours.example", **asked)
        allowed = [one.strip() for one in preflight.headers["access-control-allow-headers"].split(",")]
        assert "authorization" in allowed  # which a "*" does not cover (fetch.spec.whatwg.org)
        assert "*" in allowed
        assert "access-control-allow-credentials" not in preflight.headers
        answer = server.ask("GET", "/v1/models", origin="https://ours.example")
        assert answer.headers["access-control-expose-headers"] == "*"


def test_trouble_with_the_file_of_keys_is_not_a_wrong_key(server: Served, keys: Keys) -> None:
    _, secret = keys.create("good")
    keys._open().close()
    got = server.ask("POST", "/v1/chat/completions", chat(), **bearer(secret))
    assert (got.status, got.headers["retry-after"]) == (503, "1")


def test_a_file_of_keys_that_cannot_be_read_is_told_to_whoever_makes_one(keys: Keys) -> None:
    keys.create("one")
    keys._open().execute("DROP TABLE keys")
    doings = (lambda: keys.create("two"), lambda: keys.rotate("one", 1), lambda: keys.revoke("one"), keys.all)
    for do in doings:
        with pytest.raises(StoreFailed, match=r"keys\.db"):
            do()


def test_a_secret_is_kept_as_a_digest_and_found_until_it_is_rotated_out(keys: Keys) -> None:
    key, first = keys.create("app")
    assert len(first) >= 43
    assert first.encode() not in keys.path.read_bytes()
    assert keys.path.stat().st_mode & 0o777 == 0o600
    second = keys.rotate("app", overlap=100)
    assert [found and found.id for found in (keys.find(first), keys.find(second))] == [key.id, key.id]
    third = keys.rotate(key.id, overlap=-1)
    assert [keys.find(secret) is None for secret in (first, second, third)] == [True, True, False]


def test_a_key_rotated_again_within_its_overlap_is_good_under_all_its_secrets_until_that_ends(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr("moa.stores.keys.time.time", lambda: now)
    key, first = keys.create("app")
    _, other = keys.create("other")
    second, third = keys.rotate("app", 100), keys.rotate("app", 1000)
    assert [keys.find(secret) == key for secret in (first, second, third)] == [True, True, True]
    now += 101
    assert [keys.find(secret) is None for secret in (first, second, third)] == [True, False, False]
    last = keys.rotate("app", 0)
    assert [keys.find(secret) is None for secret in (first, second, third, last)] == [True, True, True, False]
    assert keys.find(other) is not None
    keys.rotate("other", 100)
    keys.revoke("other")
    assert (found := keys.find(other)) is not None
    assert found.state(now) == "revoked"


def test_a_key_rotated_by_several_at_once_loses_none_of_their_secrets(keys: Keys) -> None:
    keys.create("app")

    def rotated(_: int) -> list[str]:
        own = Keys(keys.path)
        return [own.rotate("app", 100) for _ in range(10)]

    with ThreadPoolExecutor(4) as pool:
        secrets = [secret for some in pool.map(rotated, range(4)) for secret in some]
    assert len(set(secrets)) == 40
    assert all(keys.find(secret) is not None for secret in secrets)


def test_names_of_keys_are_single(keys: Keys) -> None:
    keys.create("app")
    with pytest.raises(ConfigError, match="take another name"):
        keys.create("app")
    with pytest.raises(ConfigError, match="no key"):
        keys.revoke("none")
    with sqlite3.connect(keys.path) as database:
        assert database.execute("SELECT count(*) FROM keys").fetchone() == (1,)
