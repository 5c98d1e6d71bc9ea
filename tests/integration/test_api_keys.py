"""API keys: who they speak for, what they may do, and when they end."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.books import Admin, books_text
from support.clock import FakeClock
from support.gateway import Gateway, Reply, running
from support.upstream import streamed, upstream


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with upstream(streamed()) as provider:
        text = books_text({"a": provider.base_url}, section="signup = 100\n")
        async with running(text, tmp_path) as running_gateway:
            yield running_gateway


@pytest.fixture
def admin(gateway: Gateway, tmp_path: Path) -> Admin:
    return Admin(gateway, tmp_path)


async def call(
    gateway: Gateway, headers: dict[str, str], path: str = "chat", body: bytes = b'{"prompt":"x"}'
) -> Reply:
    given = {"content-type": "application/json", **headers}
    return await gateway.request("GET" if path in ("tasks", "credits") else "POST", f"/api/ai/{path}", body, given)


async def made(admin: Admin, **fields: Any) -> dict[str, Any]:
    reply = await admin("POST", "/admin/api/keys", **{"owner": "ana", **fields})
    assert reply.status == 200, reply.body
    return dict(reply.json)


async def test_a_key_spends_its_owners_account_and_is_no_person(gateway: Gateway, admin: Admin) -> None:
    """As bearer token or x-api-key; it brings no signup grant; nobody else's account is touched."""
    key = await made(admin, name="batch")
    assert key["key"].startswith("rv-")
    assert len(key["key"]) == 46
    bearer, header = {"authorization": f"Bearer {key['key']}"}, {"x-api-key": key["key"]}
    poor = await call(gateway, bearer)
    assert (poor.status, poor.json["available"]) == (402, 0)
    await admin("POST", "/admin/api/credits/grant", user="ana", amount=11)
    assert [(await call(gateway, headers)).status for headers in (bearer, header)] == [200, 200]
    assert (await call(gateway, header, "credits")).json["balance"] == 1
    assert (await gateway.chat(prompt="x")).json["credits"]["remaining"] == 100 + 1 - 5  # the person's signup


async def test_a_key_ends_at_once_when_it_is_revoked(gateway: Gateway, admin: Admin) -> None:
    """Its next call is 401; so are keys that nobody made; revoking twice is the same."""
    key = await made(admin)
    header = {"x-api-key": key["key"]}
    assert (await call(gateway, header, "tasks")).status == 200
    first = (await admin("POST", "/admin/api/keys/revoke", id=key["id"])).json
    assert (await call(gateway, header, "tasks")).json["code"] == "invalid_token"
    assert (await admin("POST", "/admin/api/keys/revoke", id=key["id"])).json == first
    assert first["revoked_at"]
    for text in ("rv-", "rv-" + "x" * 43, key["key"] + "x", key["key"][:-1], "rv-ñ"):
        assert (await call(gateway, {"x-api-key": text}, "tasks")).json["code"] == "invalid_token"
    assert (await admin("POST", "/admin/api/keys/revoke", id="key_none")).status == 404
    acts = list(gateway.server._books.store.connections[1].execute("SELECT key, actor FROM act ORDER BY key"))  # type: ignore[attr-defined]
    assert acts == [(f"key:{key['id']}:made", "admin:api"), (f"key:{key['id']}:revoked", "admin:api")]


async def test_a_key_ends_when_it_expires(gateway: Gateway, admin: Admin) -> None:
    """`token_expired`; a time that has passed makes no key that works."""
    ends = datetime.now(UTC) + timedelta(hours=1)
    key = await made(admin, expires_at=ends.isoformat())
    header = {"x-api-key": key["key"]}
    assert (await call(gateway, header, "tasks")).status == 200
    gateway.server._key_verifier._clock = FakeClock(ends.timestamp() + 1)
    assert (await call(gateway, header, "tasks")).json["code"] == "token_expired"


