"""An issuer of session tokens for tests: keys made here, key sets, tokens, a clock and a fetcher that obey the test."""

import base64
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from relevo.auth.issuers import Issuer
from relevo.auth.jwks import KeyRing
from relevo.auth.tokens import TokenVerifier
from relevo.core.errors import Fault, GatewayError, UpstreamError
from support.clock import FakeClock

URL = "https://idp.example/jwks.json"
ISS = "https://idp.example"
NOW = 1_800_000_000


@functools.cache
def rsa_key(name: str = "a", bits: int = 2048) -> rsa.RSAPrivateKey:
    """One RSA key a name for the whole test run: they are slow to make."""
    return rsa.generate_private_key(65537, bits)


@functools.cache
def ec_key(name: str = "a", curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


@functools.cache
def ed_key(name: str = "a") -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def jwk(private: Any, kid: str, **changes: Any) -> dict[str, Any]:
    """The public part as an entry of a key set, with members changed or (by `...`) left out."""
    public = private.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True)
        algorithm = "RS256"
    elif isinstance(public, ec.EllipticCurvePublicKey):
        numbers = jwt.algorithms.ECAlgorithm.to_jwk(public, as_dict=True)
        algorithm = "ES256"
    else:
        numbers = jwt.algorithms.OKPAlgorithm.to_jwk(public, as_dict=True)
        algorithm = "EdDSA"
    numbers.pop("key_ops", None)
    row = {**numbers, "kid": kid, "alg": algorithm, "use": "sig", **changes}
    return {name: value for name, value in row.items() if value is not ...}


def key_set(*rows: Any) -> bytes:
    return json.dumps({"keys": rows}).encode()


def claims_of(**changes: Any) -> dict[str, Any]:
    """Claims of a good token at NOW, with some changed or (by `...`) left out."""
    claims = {"iss": ISS, "sub": "ana", "iat": NOW, "exp": NOW + 3600, **changes}
    return {name: value for name, value in claims.items() if value is not ...}


def token(
    private: Any = None, kid: str | None = "k1", algorithm: str = "RS256", header: Any = None, **changes: Any
) -> str:
    """A signed token at NOW."""
    headers = {**({"kid": kid} if kid is not None else {}), **(header or {})}
    return jwt.encode(claims_of(**changes), private or rsa_key(), algorithm=algorithm, headers=headers)


def b64(data: bytes | str | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: bytes | str | dict[str, Any], claims: bytes | str | dict[str, Any], private: Any = None) -> str:
    """A token of RS256 over exactly these bytes, however odd."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    text = f"{b64(header)}.{b64(claims)}"
    signature = (private or rsa_key()).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{b64(signature)}"


@dataclass
class ScriptedFetch:
    """Gives the set that the test put in place, and counts."""

    body: bytes | Exception = b""
    cache_control: str = "public, max-age=600"
    calls: int = 0
    before: Callable[[], Any] | None = None
    """Awaited before the answer."""

    async def __call__(self, url: str) -> tuple[bytes, str]:
        assert url == URL
        self.calls += 1
        body = self.body
        if self.before:
            await self.before()
        if isinstance(body, Exception):
            raise body
        return body, self.cache_control

    def die(self) -> None:
        self.body = UpstreamError(Fault.CONNECT_FAILED, detail="refused")


@dataclass
class Bench:
    """A verifier of one row whose keys are scripted."""

    fetch: ScriptedFetch = field(default_factory=ScriptedFetch)
    clock: FakeClock = field(default_factory=lambda: FakeClock(float(NOW)))
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fetch.body = self.fetch.body or key_set(jwk(rsa_key(), "k1"))
        self.ring = KeyRing(URL, self.fetch, self.clock, self.notes.append)

    def verifier(self, *rows: Issuer) -> TokenVerifier:
        rows = rows or (Issuer(name="app", issuer=ISS, jwks_url=URL),)
        return TokenVerifier({row.issuer: row for row in rows}, self.clock, {URL: self.ring})


async def outcome(verifier: TokenVerifier, text: str) -> str:
    """`ok`, or the code of the refusal."""
    try:
        await verifier.verify(text)
    except GatewayError as error:
        return error.code.value
    return "ok"
