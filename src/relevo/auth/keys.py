"""Published keys (RFC 7517): which entries of a key set can verify tokens, and with which one algorithm each.

Of an entry only the numbers of its key are read: never `x5c`, `x5u` or anything that leads elsewhere.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import jwt
import msgspec

_KEYS_MAX: Final = 64
_KID_MAX: Final = 255
_RSA_BITS_MIN: Final = 2048
_NUMBER_MAX: Final = 1400
"""Characters of a key's number: 8192 bits and a little. Verifying with a longer one costs a server its time."""
_EXPONENT_MAX: Final = 8

_ALGORITHMS: Final = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
"""By `kty` and `crv`: the one algorithm of such a key."""
_NUMBERS: Final = {"RS256": ("n", "e"), "ES256": ("crv", "x", "y"), "EdDSA": ("crv", "x")}


class KeySetError(Exception):
    """What was fetched is no set of keys that could be used. Its argument says why, for the operator's log."""


@dataclass(frozen=True, slots=True)
class Key:
    """One published key. Two are equal if their numbers are."""

    algorithm: str
    numbers: tuple[str, ...]
    public: Any = field(compare=False, repr=False)
    """The key as the library takes it."""


def read_keys(body: bytes) -> dict[str, Key]:
    """The usable keys of a set, by their `kid`. A `kid` that names two different keys names none.

    Raises:
        KeySetError: It is no key set, has more than 64 entries, or none that could be used.
    """
    try:
        rows = msgspec.json.decode(body, type=dict[str, Any]).get("keys")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise KeySetError("it is no JSON object") from None
    if not isinstance(rows, list) or len(rows) > _KEYS_MAX:
        raise KeySetError(f"it has no list of at most {_KEYS_MAX} keys")
    found: dict[str, Key] = {}
    ambiguous: set[str] = set()
    for row in rows:
        kid = row.get("kid") if isinstance(row, dict) else None
        key = _usable(row) if isinstance(kid, str) and 0 < len(kid) <= _KID_MAX else None
        if key is not None and isinstance(kid, str) and found.setdefault(kid, key) != key:
            ambiguous.add(kid)
    for kid in ambiguous:
        del found[kid]
    if not found:
        raise KeySetError("it holds no public key for RS256 (2048 bits or more), ES256 or EdDSA that has a kid")
    return found


def _usable(row: dict[str, Any]) -> Key | None:
    kty, curve = row.get("kty"), row.get("crv")
    named = isinstance(kty, str) and isinstance(curve, str | None)
    algorithm = _ALGORITHMS.get((str(kty), curve)) if named else None
    operations = row.get("key_ops")
    if (
        algorithm is None
        or row.get("alg", algorithm) != algorithm
        or row.get("use", "sig") != "sig"
        or (operations is not None and not (isinstance(operations, list) and "verify" in operations))
        or "d" in row  # a private key in public is nobody's proof of anything
    ):
        return None
    numbers = tuple(row.get(name) for name in _NUMBERS[algorithm])
    if not all(isinstance(number, str) and len(number) <= _NUMBER_MAX for number in numbers):
        return None
    return _key(algorithm, tuple(str(number) for number in numbers))


def _key(algorithm: str, numbers: tuple[str, ...]) -> Key | None:
    row = dict(zip(_NUMBERS[algorithm], numbers, strict=True))
    kty = next(kty for (kty, _), name in _ALGORITHMS.items() if name == algorithm)
    if len(row.get("e", "")) > _EXPONENT_MAX:
        return None
    try:
        public = jwt.PyJWK({"kty": kty, **row}, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if algorithm == "RS256" and public.key_size < _RSA_BITS_MIN:
        return None
    return Key(algorithm, numbers, public)
