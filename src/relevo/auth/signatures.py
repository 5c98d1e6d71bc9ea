"""Signed messages: `t=<seconds>,v1=<hex>` over `t.body` by HMAC-SHA256, as Stripe signs its webhooks."""

import hashlib
import hmac
import re
from typing import Final

from relevo.core.secret import Secret

TOLERANCE_S: Final = 300.0
"""How far the moment of a signature may be from ours: what was overheard is of no use later."""
_PARTS_MAX: Final = 20
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


def signature_fault(header: str, body: bytes, secret: Secret, now_s: float) -> str | None:
    """Why a message is not to be believed, in a word for the log. None: it is.

    Args:
        header: `t=…,v1=…`; several `v1` while a secret is being replaced. Other parts are ignored.
        body: The bytes as they came.
        secret: What both sides know. An empty one is believed by nobody.
        now_s: By the wall clock.
    """
    times: list[str] = []
    given: list[str] = []
    for part in header.split(",")[:_PARTS_MAX]:
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1":
            given.append(value)
    if len(times) != 1 or not _SECONDS.fullmatch(times[0]) or not given:
        return "the header is not t=…,v1=…"
    if not secret:
        return "there is no secret"
    wanted = signature(times[0], body, secret)
    if not any([hmac.compare_digest(wanted.encode(), value.encode()) for value in given]):  # noqa: C419 - all, always
        return "it was not made with this secret over these bytes"
    if abs(now_s - int(times[0])) > TOLERANCE_S:
        return f"it is more than {TOLERANCE_S:.0f} s from now: compare the clocks"
    return None


def signature(seconds: str, body: bytes, secret: Secret) -> str:
    """The `v1` of a message."""
    return hmac.new(secret.reveal().encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
