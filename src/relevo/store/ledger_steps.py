"""The transactions of the ledger, step by step: the one place where money moves.

Each begins by locking what it changes, a hold before its account, and brings the account up to date before
it looks at it (`_rolled`). What may be said of the result stands in docs/ARCHITECTURE.md, "Money".
"""

import heapq
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec

from relevo.core.grants import MS_PER_DAY, AccountRow, GrantRow, Rolled, assign, day_of, next_month_ms, roll
from relevo.core.ledger import (
    HOUSE,
    Balance,
    Bucket,
    Closed,
    ClosedState,
    Closing,
    Entry,
    HoldOrder,
    Refused,
    Reserved,
    Row,
    Terms,
)
from relevo.core.types import Principal
from relevo.store.base import Many, Q, Steps
from relevo.store.idempotency_steps import keep_answer


class By(NamedTuple):
    """Who moved credits, and why."""

    actor: str
    reason: str


BY_ITSELF = By("relevo", "")


class Movement(NamedTuple):
    """One entry to be made."""

    kind: str
    amount_micro: int
    hold_id: str | None = None
    grant_id: int | None = None
    by: By = BY_ITSELF


def reserve(now_ms: int, owner: Principal, order: HoldOrder, terms: Terms) -> Steps[Reserved | Refused]:
    """Set credits aside for one request."""
    account = yield from account_of(owner, now_ms)
    taken = yield from _existing(order.id, account)
    if taken is not None:
        return taken
    account = yield from rolled(account, owner, terms, now_ms)
    if account.blocked:
        return Refused(why="blocked")
    available, amount = account.available_micro, order.amount_micro
    floor = amount if order.floor_micro is None else min(order.floor_micro, amount)
    amount = max(floor, min(amount, available))
    if amount > 0 and available < amount:
        return Refused(why="insufficient", required_micro=amount, available_micro=available)
    if terms.daily_limit_micro:
        spent = account.spent_micro if account.spent_day == day_of(now_ms) else 0
        if spent + account.held_micro + amount > terms.daily_limit_micro:
            resets_at_ms = (day_of(now_ms) + 1) * MS_PER_DAY
            return Refused(why="daily_limit", required_micro=amount, resets_at_ms=resets_at_ms)
    values = {
        "id": order.id, "account_id": account.id, "task": order.task, "amount_micro": amount,
        "cost_guess_nano_usd": order.cost_guess_nano_usd, "node": order.node,
        "expires_ms": now_ms + order.ttl_ms, "now_ms": now_ms,
    }  # fmt: skip
    yield Q("insert_hold", values)
    yield from save(replace(account, held_micro=account.held_micro + amount))
    return Reserved(amount_micro=amount, available_micro=available - amount)


def close(now_ms: int, hold_id: str, closing: Closing, terms: Terms) -> Steps[Closed | None]:
    """End a hold. None: there is no such hold."""
    rows = yield Q("hold_by_id", {"id": hold_id})
    if not rows:
        return None
    account_id, amount, state, charged, available = rows[0]
    if state in ("settled", "released"):
        return Closed(state=state, charged_micro=charged, available_micro=available)
    late = state == "expired"
    if closing.answer is not None and not (yield keep_answer(now_ms, closing.answer)):
        closing = _unpaid(closing)
    account = _account((yield Q("account_by_id", {"id": account_id}))[0])
    account = yield from rolled(account, None, terms, now_ms)
    charge = closing.charge_micro
    account = replace(account, held_micro=account.held_micro - (0 if late else amount))
    if charge:
        account = yield from enter(account, now_ms, Movement("charge", -charge, hold_id=hold_id))
        day = day_of(now_ms)
        spent = account.spent_micro if account.spent_day == day else 0
        account = replace(
            account,
            unassigned_micro=account.unassigned_micro + charge,
            spent_day=day,
            spent_micro=spent + charge,
        )
    yield from save(account)
    if late:
        yield Q("delete_cost_guess", {"hold_id": hold_id})
    if closing.costs:
        yield cost_rows(hold_id, closing)
    ended: ClosedState = "settled" if charge else "released"
    values = {
        "id": hold_id, "state": ended, "charged_micro": charge, "available_micro": account.available_micro,
        "late": int(late), "now_ms": now_ms,
    }  # fmt: skip
    yield Q("close_hold", values)
    return Closed(state=ended, charged_micro=charge, available_micro=account.available_micro)


def _unpaid(closing: Closing) -> Closing:
    """The closing of an answer that will not be delivered: its key has gone to another request."""
    costs = [replace(cost, borne_by="house") for cost in closing.costs]
    return replace(closing, charge_micro=0, costs=costs)


