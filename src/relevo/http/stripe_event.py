"""Which payment a signed event of Stripe reports, and which credits the configuration gives for it. Pure.

What an event carries by itself, without a call back to Stripe: the session's id, its payment link, the amount in
the currency's smallest unit, and `client_reference_id`. It carries no line items unless somebody adds them, and
its metadata is what the app wrote: that is never asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Struct

_PAID: Final = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})
"""Methods that pay later complete unpaid, and succeed in an event of their own."""
_QUANTITY_MAX: Final = 10_000


class _Price(Struct):
    id: str = ""


class _Line(Struct):
    price: _Price | None = None
    quantity: int | None = None


class _Lines(Struct):
    data: list[_Line] = []


class _Session(Struct):
    id: str
    payment_status: str | None = None
    client_reference_id: str | None = None
    payment_link: Any = None
    amount_total: int | None = None
    currency: str | None = None
    line_items: _Lines | None = None


class _Data(Struct):
    object: msgspec.Raw = msgspec.Raw(b"{}")


class _Event(Struct):
    id: str = ""
    type: str = ""
    data: _Data = msgspec.field(default_factory=_Data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A session that was paid for."""

    event_id: str
    session_id: str
    user: str | None
    """The session's `client_reference_id`."""
    micro: int
    """What it buys by the configuration. 0: nothing that is written there."""
    paid: str
    """What was paid and by what it was known, for people."""


def paid_session(body: bytes, credits_micro: Mapping[str, int]) -> Payment | None:
    """The payment that an event reports. None: it reports none.

    Raises:
        msgspec.DecodeError: It is no event.
    """
    event = msgspec.json.decode(body, type=_Event)
    if event.type not in _PAID:
        return None
    session = msgspec.json.decode(event.data.object, type=_Session)
    if session.payment_status != "paid":
        return None
    names = _names(session)
    micro = sum(credits_micro.get(name, 0) * quantity for name, quantity in names[:-2])
    for name, quantity in names[-2:]:
        micro = micro or credits_micro.get(name, 0) * quantity
    amount = (
        f"{session.amount_total} {session.currency}" if session.amount_total is not None else "an unknown amount"
    )
    known = ", ".join(name for name, _ in names if name)
    return Payment(
        event_id=event.id[:255],
        session_id=session.id,
        user=session.client_reference_id or None,
        micro=micro,
        paid=f"{amount} (smallest unit), {known}",
    )


def _names(session: _Session) -> list[tuple[str, int]]:
    """What a session may be known by, with how many of it: its prices, then its payment link, then its amount."""
    lines = session.line_items.data if session.line_items else []
    names = [
        (line.price.id, line.quantity if line.quantity is not None else 1)
        for line in lines
        if line.price and 0 < (line.quantity if line.quantity is not None else 1) <= _QUANTITY_MAX
    ]
    link = session.payment_link if isinstance(session.payment_link, str) else ""
    amount = f"{session.currency}_{session.amount_total}" if session.amount_total and session.currency else ""
    return [*names, (link, 1), (amount, 1)]
