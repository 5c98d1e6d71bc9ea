"""Payments become credits: each once, only when signed, and only for what the configuration says they buy."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from relevo.config.problems import ConfigError
from relevo.setup import set_up
from support.books import STRIPE, STRIPE_SECRET, TOPUP_SECRET, Admin, books_text, post, signed, stripe, stripe_event
from support.gateway import Gateway, running

LOCAL = {"a": "http://127.0.0.1:9/v1"}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_SECRET", STRIPE_SECRET)
    monkeypatch.setenv("TOPUP_SECRET", TOPUP_SECRET)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(books_text(LOCAL, STRIPE), tmp_path) as running_gateway:
        yield running_gateway


@pytest.fixture
def admin(gateway: Gateway, tmp_path: Path) -> Admin:
    return Admin(gateway, tmp_path)


async def test_a_payment_counts_once_however_often_it_is_told(gateway: Gateway, admin: Admin) -> None:
    """Twice, in parallel, in another event, out of order: one grant, and the reason says what was paid."""
    first = await stripe(gateway, stripe_event())
    again = await stripe(gateway, stripe_event())
    other = await stripe(gateway, stripe_event(event="evt_2", kind="async_payment_succeeded"))
    assert (first.status, first.json) == (200, {"received": True, "credited": True})
    assert [again.json["credited"], other.json["credited"]] == [False, False]
    assert [again.status, other.status] == [200, 200]
    assert await admin.balance() == 500

    many = await asyncio.gather(*(stripe(gateway, stripe_event("cs_2", f"evt_{n}")) for n in range(20)))
    assert {reply.status for reply in many} == {200}
    assert [reply.json["credited"] for reply in many].count(True) == 1
    assert await admin.balance() == 1000

    late = await stripe(gateway, stripe_event("cs_3", kind="async_payment_succeeded"))
    unpaid = await stripe(gateway, stripe_event("cs_3", "evt_0", payment_status="unpaid"))
    assert (late.json["credited"], unpaid.json["credited"]) == (True, False)
    entry = (await admin("GET", "/admin/api/users/ana")).json["history"][0]
    assert (entry["kind"], entry["key"], entry["actor"]) == ("purchase", "stripe:cs_3", "stripe")
    assert "500 usd" in entry["reason"]
    assert await admin.balance() == 1500


async def test_what_is_not_signed_by_stripe_is_refused(gateway: Gateway, admin: Admin) -> None:
    """No signature, another secret, another body, too old, to come, half a header: 401, and nothing is granted."""
    body, now = stripe_event(), time.time()
    good = signed(body, STRIPE_SECRET)
    seconds, _, digest = good.removeprefix("t=").partition(",v1=")
    for signature in (
        "none",
        signed(body, "whsec_another"),
        signed(body, ""),
        signed(body + b" ", STRIPE_SECRET),
        signed(body, STRIPE_SECRET, now - 301),
        signed(body, STRIPE_SECRET, now + 310),
        f"t={seconds}",
        f"v1={digest}",
        f"t={seconds},t={seconds},v1={digest}",
        f"t={seconds},v0={digest}",
        f"t={seconds}.,v1={digest}",
        f"t={seconds},v1={digest[:-1]}",
        f"t={int(seconds) + 1},v1={digest}",
    ):
        reply = await stripe(gateway, body, signature)
        assert (reply.status, reply.json["code"]) == (401, "invalid_token"), signature
    assert (await post(gateway, "/webhooks/stripe", body)).status == 401
    assert await admin.balance() == 0
    rotated = await stripe(gateway, body, f"t={seconds},v1={'0' * 64},v0=x,v1={digest}")
    assert rotated.json["credited"] is True


async def test_only_the_configuration_says_what_a_payment_buys(
    gateway: Gateway, admin: Admin, caplog: pytest.LogCaptureFixture
) -> None:
    """Metadata is never asked; what nobody configured is 200, an error in the log and no credit."""
    forged = {"credits": "1000000", "price_id": "price_big", "amount": "1900"}
    assert (await stripe(gateway, stripe_event("cs_m", metadata=forged))).json["credited"] is True
    assert await admin.balance() == 500
    unknown = stripe_event("cs_u", payment_link="plink_other", metadata=forged)
    nobody = stripe_event("cs_n", client_reference_id=None, metadata={"user": "ana"})
    odd = stripe_event("cs_o", client_reference_id="a\nb")
    for body in (unknown, nobody, odd):
        reply = await stripe(gateway, body)
        assert (reply.status, reply.json["credited"]) == (200, False)
    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert len(errors) == 3
    assert "prices says nothing of it" in errors[0]
    assert "--key stripe:cs_u" in errors[0]
    assert "names no user" in errors[1]
    assert await admin.balance() == 500

    amount = stripe_event("cs_a", payment_link=None, amount_total=1900)
    lines = {"data": [{"price": {"id": "price_big"}, "quantity": 2}, {"price": {"id": "price_hat"}}]}
    items = stripe_event("cs_l", payment_link=None, line_items=lines)
    assert [(await stripe(gateway, body)).json["credited"] for body in (amount, items)] == [True, True]
    assert await admin.balance() == 500 + 2000 + 4000
    for kind in ("expired", "async_payment_failed"):
        assert (await stripe(gateway, stripe_event("cs_k", kind=kind))).json["credited"] is False
    new = await stripe(gateway, stripe_event("cs_new", client_reference_id="never-seen"))
    assert new.json["credited"] is True
    assert await admin.balance("never-seen") == 500


async def test_bodies_beyond_the_limit_and_odd_ones(gateway: Gateway) -> None:
    """10 MB is 413; JSON that is no event is an error to its sender; GET is not allowed."""
    for length in (1_000_001, 10_000_000):
        reader, writer = await asyncio.open_connection(*gateway.server.api.address)
        head = (
            f"POST /webhooks/stripe HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        )
        writer.write(head.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.close()
    assert (await stripe(gateway, b"[")).status == 400
    assert (await stripe(gateway, b"[]")).status == 400
    assert (await stripe(gateway, b'{"type":"checkout.session.completed","data":{"object":5}}')).status == 400
    assert (await stripe(gateway, b'{"type":"customer.created","data":{"object":5}}')).json["credited"] is False
    assert (await gateway.request("GET", "/webhooks/stripe")).status == 405
    assert (await post(gateway, "/webhooks/topup", b"{}")).status == 404  # its section is not there


async def test_a_payment_credited_by_hand_is_not_credited_again(gateway: Gateway, admin: Admin) -> None:
    """The command that the log names shares its key with the webhook, also for another amount."""
    office = gateway.server._office(gateway.setup)
    from relevo.core.ledger import Grant

    change = Grant(kind="purchase", amount_micro=7_000_000)
    await office.order(office.owner("ana"), change, actor="cli:op", key="stripe:cs_h")
    reply = await stripe(gateway, stripe_event("cs_h"))
    assert (reply.status, reply.json["credited"]) == (200, False)
    assert await admin.balance() == 7


async def topup(gateway: Gateway, fields: Mapping[str, object]) -> tuple[int, dict[str, object]]:
    body = json.dumps(fields).encode()
    reply = await post(gateway, "/webhooks/topup", body, x_relevo_signature=signed(body, TOPUP_SECRET))
    return reply.status, reply.json


async def test_a_server_of_ones_own_reports_payments(tmp_path: Path) -> None:
    """Products by the file; once an event; another order under it is 422; errors name the field."""
    section = '[topups.webhook]\nsecret = "${TOPUP_SECRET}"\nproducts = { pack = 30 }\n'
    async with running(books_text(LOCAL, section), tmp_path) as gateway:
        order = {"event_id": "mp-1", "user": "ana", "product": "pack", "more": "is ignored"}
        status, first = await topup(gateway, order)
        assert (status, first["amount"], first["before"], first["after"]) == (200, 30, 0, 30)
        assert (first["user"], first["key"], first["replayed"]) == ("local:ana", "topup:mp-1", False)
        assert (await topup(gateway, order))[1]["replayed"] is True
        assert (await topup(gateway, {**order, "user": "bob"}))[0] == 422
        for change, field in (
            ({"product": "nothing"}, "product"),
            ({"credits": 5}, "credits"),
            ({"product": None}, "product"),
            ({"event_id": ""}, "event_id"),
            ({"user": ""}, "user"),
        ):
            status, wrong = await topup(gateway, {**order, "event_id": "mp-2", **change})
            assert (status, wrong["code"], wrong["field"]) == (400, "invalid_request", field)
        body = json.dumps(order).encode()
        unsigned = await post(gateway, "/webhooks/topup", body, x_relevo_signature=signed(body, "guessed"))
        assert unsigned.status == 401
        assert await Admin(gateway, tmp_path).balance() == 30


async def test_without_products_the_sender_states_the_credits(tmp_path: Path) -> None:
    """And only then."""
    section = '[topups.webhook]\nsecret = "${TOPUP_SECRET}"\n'
    async with running(books_text(LOCAL, section), tmp_path) as gateway:
        assert (await topup(gateway, {"event_id": "1", "user": "ana", "credits": 2.5}))[1]["after"] == 2.5
        for wrong in (0, -1, 0.0000001, 1e300):
            assert (await topup(gateway, {"event_id": "2", "user": "ana", "credits": wrong}))[0] == 400
        assert (await topup(gateway, {"event_id": "3", "user": "ana", "product": "pack"}))[1]["field"] == "credits"
        assert (await post(gateway, "/webhooks/stripe", b"{}")).status == 404


ISSUERS = "".join(
    f'[auth.issuers.{name}]\nissuer = "https://{name}.example"\nsecret = "${{TOPUP_SECRET}}"\n'
    for name in ("app", "shop")
)


@pytest.mark.parametrize(
    ("section", "found"),
    [
        ('[topups.stripe]\nsecret = "${EMPTY:-}"\nprices = { usd_500 = 5 }\n', "the secret is empty"),
        ('[topups.webhook]\nsecret = "${EMPTY:-}"\n', "the secret is empty"),
        ('[topups.webhook]\nsecret = "written-out"\n', "a secret does not belong in this file"),
        ('[topups.stripe]\nsecret = "${STRIPE_SECRET}"\nprices = { cheap = 5 }\n', "names no payment"),
        ('[topups.stripe]\nsecret = "${STRIPE_SECRET}"\nprices = { usd_500 = 0 }\n', "prices"),
        ('[topups.stripe]\nsecret = "${STRIPE_SECRET}"\nprices = {}\n', "prices"),
        ('[topups.webhook]\nsecret = "${TOPUP_SECRET}"\nissuer = "nowhere"\n', 'no issuer row "nowhere"'),
        (ISSUERS + '[topups.webhook]\nsecret = "${TOPUP_SECRET}"\n', "there are several issuers"),
    ],
)
def test_a_door_for_money_is_right_or_not_there(tmp_path: Path, section: str, found: str) -> None:
    """An empty secret, an unknown payment or an unclear user is an error at load, with its line."""
    path = tmp_path / "relevo.toml"
    path.write_text(books_text(LOCAL, section))
    with pytest.raises(ConfigError, match=found) as caught:
        set_up(str(path))
    assert "relevo.toml:" in str(caught.value)


def test_prices_that_no_event_carries_are_a_warning(tmp_path: Path) -> None:
    """Price ids: Stripe's events do not have them. Each is said, also beside keys that count."""
    path = tmp_path / "relevo.toml"
    prices = "prices = { price_1 = 5, usd_500 = 5, price_2 = 9 }\n"
    path.write_text(books_text(LOCAL, f'[topups.stripe]\nsecret = "${{STRIPE_SECRET}}"\n{prices}'))
    warnings = set_up(str(path)).config.report.at("warning")
    assert [warning.path[-1] for warning in warnings] == ["price_1", "price_2"]
    assert all("carry no price ids" in warning.message for warning in warnings)


