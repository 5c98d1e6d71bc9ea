"""Nobody is served without a valid session token; which token is valid follows from one row of issuers."""

import base64
import json
import time
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from relevo.auth.dev_secret import ISSUER
from relevo.setup import issuers_of
from support.clock import FakeClock
from support.gateway import QUICK, Gateway, config_text, running
from support.upstream import Upstream, streamed, upstream

APP_SECRET = "an-invented-secret-of-an-app-0123456789"
ROW = """
[auth.issuers.app]
platform = "supabase"
issuer = "https://abc.example/auth/v1"
audience = "authenticated"
secret = "${APP_SECRET}"
"""


@pytest.fixture
async def provider() -> AsyncIterator[Upstream]:
    async with upstream(streamed()) as a:
        yield a


@pytest.fixture
async def gateway(tmp_path: Path, provider: Upstream) -> AsyncIterator[Gateway]:
    async with running(config_text({"a": provider.base_url}), tmp_path) as running_gateway:
        yield running_gateway


async def ask(gateway: Gateway, token: str) -> tuple[int, str | None]:
    answer = await gateway.chat({"prompt": "x"}, headers={"authorization": f"Bearer {token}"})
    return answer.status, answer.json.get("code")


def local(gateway: Gateway, algorithm: str = "HS256", key: str | None = None, **changes: Any) -> str:
    """A token of the development secret, with claims changed or (by `...`) left out."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "ana", "iat": now, "exp": now + 60, **changes}
    claims = {name: value for name, value in claims.items() if value is not ...}
    secret = issuers_of(gateway.setup)[ISSUER].secret.reveal()
    with warnings.catch_warnings():  # a key that is short for SHA-512 is part of one test
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.encode(claims, key or secret, algorithm=algorithm)


async def test_a_good_token_is_served_again_and_again(gateway: Gateway) -> None:
    """The same token works from the cache as it did the first time."""
    token = local(gateway)

    assert [await ask(gateway, token) for _ in range(3)] == [(200, None)] * 3


async def test_no_token_is_unauthenticated(gateway: Gateway, provider: Upstream) -> None:
    """Without a credential, or with something that is none, nothing is asked of any provider."""
    for headers in ({}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer "}, {"authorization": ""}):
        answer = await gateway.request(
            "POST", "/api/ai/chat", b'{"prompt":"x"}', {"content-type": "application/json", **headers}
        )
        assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert provider.received == []


async def test_forged_and_odd_tokens_are_invalid(gateway: Gateway, provider: Upstream) -> None:
    """Every way in which a token can be wrong ends in 401 invalid_token, and reaches no provider."""
    now = int(time.time())
    good = local(gateway)
    header, payload, signature = good.split(".")
    none_header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    crit_header = {"crit": ["exp"]}
    secret = issuers_of(gateway.setup)[ISSUER].secret.reveal()
    claims = {"iss": ISSUER, "sub": "ana", "iat": now, "exp": now + 60}
    bad = {
        "rubbish": "abc",
        "two parts": "a.b",
        "another key": local(gateway, key="another-secret-that-is-long-enough-0000"),
        "no signature": f"{header}.{payload}.",
        "alg none": f"{none_header}.{payload}.",
        "alg none signed": f"{none_header}.{payload}.{signature}",
        "another HMAC": local(gateway, algorithm="HS512"),
        "changed payload": f"{header}.{payload[:-2]}xx.{signature}",
        "padded": good + "==",
        "another issuer": local(gateway, iss="https://evil.example"),
        "no issuer": local(gateway, iss=...),
        "no exp": local(gateway, exp=...),
        "no iat": local(gateway, iat=...),
        "no sub": local(gateway, sub=...),
        "empty sub": local(gateway, sub=""),
        "long sub": local(gateway, sub="x" * 256),
        "sub with a line end": local(gateway, sub="a\nb"),
        "exp beyond reason": local(gateway, exp=1e300),
        "issued tomorrow": local(gateway, iat=now + 86_400, exp=now + 90_000),
        "not yet": local(gateway, nbf=now + 3600),
        "critical header": jwt.encode(claims, secret, headers=crit_header),
        "nine kilobytes": local(gateway, extra="x" * 9000),
        "not base64": "@@@.###.$$$",
        "header is a list": base64.urlsafe_b64encode(b"[]").decode().rstrip("=") + f".{payload}.{signature}",
    }
    raw = json.dumps({**claims, "exp": str(now + 60)}).encode()
    bad["exp as text"] = jwt.api_jws.encode(raw, secret, algorithm="HS256")
    bad["exp true"] = jwt.api_jws.encode(json.dumps({**claims, "exp": True}).encode(), secret, algorithm="HS256")
    bad["sub a number"] = jwt.api_jws.encode(json.dumps({**claims, "sub": 7}).encode(), secret, algorithm="HS256")
    bad["payload a list"] = jwt.api_jws.encode(b"[]", secret, algorithm="HS256")
    bad["deep payload"] = jwt.api_jws.encode(b"[" * 3000, secret, algorithm="HS256")
    for name, token in bad.items():
        assert (name, *(await ask(gateway, token))) == (name, 401, "invalid_token")
    assert provider.received == []


async def test_an_expired_token_is_told_apart(gateway: Gateway) -> None:
    """The app can refresh an expired session; so it hears that this is what it is."""
    now = int(time.time())

    assert await ask(gateway, local(gateway, iat=now - 100, exp=now - 1)) == (401, "token_expired")


async def test_two_credentials_are_one_too_many(gateway: Gateway) -> None:
    """Two Authorization headers could mean two users: neither is believed."""
    import asyncio

    host, port = gateway.server.api.address
    reader, writer = await asyncio.open_connection(host, port)
    line = f"authorization: Bearer {gateway.token}\r\n"
    writer.write(f"POST /api/ai/chat HTTP/1.1\r\nhost: x\r\n{line}{line}connection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"invalid_request"' in answer


async def test_a_token_in_the_address_is_not_read(gateway: Gateway, provider: Upstream) -> None:
    """Addresses end up in logs and histories: a token there is no credential, and no part of any line of ours."""
    for name in ("access_token", "token", "authorization"):
        path = f"/api/ai/chat?{name}={gateway.token}"
        answer = await gateway.request("POST", path, b'{"prompt":"x"}', {"content-type": "application/json"})
        assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    assert provider.received == []


def app_token(**changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": "https://abc.example/auth/v1", "aud": "authenticated", "role": "authenticated",
        "sub": "6f1c", "iat": now, "exp": now + 3600, **changes,
    }  # fmt: skip
    return jwt.encode({k: v for k, v in claims.items() if v is not ...}, APP_SECRET, algorithm="HS256")


async def test_the_operator_hears_why_a_token_was_refused(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is told nothing, the log which check failed: once a second, whatever strangers send."""
    token = local(gateway, key="another-secret-that-is-long-enough-0000")
    for _ in range(5):
        assert await ask(gateway, token) == (401, "invalid_token")

    notes = [record.getMessage() for record in caplog.records if record.name == "relevo.http.app"]
    assert notes == ["a session token was refused: its signature is not of this issuer's key"]
    assert token not in caplog.text


