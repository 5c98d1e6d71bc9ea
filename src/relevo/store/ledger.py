"""The ledger over any store: each method is one transaction of `ledger_steps` or its neighbours."""

from collections.abc import Sequence
from functools import partial

from relevo.core.ledger import (
    Act,
    Balance,
    Claim,
    Claimed,
    Closed,
    Closing,
    Done,
    Entry,
    HoldOrder,
    KeptAnswer,
    Refused,
    Reserved,
    Terms,
)
from relevo.core.types import Principal
from relevo.store import act_steps, idempotency_steps, ledger_quick, ledger_steps
from relevo.store.audit import Audit, audit
from relevo.store.base import Many, Steps, Store, Tx


class StoredLedger:
    """See `core.ledger.Ledger`, `core.ledger.Keys`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def reserve(self, owner: Principal, order: HoldOrder, terms: Terms) -> Reserved | Refused:
        """See `Ledger.reserve`."""
        return await self._store.write(
            Tx(
                partial(ledger_steps.reserve, owner=owner, order=order, terms=terms),
                quick=ledger_quick.reserve(owner, order, terms),
                of_row=ledger_quick.reserved,
            )
        )

    async def close(self, hold_id: str, closing: Closing, terms: Terms) -> Closed:
        """See `Ledger.close`."""
        closed = await self._store.write(
            Tx(
                partial(ledger_steps.close, hold_id=hold_id, closing=closing, terms=terms),
                quick=ledger_quick.close(hold_id, closing),
                of_row=ledger_quick.closed,
            )
        )
        if closed is None:
            raise LookupError(f"there is no hold {hold_id}")
        return closed

    async def renew(self, hold_ids: Sequence[str], ttl_ms: int) -> None:
        """See `Ledger.renew`."""

        def steps(now_ms: int) -> Steps[None]:
            yield Many("renew_hold", [{"id": hold_id, "expires_ms": now_ms + ttl_ms} for hold_id in hold_ids])

        await self._store.write(Tx(steps))

    async def expire_due(self, live: Sequence[str], dead_node: str | None = None) -> int:
        """See `Ledger.expire_due`."""
        return await self._store.write(Tx(partial(ledger_steps.expire_due, live=live, dead_node=dead_node)))

    async def balance(self, owner: Principal, terms: Terms) -> Balance:
        """See `Ledger.balance`."""
        return await self._store.write(Tx(partial(ledger_steps.balance, owner=owner, terms=terms)))

    async def act(self, act: Act, terms: Terms) -> Done:
        """See `Ledger.act`."""
        return await self._store.write(Tx(partial(act_steps.perform, act=act, terms=terms)))

    async def is_blocked(self, owner: Principal) -> bool:
        """See `Ledger.is_blocked`."""
        return await self._store.read(Tx(partial(ledger_steps.blocked, owner=owner)))

    async def entries(self, owner: Principal, limit: int) -> list[Entry]:
        """The newest movements of an account, newest first."""
        return await self._store.read(Tx(partial(ledger_steps.entries, owner=owner, limit=limit)))

    async def history(self, owner: Principal, limit: int) -> list[Entry]:
        """The newest movements of an account, and when it was blocked and admitted again, newest first."""
        return await self._store.read(Tx(partial(ledger_steps.history, owner=owner, limit=limit)))

    async def exists(self, owner: Principal) -> bool:
        """Whether there is such an account. Makes none."""
        return await self._store.read(Tx(partial(ledger_steps.exists, owner=owner)))

    async def acted(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of these act keys that were used."""
        return await self._store.read(Tx(partial(act_steps.acted, keys=keys)))

    async def audit(self) -> Audit:
        """Recompute everything from the entries."""
        return await self._store.read(Tx(audit))

    async def claim(self, claim: Claim) -> Claimed:
        """See `Keys.claim`."""
        return await self._store.write(Tx(partial(idempotency_steps.claim, wanted=claim)))

    async def keep(self, kept: KeptAnswer) -> None:
        """See `Keys.keep`."""
        await self._store.write(Tx(partial(idempotency_steps.keep, kept=kept)))

    async def free(self, claim: Claim) -> None:
        """See `Keys.free`."""
        await self._store.write(Tx(partial(idempotency_steps.free, wanted=claim)))

    async def renew_claims(self, claims: Sequence[Claim]) -> None:
        """See `Keys.renew_claims`."""
        await self._store.write(Tx(partial(idempotency_steps.renew, claims=claims)))

    async def forget(self, node: str, *, alone: bool = False) -> None:
        """See `Keys.forget`."""
        await self._store.write(Tx(partial(idempotency_steps.forget, node=node, alone=alone)))
