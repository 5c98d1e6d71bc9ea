"""API keys over any store. Making and ending one is an act: who did it stands beside the acts of money."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from relevo.core.api_keys import ApiKey, KeyOrder
from relevo.core.ledger import Row
from relevo.core.types import Principal
from relevo.store.base import Q, Steps, Store, Tx
from relevo.store.ledger_steps import account_of


class StoredApiKeys:
    """See `core.api_keys.ApiKeys`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(self, order: KeyOrder) -> ApiKey:
        """See `ApiKeys.create`."""
        return await self._store.write(Tx(partial(_create, order=order)))

    async def find(self, key_hash: bytes) -> ApiKey | None:
        """See `ApiKeys.find`."""
        return await self._store.read(Tx(partial(_one, wanted=Q("api_key_by_hash", {"key_hash": key_hash}))))

    async def all_of(self, owner: Principal | None) -> Sequence[ApiKey]:
        """See `ApiKeys.all_of`."""
        return await self._store.read(Tx(partial(_all, owner=owner)))

    async def revoke(self, key_id: str, actor: str) -> ApiKey | None:
        """See `ApiKeys.revoke`."""
        return await self._store.write(Tx(partial(_revoke, key_id=key_id, actor=actor)))


def _create(now_ms: int, order: KeyOrder) -> Steps[ApiKey]:
    values = {
        "id": order.id, "key_hash": order.key_hash, "issuer": order.owner.issuer, "subject": order.owner.subject,
        "name": order.name, "tasks": None if order.tasks is None else msgspec.json.encode(order.tasks).decode(),
        "last4": order.last4, "expires_ms": order.expires_ms, "now_ms": now_ms,
    }  # fmt: skip
    yield Q("insert_api_key", values)
    made = (yield from _one(now_ms, Q("api_key_by_id", {"id": order.id}))) or _gone(order.id)
    what = {"act": "create_key", "id": made.id, "tasks": made.tasks, "expires_at_ms": made.expires_ms}
    yield from _write_down(now_ms, made, "made", order.actor, what)
    return made


def _revoke(now_ms: int, key_id: str, actor: str) -> Steps[ApiKey | None]:
    found = yield from _one(now_ms, Q("api_key_by_id", {"id": key_id}))
    if found is None or found.revoked_ms is not None:
        return found
    yield Q("revoke_api_key", {"id": key_id, "now_ms": now_ms})
    yield from _write_down(now_ms, found, "revoked", actor, {"act": "revoke_key", "id": key_id})
    return (yield from _one(now_ms, Q("api_key_by_id", {"id": key_id})))


def _one(_now_ms: int, wanted: Q) -> Steps[ApiKey | None]:
    rows = yield wanted
    return _key(rows[0]) if rows else None


def _all(_now_ms: int, owner: Principal | None) -> Steps[list[ApiKey]]:
    whose = {"issuer": owner.issuer, "subject": owner.subject} if owner else {"issuer": None, "subject": None}
    return [_key(row) for row in (yield Q("api_keys", whose))]


def _write_down(now_ms: int, key: ApiKey, done: str, actor: str, what: dict[str, Any]) -> Steps[None]:
    """An act that moves nothing."""
    account = yield from account_of(key.owner, now_ms)
    values = {
        "key": f"key:{key.id}:{done}", "account_id": account.id, "what": msgspec.json.encode(what).decode(),
        "actor": actor, "reason": key.name, "moved_micro": 0, "before_micro": account.balance_micro,
        "after_micro": account.balance_micro, "now_ms": now_ms,
    }  # fmt: skip
    yield Q("insert_act", values)


def _gone(key_id: str) -> ApiKey:
    raise LookupError(f"the key {key_id} was not kept")


def _key(row: Row) -> ApiKey:
    return ApiKey(
        id=row[0],
        owner=Principal(row[1], row[2], "machine"),
        name=row[3],
        tasks=None if row[4] is None else tuple(msgspec.json.decode(row[4], type=list[str])),
        last4=row[5],
        created_ms=row[6],
        expires_ms=row[7],
        revoked_ms=row[8],
    )
