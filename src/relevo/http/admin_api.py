"""`/admin/api`: what an operator's program may order and read.

Bodies are strict here, unlike those of `/api/ai/*`: a field that nobody knows is an error, because an operator's
slip of the pen must not grant the wrong thing. Every order is an act with actor, reason, before and after.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from relevo.core.errors import Code, GatewayError
from relevo.core.ledger import ActRefused, Block, Change, Grant, Refund, Revoke
from relevo.core.types import Principal
from relevo.http.admin_json import api_key_json, history_json, ordered_json, report_json, target_json
from relevo.http.body_errors import invalid, wrong_type
from relevo.http.chat_answer import balance_json, encode
from relevo.http.messages import Request, Response
from relevo.ledger.pricing import credits_of, exact_micro
from relevo.service.office import Office, Ordered, UnknownTasks, UserUnclear, name_of
from relevo.service.targets import TargetState

_BODY_BYTES_MAX: Final = 65_536
_ACTOR: Final = "admin:api"
_KEY_MAX: Final = 255
_DAYS_MAX: Final = 3660
_HISTORY_MAX: Final = 1000


class _Order(Struct, forbid_unknown_fields=True):
    user: str
    reason: str = ""
    idempotency_key: str | None = None


class _GrantBody(_Order, forbid_unknown_fields=True, kw_only=True):
    amount: int | float
    bucket: Literal["bonus", "purchase"] = "bonus"
    expires_at: str | None = None


class _RevokeBody(_Order, forbid_unknown_fields=True, kw_only=True):
    amount: int | float


class _RefundBody(_Order, forbid_unknown_fields=True, kw_only=True):
    key: str


class _NewKey(Struct, forbid_unknown_fields=True):
    owner: str
    name: str = ""
    expires_at: str | None = None
    tasks: list[str] | None = None


class _RevokeKey(Struct, forbid_unknown_fields=True):
    id: str


B = TypeVar("B", bound=Struct)
O = TypeVar("O", bound=_Order)  # noqa: E741 - an order
Handler = Callable[[Request], Awaitable[Any]]


class AdminApi:
    """The routes of one configuration. Whoever comes here has shown the token."""

    def __init__(self, office: Office, targets: Callable[[], list[TargetState]]) -> None:
        self._office = office
        self._states = targets
        self._routes: Final[dict[str, dict[str, Handler]]] = {
            "/admin/api/credits/grant": {"POST": self._grant},
            "/admin/api/credits/revoke": {"POST": self._revoke},
            "/admin/api/credits/refund": {"POST": self._refund},
            "/admin/api/users/block": {"POST": self._block},
            "/admin/api/users/unblock": {"POST": self._unblock},
            "/admin/api/keys": {"GET": self._keys, "POST": self._create_key},
            "/admin/api/keys/revoke": {"POST": self._revoke_key},
            "/admin/api/report": {"GET": self._report},
            "/admin/api/targets": {"GET": self._targets},
        }

    async def answer(self, request: Request) -> Response:
        """Answer one request. Raises: GatewayError, StoreUnavailable, CallerGone."""
        methods = self._routes.get(request.path)
        if methods is None and request.path.startswith("/admin/api/users/"):
            methods = {"GET": self._user}
        if methods is None:
            raise GatewayError(Code.NOT_FOUND, "not_found.admin")
        handler = methods.get(request.method)
        if handler is None:
            raise GatewayError(Code.METHOD_NOT_ALLOWED, allowed=", ".join(methods))
        return Response(200, encode(await handler(request)))

    async def _grant(self, request: Request) -> Any:
        body = await _body(request, _GrantBody)
        expires_ms = _moment_ms(body.expires_at, "expires_at")
        change = Grant(kind=body.bucket, amount_micro=_micro(body.amount), expires_at_ms=expires_ms)
        return ordered_json(await self._order(request, body, change), change)

    async def _revoke(self, request: Request) -> Any:
        body = await _body(request, _RevokeBody)
        return ordered_json(await self._order(request, body, Revoke(amount_micro=_micro(body.amount))))

    async def _refund(self, request: Request) -> Any:
        body = await _body(request, _RefundBody)
        return ordered_json(await self._order(request, body, Refund(grant_key=body.key)))

    async def _block(self, request: Request) -> Any:
        return await self._blocked(request, blocked=True)

    async def _unblock(self, request: Request) -> Any:
        return await self._blocked(request, blocked=False)

    async def _blocked(self, request: Request, *, blocked: bool) -> Any:
        body = await _body(request, _Order)
        return {**ordered_json(await self._order(request, body, Block(blocked=blocked))), "blocked": blocked}

    async def _user(self, request: Request) -> Any:
        user = request.path.removeprefix("/admin/api/users/")
        owner = owner_of(self._office, user, "user")
        balance = await self._office.balance(owner)
        if balance is None:
            raise GatewayError(Code.NOT_FOUND, "not_found.user", user=user)
        entries = await self._office.ledger.history(owner, _number(request, "limit", 50, _HISTORY_MAX))
        return {
            "user": name_of(owner),
            "blocked": balance.blocked,
            **balance_json(balance),
            "history": history_json(entries),
        }

    async def _targets(self, _request: Request) -> Any:
        return [target_json(state) for state in self._states()]

    async def _keys(self, request: Request) -> Any:
        owner = request.query("owner")
        wanted = owner_of(self._office, owner, "owner") if owner else None
        return [api_key_json(key) for key in await self._office.api_keys.all_of(wanted)]

    async def _create_key(self, request: Request) -> Any:
        body = await _body(request, _NewKey)
        expires_ms = _moment_ms(body.expires_at, "expires_at")
        owner = owner_of(self._office, body.owner, "owner")
        try:
            text, key = await self._office.create_key(
                owner, name=_short(body.name, "name"), tasks=body.tasks, expires_ms=expires_ms, actor=_ACTOR
            )
        except UnknownTasks as error:
            raise GatewayError(
                Code.UNKNOWN_TASK, "unknown_task.key", field="tasks", task=error.unknown, known=error.known
            ) from None
        return {**api_key_json(key), "key": text}

    async def _revoke_key(self, request: Request) -> Any:
        body = await _body(request, _RevokeKey)
        key = await self._office.api_keys.revoke(body.id, _ACTOR)
        if key is None:
            raise GatewayError(Code.NOT_FOUND, "not_found.key", id=body.id)
        return api_key_json(key)

    async def _report(self, request: Request) -> Any:
        report = await self._office.reports(_number(request, "days", 30, _DAYS_MAX))
        return report_json(report, self._office.usd_per_credit)

    async def _order(self, request: Request, body: _Order, change: Change) -> Ordered:
        """An act under the key that the caller chose, else under one that nobody will repeat."""
        header = request.header(b"idempotency-key")
        if header and body.idempotency_key and header != body.idempotency_key:
            raise invalid("idempotency_key", "two_keys")
        key = _short(body.idempotency_key or header, "idempotency_key") or request.id
        owner = owner_of(self._office, body.user, "user")
        reason = _short(body.reason, "reason", 1000)
        return await ordering(self._office, owner, change, key=f"admin:{key}", actor=_ACTOR, reason=reason)


async def ordering(
    office: Office, owner: Principal, change: Change, *, key: str, actor: str, reason: str
) -> Ordered:
    """Do an act. Raises: GatewayError in place of `ActRefused`; StoreUnavailable."""
    try:
        return await office.order(owner, change, key=key, actor=actor, reason=reason)
    except ActRefused as refused:
        raise _refusal(refused) from None


def _refusal(refused: ActRefused) -> GatewayError:
    match refused.why:
        case "key":
            return GatewayError(Code.IDEMPOTENCY_MISMATCH, "idempotency_mismatch.act", **refused.values)
        case "no_account":
            return GatewayError(Code.NOT_FOUND, "not_found.user", **refused.values)
        case "available":
            return invalid("amount", "available", available=credits_of(refused.values["available_micro"]))
        case "expired":
            return invalid("expires_at", "past")
        case "no_grant" | "nothing_left":
            return invalid("key", refused.why, **refused.values)
        case "too_much" | "amount":
            return invalid("amount", "credits" if refused.why == "amount" else "too_much")


def owner_of(office: Office, user: str, field: str, row: str | None = None) -> Principal:
    """See `Office.owner`. Raises: GatewayError: `invalid_request` for this field."""
    try:
        return office.owner(user, row)
    except UserUnclear as error:
        if error.rows:
            raise invalid(field, "user_row", known=list(error.rows)) from None
        raise invalid(field, "user") from None


async def _body(request: Request, kind: type[B]) -> B:
    return decode(await request.json_body(_BODY_BYTES_MAX), kind)


def decode(body: bytes, kind: type[B]) -> B:
    """A body of this shape. Raises: GatewayError: `invalid_json` or `invalid_request`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise wrong_type(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise GatewayError(Code.INVALID_JSON) from None


def _micro(amount: float) -> int:
    try:
        micro = exact_micro(repr(amount))
    except ValueError:
        raise invalid("amount", "credits") from None
    if micro <= 0:
        raise invalid("amount", "credits")
    return micro


def _moment_ms(text: str | None, field: str) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise invalid(field, "moment")
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise invalid(field, "moment") from None


def _number(request: Request, name: str, default: int, highest: int) -> int:
    text = request.query(name)
    if not text:
        return default
    if not text.isdecimal() or len(text) > len(str(highest)) or not 1 <= int(text) <= highest:
        raise invalid(name, "range", low=1, high=highest)
    return int(text)


def _short(text: str, field: str, limit: int = _KEY_MAX) -> str:
    if len(text) > limit or not text.isprintable():
        raise invalid(field, "long", limit=limit)
    return text
