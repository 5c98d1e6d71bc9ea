"""Payments that others report: signed, each credited once, what it buys by our configuration.

A payment's act has the key of the payment and not of the message: Stripe may report one session in several
events, and repeats an event until it hears 2xx, in any order and in parallel.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Struct

from relevo.auth.signatures import signature_fault
from relevo.core.clock import Clock
from relevo.core.errors import Code, GatewayError
from relevo.core.ledger import ActRefused, Grant, StoreUnavailable
from relevo.core.secret import Secret
from relevo.core.types import Principal
from relevo.http.admin_api import decode, ordering, owner_of
from relevo.http.admin_json import ordered_json
from relevo.http.body_errors import invalid
from relevo.http.chat_answer import encode
from relevo.http.messages import Request, Response
from relevo.http.stripe_event import Payment, paid_session
from relevo.ledger.pricing import exact_micro
from relevo.service.office import Office, UserUnclear

BODY_BYTES_MAX: Final = 1_000_000
_ID_MAX: Final = 200
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """One configured source of payments."""

    secret: Secret
    credits_micro: Mapping[str, int]
    """What each thing that is sold buys."""
    row: str | None
    """Issuer row of those who pay."""


class _Topup(Struct):
    event_id: str
    user: str
    credits: int | float | None = None
    product: str | None = None
    reason: str = ""


class StripeWebhook:
    """`POST /webhooks/stripe`."""

    def __init__(self, seller: Seller, office: Office, clock: Clock, refused: Callable[[str], None]) -> None:
        self._seller = seller
        self._office = office
        self._clock = clock
        self._refused = refused

    async def __call__(self, request: Request) -> Response:
        """Credit a payment.

        What trying again cannot mend is answered with 200, so that Stripe does not turn the endpoint off for
        everybody else's payments; it is an error in the log, with the command that credits it by hand.

        Raises:
            GatewayError: The message is not Stripe's, or the store does not answer: Stripe then tries again.
        """
        header = request.header(b"stripe-signature")
        body = await _signed_body(request, header, self._seller, self._clock, self._refused)
        try:
            payment = paid_session(body, self._seller.credits_micro)
        except msgspec.DecodeError:
            raise GatewayError(Code.INVALID_JSON) from None
        credited = payment is not None and await self._credit(payment)
        return Response(200, encode({"received": True, "credited": credited}))

    async def _credit(self, payment: Payment) -> bool:
        owner = self._payer(payment)
        if owner is None or not payment.micro:
            why = "[topups.stripe] prices says nothing of it" if owner else "its client_reference_id names no user"
            user = payment.user if owner and payment.user else "USER"
            _log.error(
                "a payment was NOT credited: %s; %s, paid %s, event %s. By hand: relevo credits grant %r AMOUNT"
                " --bucket purchase --key stripe:%s",
                why, payment.session_id, payment.paid, payment.event_id, user, payment.session_id,
            )  # fmt: skip
            return False
        change = Grant(kind="purchase", amount_micro=payment.micro)
        key, reason = f"stripe:{payment.session_id}", f"{payment.session_id}, paid {payment.paid}"
        try:
            ordered = await self._office.order(owner, change, key=key, actor="stripe", reason=reason)
        except StoreUnavailable:
            raise GatewayError(Code.UNAVAILABLE) from None
        except ActRefused as refused:
            _log.error("the payment %s was not credited again: %s", payment.session_id, refused)
            return False
        return not ordered.done.replayed

    def _payer(self, payment: Payment) -> Principal | None:
        if payment.user is None:
            return None
        try:
            return self._office.owner(payment.user, self._seller.row)
        except UserUnclear:
            return None


class TopupWebhook:
    """`POST /webhooks/topup`: for whatever else takes payments, from a server of the operator's own."""

    def __init__(self, seller: Seller, office: Office, clock: Clock, refused: Callable[[str], None]) -> None:
        self._seller = seller
        self._office = office
        self._clock = clock
        self._refused = refused

    async def __call__(self, request: Request) -> Response:
        """Credit a payment. Raises: GatewayError, which names the field: its sender can mend it."""
        header = request.header(b"x-relevo-signature")
        topup = decode(await _signed_body(request, header, self._seller, self._clock, self._refused), _Topup)
        if not 0 < len(topup.event_id) <= _ID_MAX or not topup.event_id.isprintable():
            raise invalid("event_id", "long" if topup.event_id else "empty", limit=_ID_MAX)
        change = Grant(kind="purchase", amount_micro=self._micro(topup))
        owner = owner_of(self._office, topup.user, "user", self._seller.row)
        reason = "".join(c for c in topup.reason if c.isprintable())[:1000] or topup.product or ""
        try:
            ordered = await ordering(
                self._office, owner, change, key=f"topup:{topup.event_id}", actor="webhook", reason=reason
            )
        except StoreUnavailable:
            raise GatewayError(Code.UNAVAILABLE) from None
        return Response(200, encode(ordered_json(ordered, change)))

    def _micro(self, topup: _Topup) -> int:
        """What it buys: by our products, or, where there are none, what its sender says."""
        products = self._seller.credits_micro
        if products:
            if topup.credits is not None:
                raise invalid("credits", "product_only")
            if topup.product is None:
                raise invalid("product", "missing")
            if topup.product not in products:
                raise invalid("product", "product", value=topup.product)
            return products[topup.product]
        if topup.credits is None:
            raise invalid("credits", "credits_only" if topup.product else "missing")
        try:
            micro = exact_micro(repr(topup.credits))
        except ValueError:
            micro = 0
        if micro <= 0:
            raise invalid("credits", "credits")
        return micro


async def _signed_body(
    request: Request, header: str, seller: Seller, clock: Clock, refused: Callable[[str], None]
) -> bytes:
    """The bytes as they were signed. Raises: GatewayError: `invalid_token`, `body_too_large`."""
    body = await request.json_body(BODY_BYTES_MAX)
    fault = signature_fault(header, body, seller.secret, clock.wall_s())
    if fault is not None:
        refused(f"{request.path}: {fault}")
        raise GatewayError(Code.INVALID_TOKEN, "invalid_token.signature")
    return body
