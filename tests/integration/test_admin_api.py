"""The admin API: closed without its token, strict with bodies, each order once and written down."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relevo.auth.admin_token import admin_token
from support.books import Admin, books_text
from support.gateway import Gateway, running
from support.upstream import streamed, upstream


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with (
        upstream(streamed()) as provider,
        running(books_text({"a": provider.base_url}), tmp_path) as running_gateway,
    ):
        yield running_gateway


@pytest.fixture
def admin(gateway: Gateway, tmp_path: Path) -> Admin:
    return Admin(gateway, tmp_path)


async def test_it_is_closed_without_its_token(gateway: Gateway, tmp_path: Path) -> None:
    """No token, a wrong one, a user's one; not on the public listener; and none that nobody has made."""
    path = "/admin/api/report"
    url = gateway.server.admin.url + path
    async with gateway.session.get(url, headers={"authorization": f"Bearer {'x' * 43}"}) as answer:
        assert answer.status == 401  # there is no token file yet
    admin = Admin(gateway, tmp_path)
    assert (await admin("GET", path)).status == 200
    for credential in ("", "Basic x", "Bearer ", f"Bearer {gateway.token}", f"Bearer {admin.token[:-1]}"):
        reply = await admin.send("GET", path, headers={"authorization": credential})
        assert reply.status == 401
        assert reply.json["code"] in ("unauthenticated", "invalid_token")
    headers = {"authorization": f"Bearer {admin.token}"}
    assert (await gateway.request("GET", path, headers=headers)).status == 404
    assert (await admin("GET", "/admin/api/nothing")).status == 404
    assert (await admin("GET", "/admin/api/credits/grant")).status == 405
    assert (tmp_path / "relevo-admin.token").stat().st_mode & 0o777 == 0o600


async def test_guessing_ends_after_five_tokens(gateway: Gateway, admin: Admin, tmp_path: Path) -> None:
    """Then also the right one waits, or a guess that is right would be answered; a rotated one counts at once."""
    old = admin.token
    admin.token = admin_token(tmp_path, rotate=True)
    assert (await admin("GET", "/admin/api/keys")).status == 200
    wrong = {"authorization": f"Bearer {old}"}
    codes = [(await admin.send("GET", "/admin/api/keys", headers=wrong)).status for _ in range(7)]
    assert codes == [401] * 5 + [429] * 2
    right = await admin("GET", "/admin/api/keys")
    assert right.status == 429
    assert 1 <= int(right.headers["retry-after"]) <= 60


async def test_orders_say_before_and_after_and_happen_once(admin: Admin) -> None:
    """The same order under one key is a replay, another one 422, in the body or in the header."""
    order = {"user": "ana", "amount": 10.5, "bucket": "purchase", "reason": "invoice 17", "idempotency_key": "i-17"}
    first = await admin("POST", "/admin/api/credits/grant", **order)
    assert first.json == {
        "user": "local:ana", "amount": 10.5, "bucket": "purchase", "expires_at": None, "before": 0, "after": 10.5,
        "key": "admin:i-17", "replayed": False, "new": True,
    }  # fmt: skip
    again = await asyncio.gather(*(admin("POST", "/admin/api/credits/grant", **order) for _ in range(5)))
    assert all(reply.json == {**first.json, "replayed": True, "new": False} for reply in again)
    for change in ({"amount": 11}, {"user": "bob"}, {"bucket": "bonus"}):
        other = await admin("POST", "/admin/api/credits/grant", **{**order, **change})
        assert (other.status, other.json["code"]) == (422, "idempotency_mismatch")
    body = b'{"user":"ana","amount":4}'
    headers = {"idempotency-key": "r-1"}
    twice = [await admin.send("POST", "/admin/api/credits/revoke", body, headers) for _ in range(2)]
    assert [reply.json["after"] for reply in twice] == [6.5, 6.5]
    assert [reply.json["replayed"] for reply in twice] == [False, True]
    refund = await admin("POST", "/admin/api/credits/refund", user="ana", key="admin:i-17", reason="paid back")
    assert (refund.json["amount"], refund.json["after"]) == (-6.5, 0)

    history = (await admin("GET", "/admin/api/users/ana")).json["history"]
    assert [(row["kind"], row["amount"], row["reason"]) for row in history] == [
        ("refund", -6.5, "paid back"), ("revoke", -4, ""), ("purchase", 10.5, "invoice 17"),
    ]  # fmt: skip
    assert {row["actor"] for row in history} == {"admin:api"}
    assert [row["key"] for row in history] == [refund.json["key"], "admin:r-1", "admin:i-17"]
    for _ in range(2):  # what takes nothing is refused, and not kept under its key
        empty = await admin(
            "POST", "/admin/api/credits/refund", user="ana", key="admin:i-17", idempotency_key="second"
        )
        assert (empty.status, empty.json["field"]) == (400, "key")
        assert "No queda nada" in empty.json["error"]
    await admin("POST", "/admin/api/credits/grant", user="ana", amount=2, idempotency_key="second")