async def test_a_key_may_do_what_its_tasks_say(gateway: Gateway, admin: Admin) -> None:
    """Named, by default or quoted: another task is 403, before anything is held."""
    await admin("POST", "/admin/api/credits/grant", user="ana", amount=11)
    header = {"x-api-key": (await made(admin, tasks=["U"]))["key"]}
    for path, body in (
        ("chat", b'{"prompt":"x","taskType":"T"}'),
        ("chat", b'{"prompt":"x"}'),
        ("chat", b'{"prompt":"x","provider":"a"}'),
        ("quote", b'{"prompt":"x"}'),
    ):
        refused = await call(gateway, header, path, body)
        assert (refused.status, refused.json["code"]) == (403, "forbidden"), body
    assert (await call(gateway, header, "chat", b'{"prompt":"x","taskType":"U"}')).json["credits"]["charged"] == 1
    assert [row["task"] for row in (await call(gateway, header, "tasks")).json] == ["U"]
    wrong = await admin("POST", "/admin/api/keys", owner="ana", tasks=["U", "Z"])
    assert (wrong.status, wrong.json["code"]) == (400, "unknown_task")
    assert wrong.json["error"].endswith("no existen: Z. Tareas: T, U.")
    await call(gateway, header, "chat", b'{"prompt":"x","taskType":"INVENTED"}')
    async with gateway.session.get(gateway.server.admin.url + "/metrics") as page:
        metrics = await page.text()
    assert 'relevo_requests_total{code="forbidden",task="T"} 3.0' in metrics
    assert "INVENTED" not in metrics
    assert [row.code for row in await gateway.records()].count("forbidden") == 3


async def test_two_credentials_are_a_bad_request(gateway: Gateway, admin: Admin) -> None:
    """Whichever they are, and also the same one twice."""
    key = (await made(admin))["key"]
    for other in (gateway.token, key):
        both = await call(gateway, {"x-api-key": key, "authorization": f"Bearer {other}"})
        assert (both.status, both.json["code"]) == (400, "invalid_request")
    assert (await call(gateway, {"x-api-key": ""})).json["code"] == "unauthenticated"


async def test_a_key_ends_with_the_row_of_its_owner(gateway: Gateway, admin: Admin, tmp_path: Path) -> None:
    """The first configured issuer ends the development secret, and what was made under it."""
    key = (await made(admin))["key"]
    issuer = '[auth.issuers.app]\nissuer = "https://app"\njwks_url = "https://app/keys"\naudience = "x"\n'
    path = tmp_path / "relevo.toml"
    path.write_text(path.read_text() + issuer)
    gateway.server.reload()

    assert (await call(gateway, {"x-api-key": key})).status == 401


async def test_an_unknown_row_is_no_part_of_a_sub(admin: Admin) -> None:
    """`zz:ana` names a row that is not there: nothing is given to anybody."""
    reply = await admin("POST", "/admin/api/credits/grant", user="zz:ana", amount=5, bucket="bonus", reason="x",
                        idempotency_key="k")  # fmt: skip

    assert reply.status == 400
    assert "local" in reply.json["error"]


async def test_a_blocked_owner_has_no_use_of_a_key(gateway: Gateway, admin: Admin) -> None:
    """The block is the account's, not the credential's."""
    header = {"x-api-key": (await made(admin))["key"]}
    await admin("POST", "/admin/api/users/block", user="ana")
    assert (await call(gateway, header)).json["code"] == "user_blocked"


async def test_a_key_is_shown_once(
    gateway: Gateway, admin: Admin, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """After that it is in no answer, no log and no file: only its hash and its last four characters are."""
    key = await made(admin, name="batch")
    await call(gateway, {"x-api-key": key["key"]})
    await call(gateway, {"x-api-key": key["key"] + "x"})
    (row,) = (await admin("GET", "/admin/api/keys?owner=ana")).json
    assert row == {name: value for name, value in key.items() if name != "key"}
    assert (await admin("GET", "/admin/api/keys?owner=bob")).json == []
    await gateway.records()
    shown = (await admin("GET", "/admin/api/users/ana")).body + "".join(capfd.readouterr()).encode()
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert key["key"].encode() not in shown + files
    assert hashlib.sha256(key["key"].encode()).digest() in files
