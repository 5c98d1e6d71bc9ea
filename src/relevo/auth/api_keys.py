"""API keys: made here, shown once, known by their hash; and the choice between a key and a session token."""

import hashlib
from collections.abc import Collection
from typing import NamedTuple, Protocol

from relevo.auth.tokens import TokenVerifier
from relevo.core.api_keys import PREFIX, ApiKey
from relevo.core.clock import Clock
from relevo.core.errors import Code, GatewayError
from relevo.core.ids import random_text
from relevo.core.ledger import StoreUnavailable
from relevo.core.types import Principal


class NewKey(NamedTuple):
    """A key that nobody has seen yet."""

    text: str
    """The key itself: to be shown once and kept nowhere."""
    key_hash: bytes
    last4: str


class KeyLookup(Protocol):
    """Where keys are kept."""

    async def find(self, key_hash: bytes) -> ApiKey | None:
        """The key of this hash, whether it may be used or not. Raises: StoreUnavailable."""


def new_key() -> NewKey:
    """A new key of 256 random bits."""
    text = PREFIX + random_text()
    return NewKey(text, hash_of(text), text[-4:])


def hash_of(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).digest()


class ApiKeyVerifier:
    """Tells from a key who is calling. Looked up at each request: a key that was revoked ends at once."""

    def __init__(self, keys: KeyLookup, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    async def verify(self, key: str) -> Principal:
        """Who the key speaks for.

        Raises:
            GatewayError: `invalid_token`, `token_expired`, or `unavailable`: the store does not answer.
        """
        try:
            found = await self._keys.find(hash_of(key))
        except StoreUnavailable:
            raise GatewayError(Code.UNAVAILABLE) from None
        if found is None or found.revoked_ms is not None:
            reason = "no such API key" if found is None else f"the API key {found.id} was revoked"
            raise GatewayError(Code.INVALID_TOKEN, "invalid_token.key", reason=reason)
        if found.expires_ms is not None and found.expires_ms <= self._clock.wall_s() * 1000:
            raise GatewayError(
                Code.TOKEN_EXPIRED, "token_expired.key", reason=f"the API key {found.id} has expired"
            )
        tasks = None if found.tasks is None else frozenset(found.tasks)
        return Principal(found.owner.issuer, found.owner.subject, "machine", tasks)


class Authenticator:
    """Tells from a credential who is calling: a key by its prefix, and else a session token."""

    def __init__(self, tokens: TokenVerifier, keys: ApiKeyVerifier, rows: Collection[str]) -> None:
        """Args: rows: the issuer rows that there are; a key ends with the row of its owner."""
        self._tokens = tokens
        self._keys = keys
        self._rows = rows

    async def verify(self, credential: str) -> Principal:
        """Who the credential speaks for. Raises: GatewayError: as the verifier of its kind does."""
        if credential.startswith(PREFIX):
            principal = await self._keys.verify(credential)
            if principal.issuer not in self._rows:
                reason = f"the API key's owner is of the row {principal.issuer}, which is not configured any more"
                raise GatewayError(Code.INVALID_TOKEN, "invalid_token.key", reason=reason)
            return principal
        return await self._tokens.verify(credential)


def permit(principal: Principal, task: str) -> None:
    """Whether a credential allows a task. Raises: GatewayError: `forbidden`."""
    if principal.tasks is not None and task not in principal.tasks:
        raise GatewayError(Code.FORBIDDEN, "forbidden.task", task=task, known=sorted(principal.tasks))
