"""Session tokens: verified by one row of issuers, cached by the hash of the whole token.

Rules: RFC 8725 and what went wrong at others. The row is chosen by the exact `iss` of the unverified
payload; everything after that comes from the row alone. No key is ever taken from the token, nor the address
of one: `jku`, `x5u`, `jwk` and `x5c` are never read, and `kid` is looked up in a dictionary.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, NamedTuple

import jwt

from relevo.auth.claims import read_claims, refused
from relevo.auth.compact import NotATokenError, Token, check_shape, take_apart
from relevo.auth.issuers import Issuer
from relevo.auth.jwks import KeyRing
from relevo.auth.keys import Key
from relevo.core.clock import Clock
from relevo.core.errors import Code, GatewayError
from relevo.core.types import Principal

_SHOWN_MAX: Final = 120
_CACHE_S: Final = 60.0
_CACHE_ENTRIES_MAX: Final = 10_000
_JWS: Final = jwt.PyJWS()


class _Known(NamedTuple):
    """A token that was verified."""

    principal: Principal
    until_s: float
    """On the clock that never goes back."""
    expires_s: float
    """Since 1970, leeway included."""
    ring: KeyRing | None
    kid: str
    key: Key | None
    """Published keys may be revoked: the entry counts for as long as its `kid` still is this key."""


class TokenVerifier:
    """Tells from a token who is calling."""

    def __init__(
        self, issuers: Mapping[str, Issuer], clock: Clock, rings: Mapping[str, KeyRing] | None = None
    ) -> None:
        """What tokens are held to.

        Args:
            issuers: The rows, by their exact `iss`.
            clock: For `exp` and for the cache.
            rings: The published keys, by the `jwks_url` of the rows.
        """
        self._issuers = issuers
        self._clock = clock
        self._rings = rings or {}
        self._api_key_roles = frozenset[str]().union(*(row.preset.api_key_roles for row in issuers.values()))
        self._cache: OrderedDict[bytes, _Known] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """Who the token speaks for. Waits only where keys of an issuer are to be fetched first.

        Raises:
            GatewayError: `invalid_token`, `token_expired` or `forbidden`; `unavailable` where the issuer's keys
                cannot be had. Never says which check failed to the caller.
        """
        try:
            check_shape(token)
            digest = hashlib.sha256(token.encode()).digest()
            known = self._cached(digest)
            if known:
                return known
            taken = take_apart(token)
        except NotATokenError as error:
            raise refused(str(error)) from None
        row = self._row(taken)
        if taken.algorithm not in row.algorithms:
            raise refused(f"its algorithm is none of {', '.join(row.algorithms)}")
        ring = self._rings[row.jwks_url] if row.jwks_url else None
        key = await self._key(taken, ring) if ring else None
        _check_signature(token, taken, key.public if key else row.secret.reveal())
        now_s = self._clock.wall_s()
        principal, expires_s = read_claims(taken.claims, row, now_s)
        until_s = self._clock.now_s() + _CACHE_S
        self._cache[digest] = _Known(principal, until_s, expires_s + row.leeway_s, ring, taken.kid or "", key)
        if len(self._cache) > _CACHE_ENTRIES_MAX:
            self._cache.popitem(last=False)
        return principal

    def _cached(self, digest: bytes) -> Principal | None:
        known = self._cache.get(digest)
        if (
            known is None
            or self._clock.now_s() >= known.until_s
            or self._clock.wall_s() >= known.expires_s
            or (known.ring is not None and known.ring.fresh(known.kid) != known.key)
        ):
            return None
        self._cache.move_to_end(digest)
        return known.principal

    def _row(self, token: Token) -> Issuer:
        issuer = token.claims.get("iss")
        row = self._issuers.get(issuer) if isinstance(issuer, str) else None
        if row is not None:
            return row
        role = token.claims.get("role")
        if isinstance(role, str) and role in self._api_key_roles:
            # Whether it is authentic does not matter: it is refused either way, and this is what helps.
            raise GatewayError(Code.FORBIDDEN, reason=f"it is the {role} API key, and no session of a user")
        raise refused(f"its iss {_shown(issuer)} is no configured issuer, to the letter")

    async def _key(self, token: Token, ring: KeyRing) -> Key:
        if token.kid is None:
            raise refused("it names no key (kid)")
        key = ring.fresh(token.kid) or await ring.find(token.kid)
        if key is None:
            raise refused("its kid names no usable key of its issuer")
        if key.algorithm != token.algorithm:
            raise refused("its algorithm is not that of its key")
        return key


def _check_signature(text: str, token: Token, key: object) -> None:
    try:
        _JWS.decode(text, key, algorithms=[token.algorithm])  # type: ignore[arg-type]  # a public key, or a secret
    except jwt.InvalidSignatureError:
        raise refused("its signature is not of this issuer's key") from None
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise refused("its signature cannot be read") from None


def _shown(claim: object) -> str:
    """A claim that nobody has vouched for, for the operator's log: short, and of printable ASCII."""
    return ascii(claim if isinstance(claim, str) else type(claim).__name__)[:_SHOWN_MAX]
