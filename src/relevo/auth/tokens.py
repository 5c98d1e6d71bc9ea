"""Session tokens: verified by one row of issuers, cached by the hash of the whole token.

Rules: RFC 8725 and what went wrong at others. The row is chosen by the exact `iss` of the unverified
payload; everything after that comes from the row alone. No key is ever taken from the token.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt

from relevo.core.clock import Clock
from relevo.core.errors import Code, GatewayError
from relevo.core.secret import Secret
from relevo.core.types import Principal

_TOKEN_BYTES_MAX: Final = 8192
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_SUBJECT_MAX: Final = 255
_CACHE_S: Final = 60.0
_CACHE_ENTRIES_MAX: Final = 10_000
_SECONDS_MAX: Final = 2**53


_REASONS: Final[dict[type[Exception], str]] = {
    jwt.InvalidSignatureError: "its signature is not of this issuer's secret",
    jwt.InvalidAlgorithmError: "its algorithm is not HS256",
    jwt.InvalidAudienceError: "its aud is not the configured audience",
    jwt.MissingRequiredClaimError: "it lacks one of exp, iat, sub, iss, or the aud that is configured",
}
"""For the operator's log. The caller hears only that the token is not valid."""


def _refused(reason: str) -> GatewayError:
    return GatewayError(Code.INVALID_TOKEN, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One row of who may call: how its tokens are signed and what they must say."""

    name: str
    issuer: str
    secret: Secret
    """HS256. One family of algorithms a row, never a choice that the token makes."""
    audience: str | None = None
    required_claims: Mapping[str, Any] = field(default_factory=dict)
    leeway_s: float = 30.0
    lifetime_s_max: float | None = 24 * 3600.0
    """The longest `exp - iat` that is believed. None: any (the development secret's tokens)."""


class TokenVerifier:
    """Tells from a token who is calling."""

    def __init__(self, issuers: Mapping[str, Issuer], clock: Clock) -> None:
        """Args: issuers: the rows, by their exact `iss`; clock: for `exp` and for the cache."""
        self._issuers = issuers
        self._clock = clock
        self._cache: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()

    def verify(self, token: str) -> Principal:
        """Who the token speaks for.

        Raises:
            GatewayError: `invalid_token` or `token_expired`. Never says which check failed to the caller.
        """
        if len(token) > _TOKEN_BYTES_MAX or not _SHAPE.fullmatch(token):
            raise _refused("it is no signed token of three parts, or over 8 KiB")
        now_s = self._clock.wall_s()
        digest = hashlib.sha256(token.encode()).digest()
        known = self._cache.get(digest)
        if known and now_s < known[0]:
            self._cache.move_to_end(digest)
            return known[1]
        row = self._row(token)
        claims = _decode(token, row)
        expires_s = _check_times(claims, row, now_s)
        principal = Principal(row.name, _subject(claims))
        _check_required(claims, row)
        self._cache[digest] = (min(expires_s + row.leeway_s, now_s + _CACHE_S), principal)
        if len(self._cache) > _CACHE_ENTRIES_MAX:
            self._cache.popitem(last=False)
        return principal

    def _row(self, token: str) -> Issuer:
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
            row = self._issuers.get(claims.get("iss", ""))
        except (jwt.InvalidTokenError, TypeError, RecursionError, ValueError):
            row = None
        if row is None:
            raise _refused("its iss is no configured issuer, to the letter")
        return row


def _decode(token: str, row: Issuer) -> dict[str, Any]:
    """The claims, once the signature, the algorithm, `iss` and `aud` are right. Times are checked after."""
    required = ["exp", "iat", "sub", "iss"] + (["aud"] if row.audience else [])
    options: Any = {
        "require": required,
        "verify_exp": False,
        "verify_iat": False,
        "verify_nbf": False,
        "verify_aud": row.audience is not None,
    }
    try:
        if "crit" in jwt.get_unverified_header(token):
            raise _refused("its header has crit")
        return jwt.decode(
            token,
            row.secret.reveal(),
            algorithms=["HS256"],
            issuer=row.issuer,
            audience=row.audience,
            options=options,
        )
    except (jwt.InvalidTokenError, jwt.InvalidKeyError, RecursionError, ValueError, TypeError) as error:
        raise _refused(_REASONS.get(type(error), "it cannot be read")) from None


def _check_times(claims: dict[str, Any], row: Issuer, now_s: float) -> float:
    """`exp` as a number. Times are JSON numbers: PyJWT would take strings and 1e300 as well."""
    expires_s, issued_s = _number(claims["exp"]), _number(claims["iat"])
    begins_s = _number(claims.get("nbf", issued_s))
    if max(issued_s, begins_s) > now_s + row.leeway_s or issued_s > expires_s:
        raise _refused("its iat or nbf lies in the future: compare the clocks")
    if row.lifetime_s_max is not None and expires_s - issued_s > row.lifetime_s_max:
        raise _refused(f"it is good for more than {row.lifetime_s_max / 3600:.0f} h (exp - iat)")
    if expires_s + row.leeway_s <= now_s:
        raise GatewayError(Code.TOKEN_EXPIRED, reason="it has expired")
    return expires_s


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _SECONDS_MAX:
        raise _refused("its exp, iat or nbf is no number of seconds")
    return float(value)


def _subject(claims: dict[str, Any]) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_MAX or not subject.isprintable():
        raise _refused("its sub is not 1 to 255 printable characters")
    return subject


def _check_required(claims: dict[str, Any], row: Issuer) -> None:
    """A claim that the row asks for. A Supabase `anon` key is a valid token of the same secret, for one."""
    for name, wanted in row.required_claims.items():
        if claims.get(name) != wanted:
            raise GatewayError(Code.FORBIDDEN, reason=f"its claim {name} is not the required one")
