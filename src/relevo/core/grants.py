"""The arithmetic of grants: which is spent first, what expires, what a new month brings. Pure.

Spending is not booked on the grants at once: an account keeps the sum that is still to be taken from them
(`unassigned_micro`), and `settle_grants` books it before anything changes the set of grants. Between two such
changes the order is fixed, so the result is the same as booking every answer by itself, and the hot path
touches one row of the account and none of its grants.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from relevo.core.ledger import PRIORITY, GrantKind, Terms

MS_PER_DAY: Final = 86_400_000
NEVER_MS: Final = 4_102_444_800_000_000
"""Stands for "no moment" in columns that are compared: far beyond every date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account as it is stored."""

    id: int
    balance_micro: int
    held_micro: int
    unassigned_micro: int
    """Spent, but not yet taken from a grant. More than the grants hold: the account is in debt."""
    due_ms: int
    """From this moment on the account must be rolled before it is used: a grant expires, a month begins."""
    person: bool
    """A person's session token was seen: signup and monthly grants are for persons."""
    blocked: bool
    spent_day: int
    spent_micro: int
    entries: int
    month: int
    """Month of the last monthly grant, counted as year * 12 + month. 0: none."""

    @property
    def available_micro(self) -> int:
        """Balance minus holds."""
        return self.balance_micro - self.held_micro


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRow:
    """A grant as it is stored. `id` 0 is a new one."""

    id: int
    kind: GrantKind
    amount_micro: int
    remaining_micro: int
    expires_ms: int | None

    @property
    def order(self) -> tuple[int, int, int]:
        """Spend order: soonest expiry, then priority, then age."""
        return (NEVER_MS if self.expires_ms is None else self.expires_ms, PRIORITY[self.kind], self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """An account brought up to date."""

    account: AccountRow
    grants: tuple[GrantRow, ...]
    """All with something left, and those that changed, in spend order."""
    expired: tuple[tuple[GrantRow, int], ...]
    """Grants that lost credits to their expiry, with how many."""
    new: tuple[GrantRow, ...]


def assign(grants: Sequence[GrantRow], unassigned_micro: int) -> tuple[tuple[GrantRow, ...], int]:
    """Take what was spent from the grants in spend order; what they cannot bear stays as debt."""
    booked = []
    for grant in sorted(grants, key=lambda grant: grant.order):
        taken = min(grant.remaining_micro, unassigned_micro)
        unassigned_micro -= taken
        booked.append(replace(grant, remaining_micro=grant.remaining_micro - taken))
    return tuple(booked), unassigned_micro


def roll(account: AccountRow, grants: Sequence[GrantRow], terms: Terms, *, person: bool, now_ms: int) -> Rolled:
    """Book what was spent, expire what is due, and grant what a person is owed by now."""
    booked, unassigned = assign(grants, account.unassigned_micro)
    kept, expired = _expire(booked, account.held_micro, now_ms)
    balance = account.balance_micro - sum(lost for _, lost in expired)
    person = person or account.person
    new = []
    if person and not account.person and terms.signup_micro:
        new.append(_new("signup", terms.signup_micro, None))
    month = account.month
    if person and terms.monthly_micro and month_of(now_ms) > month:
        new.append(_new("monthly", terms.monthly_micro, next_month_ms(now_ms)))
        month = month_of(now_ms)
    due = [g.expires_ms for g in (*kept, *new) if g.expires_ms is not None and g.remaining_micro]
    if person:
        due.append(next_month_ms(now_ms))
    rolled = replace(
        account,
        balance_micro=balance + sum(grant.amount_micro for grant in new),
        unassigned_micro=unassigned,
        due_ms=min(due, default=NEVER_MS),
        person=person,
        month=month,
    )
    return Rolled(account=rolled, grants=kept, expired=expired, new=tuple(new))


def _expire(
    grants: Sequence[GrantRow], held_micro: int, now_ms: int
) -> tuple[tuple[GrantRow, ...], tuple[tuple[GrantRow, int], ...]]:
    """Expiry never takes money under a hold: holds count as spent from the grants in spend order."""
    kept, expired = [], []
    for grant in grants:
        under_hold = min(grant.remaining_micro, held_micro)
        held_micro -= under_hold
        lost = grant.remaining_micro - under_hold
        if lost and grant.expires_ms is not None and grant.expires_ms <= now_ms:
            grant = replace(grant, remaining_micro=under_hold)  # noqa: PLW2901 - the row after its expiry
            expired.append((grant, lost))
        kept.append(grant)
    return tuple(kept), tuple(expired)


def _new(kind: GrantKind, amount_micro: int, expires_ms: int | None) -> GrantRow:
    return GrantRow(id=0, kind=kind, amount_micro=amount_micro, remaining_micro=amount_micro, expires_ms=expires_ms)


def month_of(now_ms: int) -> int:
    """The calendar month (UTC) as a number that counts up."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    return moment.year * 12 + moment.month


def next_month_ms(now_ms: int) -> int:
    """When the next calendar month (UTC) begins."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)  # noqa: PLR2004
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp() * 1000)


def day_of(now_ms: int) -> int:
    """The day (UTC) as a number that counts up."""
    return now_ms // MS_PER_DAY