async def test_a_slip_of_the_pen_grants_nothing(admin: Admin) -> None:
    """Unknown fields, odd amounts, odd times and odd users are a 400 that names the field."""
    good = {"user": "ana", "amount": 5}
    for change, field in (
        ({"ammount": 5}, "ammount"),
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": "5"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": 0.0000001}, "amount"),
        ({"amount": 1e300}, "amount"),
        ({"bucket": "signup"}, "bucket"),
        ({"user": ""}, "user"),
        ({"user": "x" * 256}, "user"),
        ({"expires_at": "2030-01-01"}, "expires_at"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"idempotency_key": "x" * 300}, "idempotency_key"),
    ):
        reply = await admin("POST", "/admin/api/credits/grant", **{**good, **change})
        assert (reply.status, reply.json["code"], reply.json["field"]) == (400, "invalid_request", field), change
    assert (await admin.send("POST", "/admin/api/credits/grant", b"{")).json["code"] == "invalid_json"
    for order, what in (("revoke", {"amount": 1}), ("refund", {"key": "none"})):
        assert (await admin("POST", f"/admin/api/credits/{order}", user="ana", **what)).json["code"] == "not_found"
    assert (await admin("GET", "/admin/api/users/ana")).status == 404  # a refused order made no account
    assert (await admin("GET", "/admin/api/report?days=x")).json["field"] == "days"


async def test_blocking_counts_from_the_next_call_on(gateway: Gateway, admin: Admin) -> None:
    """And unblocking, too."""
    await admin("POST", "/admin/api/credits/grant", user="ana", amount=50)
    assert (await gateway.chat(prompt="x")).status == 200
    blocked = await admin("POST", "/admin/api/users/block", user="ana", reason="abuse")
    assert blocked.json["blocked"] is True
    assert (await gateway.chat(prompt="x")).json["code"] == "user_blocked"
    assert (await admin("GET", "/admin/api/users/ana")).json["blocked"] is True
    await admin("POST", "/admin/api/users/unblock", user="ana", idempotency_key="sorry")
    assert (await gateway.chat(prompt="x")).status == 200
    history = (await admin("GET", "/admin/api/users/ana")).json["history"]
    acts = [row for row in history if row["seq"] is None]
    assert [(row["kind"], row["amount"], row["reason"]) for row in acts] == [
        ("unblock", 0, ""), ("block", 0, "abuse"),
    ]  # fmt: skip
    assert [row["key"] for row in acts] == ["admin:sorry", blocked.json["key"]]
    assert len((await admin("GET", "/admin/api/users/ana?limit=3")).json["history"]) == 3
    async with gateway.session.get(gateway.server.admin.url + "/metrics") as page:
        assert 'relevo_requests_total{code="ok",task="T"} 2.0' in await page.text()


async def test_the_report_adds_up_what_was_sold(gateway: Gateway, admin: Admin) -> None:
    """Answers of a fixed price whose cost nobody knows are counted apart, never as free."""
    await admin("POST", "/admin/api/credits/grant", user="ana", amount=50, bucket="purchase")
    for task in ("T", "T", "U"):
        assert (await gateway.chat(prompt="x", taskType=task)).status == 200
    report = (await admin("GET", "/admin/api/report?days=1")).json
    rows = {row["task"]: (row["answers"], row["credits_sold"], row["sold_usd"]) for row in report["tasks"]}
    assert rows == {"T": (2, 10, 0.01), "U": (1, 1, 0.001)}
    assert report["granted"]["purchase"] == 50
    assert {row["answers_of_unknown_cost"] for row in report["tasks"]} == {0}  # a server of this machine costs 0
    assert {row["margin_usd"] for row in report["tasks"]} == {0.01, 0.001}
