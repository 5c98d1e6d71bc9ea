"""The nouns of the ledger: accounts, grants, holds and what closes them.

Amounts are integers in micro-credits (`…_micro`), provider costs integers in nano-USD, moments integers in
milliseconds since 1970 (`…_ms`). An account is (issuer row, `sub`); its credits come in grants, are set aside
by holds and leave by entries, which are only ever added.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from relevo.core.types import Principal

MICRO_PER_CREDIT: Final = 1_000_000
MICRO_MAX: Final = 4_000_000_000_000_000_000
"""Beyond this no amount and no balance may go: the sum of two still fits 64 bits."""

ClosedState = Literal["settled", "released"]
GrantKind = Literal["signup", "monthly", "bonus", "purchase"]
PRIORITY: Final[dict[str, int]] = {"monthly": 10, "signup": 20, "bonus": 20, "purchase": 30}
"""Spend order among grants that expire together (or never): the lower goes first, what was paid for last."""

HOUSE: Final[dict[str, str]] = {
    "signup": "promotions",
    "monthly": "promotions",
    "bonus": "promotions",
    "purchase": "purchases",
    "charge": "sales",
    "expire": "expired",
    "revoke": "revoked",
    "refund": "purchases",
}
"""The other side of every entry, by its kind: each moves credits between a user and one account of the house."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the configuration grants and allows."""

    signup_micro: int = 0
    """Granted once, on a person's first valid token."""
    monthly_micro: int = 0
    """Granted to persons each calendar month (UTC); what is left of it expires with the month."""
    daily_limit_micro: int = 0
    """The most that an account spends in a day (UTC), holds included. 0: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldOrder:
    """A wish to set credits aside for one request."""

    id: str
    """The request's id. The same order twice is one hold."""
    task: str
    amount_micro: int
    floor_micro: int | None = None
    """Accept less than `amount_micro`, down to this. None: all of it or nothing."""
    cost_guess_nano_usd: int = 0
    """What the provider will have charged us if we die before the answer: written off then."""
    node: str
    """The process that answers for the hold."""
    ttl_ms: int
    """How long the hold lives without a sign of life of its process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """Credits were set aside."""

    amount_micro: int
    available_micro: int
    """Balance minus holds, this one included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No credits were set aside, and why."""

    why: Literal["insufficient", "daily_limit", "blocked"]
    required_micro: int = 0
    available_micro: int = 0
    resets_at_ms: int | None = None
    """When the day's limit begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one try cost with its provider."""

    number: int
    provider: str
    upstream_model: str
    nano_usd: int
    borne_by: Literal["caller", "house"]
    """`house`: written off; the caller did not pay for it."""
    estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer to give again to whoever repeats its idempotency key."""

    owner: Principal
    key_hash: bytes
    request_id: str
    """Of the request that has the claim."""
    sealed: bytes
    """Encrypted with what only the caller knows."""
    ttl_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How a hold ends. The first closing counts; any later one is told what the first one did."""

    charge_micro: int
    """0 releases the hold. May be more than was held: all of it is charged, and the account may go negative."""
    costs: Sequence[Cost] = ()
    answer: KeptAnswer | None = None
    """To keep in the same transaction. Where its claim was lost to another request nothing is charged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A hold has ended."""

    state: ClosedState
    charged_micro: int
    """Not what was asked for: an earlier closing came first, or the claim of the answer was lost."""
    available_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What is left of one grant."""

    kind: GrantKind
    remaining_micro: int
    expires_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """An account as its owner sees it."""

    balance_micro: int
    held_micro: int
    buckets: tuple[Bucket, ...]
    """In spend order."""
    resets_at_ms: int | None
    """When the monthly grant comes anew. None: there is none."""
    blocked: bool = False

    @property
    def available_micro(self) -> int:
        """Balance minus holds; negative after an answer that cost more than was held for it."""
        return self.balance_micro - self.held_micro


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An act: give credits."""

    kind: GrantKind
    amount_micro: int
    expires_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """An act: take credits back, from what is available and in spend order."""

    amount_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """An act: undo a grant as far as it is neither spent nor under a hold."""

    grant_key: str
    """The key of the act that granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """An act: admit no further call of a user, or admit them again."""

    blocked: bool


Change = Grant | Revoke | Refund | Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A change that somebody orders. Its key makes it happen once."""

    key: str
    """Unique for ever: a payment's event id, an idempotency key, or a random one."""
    actor: str
    """Who ordered it: `cli:…`, `admin:…`, `stripe`."""
    reason: str
    owner: Principal
    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an act did."""

    moved_micro: int
    """By how much the balance changed, signed."""
    before_micro: int
    after_micro: int
    replayed: bool = False
    """The same act had been done before; these are its results."""
    new_account: bool = False
    """There was no such account: this act made it."""


RefusedWhy = Literal["amount", "expired", "available", "no_grant", "no_account", "nothing_left", "too_much", "key"]


class ActRefused(Exception):
    """An act that cannot be done; nothing was changed. The message says why and what to do."""

    def __init__(self, message: str, why: RefusedWhy = "amount", **values: Any) -> None:
        super().__init__(message)
        self.why = why
        """`key`: the act's key was used for another act; the others are about what was asked for."""
        self.values = values
        """What a text in another language is filled with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One movement of an account, or an act that moved nothing. Never changed, never deleted."""

    seq: int | None
    """Counts from 1 within the account, without a gap. None: an act that moved nothing."""
    kind: str
    amount_micro: int
    balance_micro: int
    """The balance after this entry."""
    at_ms: int
    hold_id: str | None
    act_key: str | None
    """Key of the act that did it. None: it happened by itself, or is a charge."""
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A request that names an idempotency key."""

    owner: Principal
    key_hash: bytes
    body_hash: bytes
    request_id: str
    node: str
    ttl_ms: int
    """How long the claim lives without a sign of life of its process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What became of a claim."""

    state: Literal["new", "in_flight", "mismatch", "answered"]
    sealed: bytes | None = None
    request_id: str = ""
    """Of the request that was answered."""
    charged_micro: int | None = None
    available_micro: int | None = None
    """What its caller was told. None: credits were off."""


class StoreUnavailable(Exception):
    """The store cannot be reached or written now. Nothing was acknowledged; trying again is safe."""


class Ledger(Protocol):
    """The way in and out for money. Every method is one durable transaction, and safe to repeat.

    Raises:
        StoreUnavailable: From every method.
    """

    async def reserve(self, owner: Principal, order: HoldOrder, terms: Terms) -> Reserved | Refused:
        """Set credits aside. A person's first call creates the account and its signup grant."""

    async def close(self, hold_id: str, closing: Closing, terms: Terms) -> Closed:
        """End a hold: charge, give the rest back. A hold that had expired is charged late, once."""

    async def renew(self, hold_ids: Sequence[str], ttl_ms: int) -> None:
        """A sign of life for open holds."""

    async def expire_due(self, live: Sequence[str], dead_node: str | None = None) -> int:
        """Release holds past their time, and write their cost off. How many.

        Args:
            live: Holds of this process that are at work whatever the clock says.
            dead_node: Release at once every hold that is not of this node: no other process is running.
        """

    async def balance(self, owner: Principal, terms: Terms) -> Balance:
        """The account as it is now; a person's first call creates it."""

    async def act(self, act: Act, terms: Terms) -> Done:
        """Do what somebody orders, once. Raises `ActRefused`."""

    async def is_blocked(self, owner: Principal) -> bool:
        """Whether the account is blocked."""


class Keys(Protocol):
    """Idempotency keys. Every method is one durable transaction, and safe to repeat; raises `StoreUnavailable`."""

    async def claim(self, claim: Claim) -> Claimed:
        """Take a key for a request, or tell what became of the request that took it first."""

    async def keep(self, kept: KeptAnswer) -> None:
        """Keep an answer that no hold belongs to."""

    async def free(self, claim: Claim) -> None:
        """Give a key back: its request brought no whole answer."""

    async def renew_claims(self, claims: Sequence[Claim]) -> None:
        """A sign of life for running claims."""

    async def forget(self, node: str, *, alone: bool = False) -> None:
        """Delete what is past its time, but for what runs on this node; `alone`: all that runs on any other."""


Row = tuple[Any, ...]
