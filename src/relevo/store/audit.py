"""Recomputes every balance from the entries, and whatever else must add up."""

from dataclasses import dataclass
from typing import Final

from relevo.core.ledger import Row
from relevo.store.base import Q, Steps

_CHECKS: Final = (
    "audit_balance", "audit_held", "audit_grants", "audit_entry_count", "audit_running_balance", "audit_charges",
    "audit_grant_entries", "audit_acts", "audit_costs",
)  # fmt: skip
STALE_GRACE_MS: Final = 30_000
"""A hold this far past its time should have been swept, were a server running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that does not add up."""

    issuer: str
    subject: str
    what: str
    stands: int
    should_be: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was checked, and what was found."""

    differences: tuple[Difference, ...]
    stale_holds: tuple[Difference, ...]
    """Open past their time: freed by the next server that runs, so they are no error of the books."""
    accounts: int
    entries: int
    holds: int
    open_holds: int
    balance_micro: int
    """Of all users together."""
    houses: dict[str, int]
    """What the house's accounts hold, in micro-credits: with the users' balances they sum to 0."""


def audit(now_ms: int) -> Steps[Audit]:
    """Check everything. Reads all entries: for the command line and for tests, not for a running server."""
    differences: list[Difference] = []
    for name in _CHECKS:
        differences += [_difference(row) for row in (yield Q(name))]
    stale = yield Q("audit_stale_holds", {"now_ms": now_ms, "grace_ms": STALE_GRACE_MS})
    ((accounts, entries, holds, open_holds, balance),) = yield Q("audit_counts")
    houses = {house: int(amount) for house, amount in (yield Q("audit_houses"))}
    return Audit(
        differences=tuple(differences),
        stale_holds=tuple(_difference(row) for row in stale),
        accounts=accounts,
        entries=entries,
        holds=holds,
        open_holds=open_holds,
        balance_micro=int(balance),
        houses=houses,
    )


def _difference(row: Row) -> Difference:
    issuer, subject, what, stands, should_be = row
    return Difference(issuer=issuer, subject=subject, what=what, stands=int(stands), should_be=int(should_be))
