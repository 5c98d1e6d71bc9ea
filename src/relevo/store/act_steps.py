"""What somebody orders, once: credits given, taken back or refunded, users blocked. Each act says who and why."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import msgspec

from relevo.core.grants import AccountRow, GrantRow
from relevo.core.ledger import (
    MICRO_MAX,
    MICRO_PER_CREDIT,
    Act,
    ActRefused,
    Block,
    Done,
    Grant,
    Refund,
    Revoke,
    Terms,
)
from relevo.store.base import Q, Steps
from relevo.store.ledger_steps import By, Movement, account_of, assigned, enter, enter_grant, exists, rolled, save


def perform(now_ms: int, act: Act, terms: Terms) -> Steps[Done]:
    """Do an act, or tell what it did when it was done before.

    Raises:
        ActRefused: It cannot be done; the transaction is to be undone.
    """
    new = not (yield from exists(now_ms, act.owner))
    if new and isinstance(act.change, Revoke | Refund):
        user = f"{act.owner.issuer}:{act.owner.subject}"
        raise ActRefused(f"there is no account of {user}", "no_account", user=user)
    account = yield from account_of(act.owner, now_ms)
    what = _as_json(act.change)
    rows = yield Q("act_by_key", {"key": act.key})
    if rows:
        account_id, done, moved, before, after = rows[0]
        if account_id != account.id or done != what:
            raise ActRefused(f"the key {act.key} was used for something else: take a new one", "key", key=act.key)
        return Done(moved_micro=moved, before_micro=before, after_micro=after, replayed=True)
    account = yield from rolled(account, None, terms, now_ms)
    before = account.balance_micro
    account = yield from _change(account, act, now_ms)
    if abs(account.balance_micro) > MICRO_MAX:
        raise ActRefused("the balance would be beyond what can be counted", "too_much")
    yield from save(account)
    moved = account.balance_micro - before
    values = {
        "key": act.key, "account_id": account.id, "what": what, "actor": act.actor, "reason": act.reason,
        "moved_micro": moved, "before_micro": before, "after_micro": account.balance_micro, "now_ms": now_ms,
    }  # fmt: skip
    yield Q("insert_act", values)
    return Done(moved_micro=moved, before_micro=before, after_micro=account.balance_micro, new_account=new)


def acted(_now_ms: int, keys: Sequence[str]) -> Steps[frozenset[str]]:
    """Those of these keys that were used."""
    used = set()
    for key in keys:
        used |= {key} if (yield Q("act_by_key", {"key": key})) else set()
    return frozenset(used)


def _change(account: AccountRow, act: Act, now_ms: int) -> Steps[AccountRow]:
    match act.change:
        case Block(blocked=blocked):
            yield Q("block_account", {"id": account.id, "blocked_ms": now_ms if blocked else None})
            return account
        case Grant():
            return (yield from _grant(account, act, act.change, now_ms))
        case Revoke(amount_micro=amount):
            return (yield from _revoke(account, act, amount, now_ms))
        case Refund(grant_key=key):
            return (yield from _refund(account, act, key, now_ms))


def _grant(account: AccountRow, act: Act, given: Grant, now_ms: int) -> Steps[AccountRow]:
    if not 0 < given.amount_micro <= MICRO_MAX:
        raise ActRefused("an amount is more than 0 and at most 4,000,000,000,000 credits")
    if given.expires_at_ms is not None and given.expires_at_ms <= now_ms:
        raise ActRefused("the credits would have expired already", "expired")
    account = yield from assigned(account)
    grant = GrantRow(
        id=0,
        kind=given.kind,
        amount_micro=given.amount_micro,
        remaining_micro=given.amount_micro,
        expires_ms=given.expires_at_ms,
    )
    account = yield from enter_grant(account, grant, now_ms, act.key, By(act.actor, act.reason))
    if given.expires_at_ms is not None:
        account = replace(account, due_ms=min(account.due_ms, given.expires_at_ms))
    return account


def _revoke(account: AccountRow, act: Act, amount: int, now_ms: int) -> Steps[AccountRow]:
    if amount <= 0:
        raise ActRefused("an amount is more than 0")
    if amount > account.available_micro:
        available = max(0, account.available_micro)
        raise ActRefused(
            f"only {_credits(available)} credits are available", "available", available_micro=available
        )
    account = yield from enter(account, now_ms, Movement("revoke", -amount, by=By(act.actor, act.reason)))
    return replace(account, unassigned_micro=account.unassigned_micro + amount)


def _refund(account: AccountRow, act: Act, key: str, now_ms: int) -> Steps[AccountRow]:
    """Credits that were spent stay spent: a refund takes what is left of its grant and not under a hold."""
    account = yield from assigned(account)
    rows = yield Q("grant_by_act", {"act_key": key, "account_id": account.id})
    if not rows:
        raise ActRefused(
            f"this user has no grant with the key {key}: `relevo credits history` shows them", "no_grant", key=key
        )
    grant_id, _, _, remaining, _ = rows[0]
    taken = min(remaining, max(0, account.available_micro))
    if not taken:
        raise ActRefused(f"nothing is left to take of the grant with the key {key}", "nothing_left", key=key)
    yield Q("update_grant", {"id": grant_id, "remaining_micro": remaining - taken})
    return (yield from enter(account, now_ms, Movement("refund", -taken, by=By(act.actor, act.reason))))


def _credits(micro: int) -> str:
    """An amount as people read it: no zeros at its end."""
    return f"{Decimal(micro) / MICRO_PER_CREDIT:f}"


def _as_json(change: Grant | Revoke | Refund | Block) -> str:
    names = change.__dataclass_fields__
    plain = {"act": type(change).__name__.lower(), **{name: getattr(change, name) for name in names}}
    return msgspec.json.encode(plain).decode()