def cost_rows(hold_id: str, closing: Closing) -> Many:
    """What the tries of a hold cost, as rows."""
    rows = [
        {
            "hold_id": hold_id,
            "number": cost.number,
            "provider": cost.provider,
            "upstream_model": cost.upstream_model,
            "nano_usd": cost.nano_usd,
            "borne_by": cost.borne_by,
            "estimated": int(cost.estimated),
        }
        for cost in closing.costs
    ]
    return Many("insert_cost", rows)


def expire_due(now_ms: int, live: Sequence[str], dead_node: str | None) -> Steps[int]:
    """Release holds past their time and write their cost off; a piece at a time. How many."""
    if dead_node is None:
        rows = yield Q("due_holds", {"now_ms": now_ms})
    else:
        rows = yield Q("holds_of_others", {"node": dead_node})
    alive = frozenset(live)
    expired = 0
    for hold_id, _ in rows:
        if hold_id not in alive:
            expired += yield from _expire(hold_id, now_ms)
    return expired


def balance(now_ms: int, owner: Principal, terms: Terms) -> Steps[Balance]:
    """The account as it is now."""
    account = yield from account_of(owner, now_ms)
    account = yield from rolled(account, owner, terms, now_ms)
    grants = yield Q("open_grants", {"account_id": account.id})
    left, _ = assign([_grant(row) for row in grants], account.unassigned_micro)
    return Balance(
        balance_micro=account.balance_micro,
        held_micro=account.held_micro,
        buckets=tuple(
            Bucket(kind=grant.kind, remaining_micro=grant.remaining_micro, expires_at_ms=grant.expires_ms)
            for grant in left
            if grant.remaining_micro
        ),
        resets_at_ms=next_month_ms(now_ms) if terms.monthly_micro and account.person else None,
        blocked=account.blocked,
    )


def blocked(_now_ms: int, owner: Principal) -> Steps[bool]:
    """Whether an account is blocked. One that does not exist is not."""
    rows = yield Q("blocked_of", {"issuer": owner.issuer, "subject": owner.subject})
    return bool(rows) and rows[0][0] is not None


def exists(_now_ms: int, owner: Principal) -> Steps[bool]:
    """Whether there is such an account."""
    return bool((yield Q("blocked_of", {"issuer": owner.issuer, "subject": owner.subject})))


def entries(_now_ms: int, owner: Principal, limit: int) -> Steps[list[Entry]]:
    """The newest movements of an account, newest first."""
    rows = yield Q("entries_of", {"issuer": owner.issuer, "subject": owner.subject, "limit": limit})
    names = ("seq", "kind", "amount_micro", "balance_micro", "at_ms", "hold_id", "act_key", "actor", "reason")
    return [Entry(**dict(zip(names, row, strict=True))) for row in rows]


def history(now_ms: int, owner: Principal, limit: int) -> Steps[list[Entry]]:
    """The newest movements of an account with the acts that move nothing among them, newest first."""
    moved = yield from entries(now_ms, owner, limit)
    blocks = []
    for what, balance, at_ms, key, by, reason in (
        yield Q("blocks_of", {"issuer": owner.issuer, "subject": owner.subject, "limit": limit})
    ):
        kind = "block" if msgspec.json.decode(what)["blocked"] else "unblock"
        blocks.append(
            Entry(
                seq=None, kind=kind, amount_micro=0, balance_micro=balance, at_ms=at_ms, hold_id=None, act_key=key,
                actor=by, reason=reason,
            )
        )  # fmt: skip
    return list(heapq.merge(moved, blocks, key=lambda entry: -entry.at_ms))[:limit]


def account_of(owner: Principal, now_ms: int) -> Steps[AccountRow]:
    """The account, locked; made if it does not exist."""
    key = {"issuer": owner.issuer, "subject": owner.subject}
    rows = yield Q("account_by_owner", key)
    if not rows:
        yield Q("insert_account", {**key, "now_ms": now_ms})
        rows = yield Q("account_by_owner", key)
    return _account(rows[0])


def rolled(account: AccountRow, owner: Principal | None, terms: Terms, now_ms: int) -> Steps[AccountRow]:
    """The account brought up to date, and saved if that changed anything."""
    person = owner is not None and owner.kind == "user"
    if account.due_ms > now_ms and (account.person or not person):
        return account
    grants = [_grant(row) for row in (yield Q("open_grants", {"account_id": account.id}))]
    result = roll(account, grants, terms, person=person, now_ms=now_ms)
    return (yield from _book(account, grants, result, now_ms))


def assigned(account: AccountRow) -> Steps[AccountRow]:
    """The account with all it spent booked on its grants: before anything changes the set of grants."""
    grants = [_grant(row) for row in (yield Q("open_grants", {"account_id": account.id}))]
    booked, unassigned = assign(grants, account.unassigned_micro)
    yield from _save_grants(grants, booked)
    return replace(account, unassigned_micro=unassigned)


