"""What an operator orders, whoever carries it here: the command line, the admin API, a payment's webhook.

One configuration's view of the books: whose accounts there are, on which terms, and what a credit is worth.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from relevo.auth.api_keys import new_key
from relevo.core.api_keys import ApiKey, ApiKeys, KeyOrder
from relevo.core.ids import act_key, key_id
from relevo.core.ledger import Act, Balance, Change, Done, Entry, Ledger, Terms
from relevo.core.report import Report
from relevo.core.types import Principal

_SUBJECT_MAX: Final = 255


class UserUnclear(ValueError):
    """The text names no user, or more than one. The message says what to write."""

    def __init__(self, message: str, rows: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.rows = rows
        """The issuer rows to choose from, where that is what is missing."""


class UnknownTasks(ValueError):
    """Tasks that the configuration does not have."""

    def __init__(self, unknown: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(f"no task {', '.join(unknown)}: there are {', '.join(known)}")
        self.unknown = unknown
        self.known = known


class OfficeLedger(Ledger, Protocol):
    """The ledger as an operator needs it."""

    async def exists(self, owner: Principal) -> bool:
        """Whether there is such an account. Makes none."""

    async def history(self, owner: Principal, limit: int) -> Sequence[Entry]:
        """The newest movements of an account, and when it was blocked and admitted again, newest first."""

    async def acted(self, keys: Sequence[str]) -> Collection[str]:
        """Those of these act keys that were used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An act that was done, and what it is known by."""

    owner: Principal
    key: str
    done: Done

    @property
    def user(self) -> str:
        """`row:sub`."""
        return name_of(self.owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Orders of the operator, by one configuration."""

    ledger: OfficeLedger
    api_keys: ApiKeys
    rows: tuple[str, ...]
    """Names of the issuer rows; `local` where there is none."""
    tasks: tuple[str, ...]
    terms: Terms
    usd_per_credit: float
    reports: Callable[[int], Awaitable[Report]]
    """The report of the last so many days, made beside the server's work."""

    def owner(self, user: str, row: str | None = None) -> Principal:
        """See `owner_among`."""
        return owner_among(self.rows, user, row)

    async def order(
        self, owner: Principal, change: Change, *, actor: str, reason: str = "", key: str | None = None
    ) -> Ordered:
        """Do what somebody orders, once under one key. Raises: ActRefused, StoreUnavailable."""
        act = Act(key=key or act_key(), actor=actor, reason=reason, owner=owner, change=change)
        return Ordered(owner=owner, key=act.key, done=await self.ledger.act(act, self.terms))

    async def balance(self, owner: Principal) -> Balance | None:
        """An account as it is now. None: there is no such account, and none is made."""
        if not await self.ledger.exists(owner):
            return None
        return await self.ledger.balance(owner, self.terms)

    async def create_key(
        self,
        owner: Principal,
        *,
        name: str = "",
        tasks: Sequence[str] | None = None,
        expires_ms: int | None = None,
        actor: str,
    ) -> tuple[str, ApiKey]:
        """A new key, with its text: to be shown once. Raises: UnknownTasks, StoreUnavailable."""
        unknown = [task for task in tasks or () if task not in self.tasks]
        if unknown:
            raise UnknownTasks(unknown, self.tasks)
        made = new_key()
        order = KeyOrder(
            id=key_id(),
            key_hash=made.key_hash,
            last4=made.last4,
            owner=owner,
            name=name,
            tasks=None if tasks is None else tuple(dict.fromkeys(tasks)),
            expires_ms=expires_ms,
            actor=actor,
        )
        return made.text, await self.api_keys.create(order)


def name_of(owner: Principal) -> str:
    """`row:sub`, as operators write it."""
    return f"{owner.issuer}:{owner.subject}"


def owner_among(rows: Sequence[str], user: str, row: str | None = None) -> Principal:
    """The account that a text means: `row:sub`, or a plain `sub` where it can be of one row only.

    Args:
        rows: The issuer rows that there are.
        user: The text.
        row: The row of a plain `sub`, where somebody has said so.

    Raises:
        UserUnclear: It names no user, or may mean several.
    """
    prefix, colon, rest = user.partition(":")
    if colon and prefix in rows:
        row, subject = prefix, rest
    elif colon and row is None:  # never guessed: an order for the account of another is worse than none
        fix = f"for a sub with a colon write {rows[0]}:{user}"
        raise UserUnclear(f"there is no issuer row {prefix}: there are {', '.join(rows)}; {fix}", rows)
    else:
        row, subject = row or (rows[0] if len(rows) == 1 else None), user
    if row is None:
        choices = " or ".join(f"{name}:{subject}" for name in rows)
        raise UserUnclear(f"there are several issuers: write {choices}", rows)
    if row not in rows:
        raise UserUnclear(f"no issuer row {row}: there are {', '.join(rows)}")
    if not 0 < len(subject) <= _SUBJECT_MAX or not subject.isprintable():
        raise UserUnclear(f"a user is the token's sub, 1 to {_SUBJECT_MAX} printable characters")
    return Principal(row, subject, "machine")  # an order is no sign of a person: it brings no signup grant