def test_a_secret_that_is_none_of_stripe_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API key in its place would refuse every payment. It is not shown."""
    monkeypatch.setenv("STRIPE_SECRET", "sk_live_invented_0123456789")
    path = tmp_path / "relevo.toml"
    path.write_text(books_text(LOCAL, '[topups.stripe]\nsecret = "${STRIPE_SECRET}"\nprices = { usd_500 = 5 }\n'))
    report = set_up(str(path)).config.report
    (warning,) = report.at("warning")
    assert "topups.stripe.secret: the secrets of webhooks begin with whsec_" in report.text(warning)
    assert "sk_live" not in report.text(warning)


def test_nobody_is_told_to_do_without_a_secret(tmp_path: Path) -> None:
    """Neither where its variable is missing nor where it is empty."""
    path = tmp_path / "relevo.toml"
    for reference in ("${NO_SUCH_SECRET}", "${NO_SUCH_SECRET:-}"):
        path.write_text(books_text(LOCAL, f'[topups.webhook]\nsecret = "{reference}"\n'))
        with pytest.raises(ConfigError, match=r"in the environment or in \.env") as caught:
            set_up(str(path))
        assert ":-}" not in str(caught.value)


async def test_a_reload_opens_and_closes_the_door(tmp_path: Path) -> None:
    """The route is there with its section, from the next request on."""
    path = tmp_path / "relevo.toml"
    async with running(books_text(LOCAL), tmp_path) as gateway:
        body = stripe_event()
        assert (await stripe(gateway, body)).status == 404
        path.write_text(books_text(LOCAL, STRIPE))
        gateway.server.reload()
        assert (await stripe(gateway, body)).json["credited"] is True
        path.write_text(books_text(LOCAL, STRIPE.replace("STRIPE_SECRET", "NOT_SET:-")))
        gateway.server.reload()  # an empty secret: the old configuration stays
        assert (await stripe(gateway, body)).status == 200
        path.write_text(books_text(LOCAL))
        gateway.server.reload()
        assert (await stripe(gateway, body)).status == 404
