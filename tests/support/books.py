"""What the tests of credits share: a configuration in which answers cost, and signed messages."""

import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

from relevo.auth.admin_token import admin_token
from support.gateway import QUICK, Gateway, Reply, config_text

STRIPE_SECRET = "whsec_invented_for_a_test_0123456789"
TOPUP_SECRET = "another-invented-secret-0123456789"
CREDITS = QUICK + "[credits]\nusd_per_credit = 0.001\n"
STRIPE = """
[topups.stripe]
secret = "${STRIPE_SECRET}"
prices = { plink_small = 500, price_small = 500, price_big = 2000, usd_1900 = 2000 }
"""


def books_text(providers: dict[str, str], more: str = "", section: str = "") -> str:
    """Task T at 5 credits an answer, task U at 1, and whatever else is given."""
    targets = ", ".join(f'{{ provider = "{name}", model = "{name}-model" }}' for name in providers)
    tasks = f"[tasks.T]\ncredits = 5\ntargets = [{targets}]\n[tasks.U]\ncredits = 1\ntargets = [{targets}]\n"
    return config_text(providers, tasks=tasks + more, more=CREDITS + section)


def signed(body: bytes, secret: str, at_s: float | None = None) -> str:
    """`t=…,v1=…`, made apart from the code that checks it."""
    seconds = str(int(time.time() if at_s is None else at_s))
    digest = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def stripe_event(session: str = "cs_1", event: str = "evt_1", kind: str = "completed", **changes: Any) -> bytes:
    """An event as Stripe sends it: no line items, and metadata of whoever made the session."""
    body = {
        "id": session,
        "object": "checkout.session",
        "amount_total": 500,
        "currency": "usd",
        "client_reference_id": "ana",
        "metadata": {},
        "mode": "payment",
        "payment_link": "plink_small",
        "payment_status": "paid",
        **changes,
    }
    wrapped = {"id": event, "object": "event", "type": f"checkout.session.{kind}", "data": {"object": body}}
    return json.dumps(wrapped).encode()


async def post(gateway: Gateway, path: str, body: bytes, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await gateway.request("POST", path, body, {"content-type": "application/json", **named})


async def stripe(gateway: Gateway, body: bytes, signature: str | None = None) -> Reply:
    return await post(gateway, "/webhooks/stripe", body, stripe_signature=signature or signed(body, STRIPE_SECRET))


class Admin:
    """An operator's program."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.gateway = gateway
        self.token = admin_token(folder)

    async def __call__(self, method: str, path: str, /, **fields: Any) -> Reply:
        return await self.send(method, path, json.dumps(fields).encode() if method == "POST" else None)

    async def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        given = {"authorization": f"Bearer {self.token}", "content-type": "application/json", **(headers or {})}
        url = self.gateway.server.admin.url + path
        async with self.gateway.session.request(method, url, data=body, headers=given) as answer:
            names = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status, names, await answer.read())

    async def balance(self, user: str = "ana") -> float:
        reply = await self("GET", f"/admin/api/users/{user}")
        return float(reply.json["balance"]) if reply.status == 200 else 0