async def test_an_issuer_ends_the_development_secret(tmp_path: Path, provider: Upstream) -> None:
    """With an issuer row, its users are served, and tokens of the development secret no longer are."""
    async with running(config_text({"a": provider.base_url}), tmp_path) as before:
        local_token = before.token
    (tmp_path / ".env").write_text(f"APP_SECRET={APP_SECRET}\n")
    async with running(config_text({"a": provider.base_url}, more=QUICK + ROW), tmp_path) as gateway:
        assert await ask(gateway, app_token()) == (200, None)
        assert await ask(gateway, local_token) == (401, "invalid_token")
        assert await ask(gateway, app_token(aud="other")) == (401, "invalid_token")
        assert await ask(gateway, app_token(aud=...)) == (401, "invalid_token")
        assert await ask(gateway, app_token(exp=int(time.time()) + 90_000)) == (401, "invalid_token")
        # An anon or service_role key of Supabase is a valid token of the same secret, and no user.
        assert await ask(gateway, app_token(role="anon")) == (403, "forbidden")
        assert await ask(gateway, app_token(role="service_role")) == (403, "forbidden")
        (record,) = [r for r in (await gateway.records()) if r.outcome == "ok"][-1:]
        assert (record.issuer, record.subject) == ("app", "6f1c")


async def test_a_verified_token_ends_with_its_time_in_the_cache_too(tmp_path: Path) -> None:
    """The cache never outlives the token: the same token is refused after its end."""
    from relevo.auth.issuers import Issuer
    from relevo.auth.tokens import TokenVerifier
    from relevo.core.errors import GatewayError
    from relevo.core.secret import Secret

    clock = FakeClock(1000.0)
    row = Issuer(name="r", issuer="i", secret=Secret("0" * 32), leeway_s=0)
    verifier = TokenVerifier({"i": row}, clock)
    token = jwt.encode({"iss": "i", "sub": "s", "iat": 1000, "exp": 1010}, "0" * 32, algorithm="HS256")

    assert (await verifier.verify(token)).subject == "s"
    clock.wall = 1009.9
    assert (await verifier.verify(token)).subject == "s"
    clock.wall = 1010.0
    with pytest.raises(GatewayError) as caught:
        await verifier.verify(token)
    assert caught.value.code == "token_expired"


def test_the_development_secret_is_private_to_its_owner(tmp_path: Path) -> None:
    """The file is made once, for its owner only, and is the same from then on."""
    from relevo.auth.dev_secret import development_secret

    first = development_secret(tmp_path)

    assert development_secret(tmp_path) == first
    assert (tmp_path / "relevo-dev.secret").stat().st_mode & 0o777 == 0o600
    assert first.reveal() not in repr(first) + str(first)
