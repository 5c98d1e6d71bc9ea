"""The nouns of API keys: credentials of programs, each of which spends one account."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from relevo.core.types import Principal

PREFIX: Final = "rv-"
"""Every key begins with it, and no session token does: so a credential says by itself what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is kept: not itself, only what it may do and how to tell it from others."""

    id: str
    owner: Principal
    """Whose account it spends."""
    name: str
    tasks: tuple[str, ...] | None
    """The tasks it may use. None: all."""
    last4: str
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrder:
    """A wish for a new key."""

    id: str
    key_hash: bytes
    """SHA-256 of the whole key: it is random, so no slow hash is needed."""
    last4: str
    owner: Principal
    name: str
    tasks: tuple[str, ...] | None
    expires_ms: int | None
    actor: str
    """Who ordered it."""


class ApiKeys(Protocol):
    """The keys of a store. Raises `StoreUnavailable`."""

    async def create(self, order: KeyOrder) -> ApiKey:
        """Keep a new key, and write down who ordered it."""

    async def find(self, key_hash: bytes) -> ApiKey | None:
        """The key of this hash, whether it may be used or not."""

    async def all_of(self, owner: Principal | None) -> Sequence[ApiKey]:
        """The keys of an account, or all, oldest first."""

    async def revoke(self, key_id: str, actor: str) -> ApiKey | None:
        """End a key at once, for ever. None: there is none of this id."""
