"""Keys over real sockets: a gateway whose issuer publishes them, and servers that misbehave when they are fetched."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from relevo.core.errors import UpstreamError
from relevo.upstream.http_transport import HttpTransport
from relevo.upstream.small_get import SmallGet
from support.gateway import QUICK, Gateway, config_text, running
from support.idp import ec_key, jwk, key_set, rsa_key
from support.upstream import HANG, Script, Upstream, reply, streamed, upstream

SET = key_set(jwk(rsa_key(), "k1"))


def keys(body: bytes, cache_control: str = "max-age=300") -> Script:
    """A key set as an issuer sends it."""
    head = f"HTTP/1.1 200 OK\r\ncache-control: {cache_control}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return [head.encode() + body]


def row(idp: Upstream, more: str = "") -> str:
    issuer = f"http://127.0.0.1:{idp.port}/auth/v1"
    return f'{QUICK}[auth.issuers.app]\nplatform = "supabase"\nissuer = "{issuer}"\n{more}'


def token(idp: Upstream, private: Any = None, kid: str = "k1", algorithm: str = "RS256", **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": f"http://127.0.0.1:{idp.port}/auth/v1", "aud": "authenticated", "role": "authenticated", "sub": "6f1c",
        "iat": now, "exp": now + 600, **changes,
    }  # fmt: skip
    return jwt.encode(claims, private or rsa_key(), algorithm=algorithm, headers={"kid": kid})


async def ask(gateway: Gateway, text: str) -> tuple[int, str | None]:
    answer = await gateway.chat({"prompt": "x"}, headers={"authorization": f"Bearer {text}"})
    if answer.status == 503:
        assert answer.headers["retry-after"] == "2"
    return answer.status, answer.json.get("code")


@asynccontextmanager
async def served(folder: Path, idp: Upstream) -> AsyncIterator[Gateway]:
    async with upstream(streamed()) as provider:
        async with running(config_text({"a": provider.base_url}, more=row(idp)), folder) as gateway:
            yield gateway


async def test_a_user_is_served_by_published_keys(tmp_path: Path) -> None:
    """The keys are fetched once, before the first caller, and whose token is not of them is refused."""
    async with upstream(keys(key_set(jwk(rsa_key(), "k1"), jwk(ec_key(), "e1")))) as idp:
        async with served(tmp_path, idp) as gateway:
            for _ in range(3):
                assert await ask(gateway, token(idp)) == (200, None)
            assert await ask(gateway, token(idp, ec_key(), "e1", "ES256")) == (200, None)
            assert await ask(gateway, token(idp, rsa_key("other"))) == (401, "invalid_token")
            assert await ask(gateway, token(idp, role="service_role")) == (403, "forbidden")
            assert await ask(gateway, token(idp, iat=1, exp=2)) == (401, "token_expired")
            assert [request.line for request in idp.received] == ["GET /auth/v1/.well-known/jwks.json HTTP/1.1"]
            assert "authorization" not in idp.received[0].headers
            (record,) = {(r.issuer, r.subject) for r in await gateway.records()}
            assert record == ("app", "6f1c")


async def test_an_issuer_that_is_down_at_the_start_is_503_until_it_is_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is signed out by it, and the operator reads why."""
    async with upstream(reply("<html>", 500, "text/html")) as idp:
        async with served(tmp_path, idp) as gateway:
            assert await ask(gateway, token(idp)) == (503, "unavailable")
            assert await ask(gateway, token(idp, kid="k9")) == (503, "unavailable")
            assert "jwks.json: status 500" in caplog.text
            idp.scripts[:] = [keys(SET)]
            clock = gateway.server._clock
            later = clock.now_s() + 3
            clock.now_s = lambda: later  # type: ignore[method-assign]  # in place of a sleep
            assert await ask(gateway, token(idp)) == (200, None)


async def test_a_dead_issuer_and_a_reload_take_no_key_away(tmp_path: Path) -> None:
    """With the keys at hand, the issuer may be gone, also over a reload."""
    async with upstream(keys(SET)) as idp:
        async with served(tmp_path, idp) as gateway:
            assert await ask(gateway, token(idp)) == (200, None)
            idp.scripts[:] = [reply("<html>", 503, "text/html")]
            gateway.server.reload()
            assert await ask(gateway, token(idp, sub="another")) == (200, None)
            assert len(idp.received) == 1


@pytest.fixture
async def get() -> AsyncIterator[SmallGet]:
    transport = HttpTransport()
    yield SmallGet(transport, timeout_s=0.3)
    await transport.aclose()


async def refusal(get: SmallGet, url: str) -> str:
    with pytest.raises(UpstreamError) as caught:
        await get(url)
    return caught.value.detail


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
ENDLESS: Script = [HEAD + b"transfer-encoding: chunked\r\n\r\n", *[b"10000\r\n" + b" " * 65_536 + b"\r\n"] * 32]
DRIPPING: Script = [HEAD + b"content-length: 1000\r\n\r\n", *[piece for _ in range(100) for piece in (b" ", 0.02)]]


@pytest.mark.parametrize(
    ("name", "script", "expected"),
    [
        ("500", reply("{}", 500), "status 500"),
        ("404", reply("{}", 404), "status 404"),
        ("204", [b"HTTP/1.1 204 No Content\r\n\r\n"], "status 204"),
        ("silence", [HANG], "no whole answer in 0.3 s"),
        ("headers, then silence", [HEAD + b"content-length: 9\r\n\r\n", HANG], "no whole answer in 0.3 s"),
        ("a drop at a time", DRIPPING, "no whole answer in 0.3 s"),
        ("2 MB", ENDLESS, "over 256 KiB"),
        ("1 GB, as it says", [HEAD + b"content-length: 1000000000\r\n\r\n" + b" " * 300_000, HANG], "over 256 KiB"),
        ("cut short", [HEAD + b"content-length: 99\r\n\r\n{"], "closed before its end"),
        ("closed", [b""], "closed or reset"),
        ("a compressed bomb", [HEAD + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b"], "a compressed answer"),
    ],
)  # fmt: skip
async def test_a_server_that_misbehaves_costs_little(
    get: SmallGet, name: str, script: Script, expected: str
) -> None:
    """Each kind of failure ends within its bounds, by name."""
    async with upstream(script) as server:
        began = time.perf_counter()
        assert expected in await refusal(get, server.base_url)
        assert time.perf_counter() - began < 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(get: SmallGet, status: int) -> None:
    """Neither to another server nor into the operator's network."""
    async with upstream(keys(SET)) as elsewhere:
        for target in (elsewhere.base_url, "http://169.254.169.254/latest/meta-data"):
            head = f"HTTP/1.1 {status} X\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            async with upstream([head.encode()]) as server:
                assert await refusal(get, server.base_url) == f"status {status}"
        assert elsewhere.received == []


async def test_a_server_that_is_not_there_or_not_trusted(
    get: SmallGet, tls_server: Callable[[], Awaitable[int]]
) -> None:
    """No connection, and a certificate that nobody vouches for."""
    async with upstream([]) as server:
        gone = server.base_url
    await asyncio.sleep(0)
    assert await refusal(get, gone)
    assert "certificate" in await refusal(get, f"https://localhost:{await tls_server()}/")


async def test_body_and_cache_control_come_back(get: SmallGet) -> None:
    """What a good server says."""
    async with upstream(keys(SET, "public, max-age=42")) as server:
        body, cache_control = await get(server.base_url)
        assert (json.loads(body), cache_control) == (json.loads(SET), "public, max-age=42")
        assert server.received[0].headers["accept-encoding"] == "identity"