def enter_grant(
    account: AccountRow, grant: GrantRow, now_ms: int, act_key: str | None = None, by: By = BY_ITSELF
) -> Steps[AccountRow]:
    """Add a grant and its entry."""
    values = {
        "account_id": account.id, "act_key": act_key, "kind": grant.kind, "amount_micro": grant.amount_micro,
        "expires_ms": grant.expires_ms, "now_ms": now_ms,
    }  # fmt: skip
    ((grant_id,),) = yield Q("insert_grant", values)
    return (yield from enter(account, now_ms, Movement(grant.kind, grant.amount_micro, grant_id=grant_id, by=by)))


def enter(account: AccountRow, now_ms: int, moved: Movement) -> Steps[AccountRow]:
    """Move credits: one more entry, and the balance after it."""
    account = replace(
        account, balance_micro=account.balance_micro + moved.amount_micro, entries=account.entries + 1
    )
    values = {
        "account_id": account.id, "seq": account.entries, "kind": moved.kind, "amount_micro": moved.amount_micro,
        "balance_micro": account.balance_micro, "house": HOUSE[moved.kind], "hold_id": moved.hold_id,
        "grant_id": moved.grant_id, "now_ms": now_ms, "actor": moved.by.actor, "reason": moved.by.reason,
    }  # fmt: skip
    yield Q("insert_entry", values)
    return account


def _existing(hold_id: str, account: AccountRow) -> Steps[Reserved | None]:
    """What the same order was told before. Not `hold_by_id`: that one locks, and the account is locked already."""
    rows = yield Q("made_hold", {"id": hold_id})
    if not rows:
        return None
    amount, available = rows[0]
    return Reserved(
        amount_micro=amount, available_micro=account.available_micro if available is None else available
    )


def _expire(hold_id: str, now_ms: int) -> Steps[int]:
    rows = yield Q("open_hold", {"id": hold_id})
    if not rows:  # closed since it was found
        return 0
    account_id, amount, guess = rows[0]
    account = _account((yield Q("account_by_id", {"id": account_id}))[0])
    account = replace(account, held_micro=account.held_micro - amount)
    yield from save(account)
    values = {
        "id": hold_id, "state": "expired", "charged_micro": 0, "available_micro": account.available_micro,
        "late": 0, "now_ms": now_ms,
    }  # fmt: skip
    yield Q("close_hold", values)
    if guess:
        values = {
            "hold_id": hold_id, "number": 0, "provider": "", "upstream_model": "", "nano_usd": guess,
            "borne_by": "house", "estimated": 1,
        }  # fmt: skip
        yield Q("insert_cost", values)
    return 1


def _book(account: AccountRow, before: Sequence[GrantRow], result: Rolled, now_ms: int) -> Steps[AccountRow]:
    """Write down what `roll` decided."""
    yield from _save_grants(before, result.grants)
    running = replace(
        result.account, balance_micro=account.balance_micro, entries=account.entries
    )  # entries carry the balance after each
    for grant, lost in result.expired:
        running = yield from enter(running, now_ms, Movement("expire", -lost, grant_id=grant.id))
    for grant in result.new:
        running = yield from enter_grant(running, grant, now_ms)
    yield from save(running)
    return running


def _save_grants(before: Sequence[GrantRow], after: Sequence[GrantRow]) -> Steps[None]:
    known = {grant.id: grant.remaining_micro for grant in before}
    rows = [{"id": g.id, "remaining_micro": g.remaining_micro} for g in after if known[g.id] != g.remaining_micro]
    if rows:
        yield Many("update_grant", rows)


def save(account: AccountRow) -> Steps[None]:
    """Write the account back."""
    values = {
        "id": account.id, "balance_micro": account.balance_micro, "held_micro": account.held_micro,
        "unassigned_micro": account.unassigned_micro, "due_ms": account.due_ms, "person": int(account.person),
        "spent_day": account.spent_day, "spent_micro": account.spent_micro, "entries": account.entries,
        "month": account.month,
    }  # fmt: skip
    yield Q("update_account", values)


def _account(row: Row) -> AccountRow:
    return AccountRow(
        id=row[0],
        balance_micro=row[1],
        held_micro=row[2],
        unassigned_micro=row[3],
        due_ms=row[4],
        person=bool(row[5]),
        blocked=row[6] is not None,
        spent_day=row[7],
        spent_micro=row[8],
        entries=row[9],
        month=row[10],
    )


def _grant(row: Row) -> GrantRow:
    return GrantRow(id=row[0], kind=row[1], amount_micro=row[2], remaining_micro=row[3], expires_ms=row[4])
