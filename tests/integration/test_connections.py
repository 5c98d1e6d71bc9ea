"""Connections of strangers: bounded in bytes, in fields and in time, and strict in what they may say."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relevo.http import messages, protocol
from support.gateway import Gateway, config_text, running
from support.upstream import HANG, streamed, upstream


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with upstream(streamed()) as a:
        async with running(config_text({"a": a.base_url}), tmp_path) as running_gateway:
            yield running_gateway


async def answer_to(gateway: Gateway, *pieces: bytes) -> bytes:
    """Send pieces, and read what comes back until the server closes."""
    reader, writer = await asyncio.open_connection(*gateway.server.api.address)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


HEAD = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD, *[b"x-%d: %s\r\n" % (n, b"y" * 10_000) for n in range(30)]],
        [HEAD, *[b"x-%d: y\r\n" % n for n in range(200)], b"\r\n"],
        [HEAD + b"x: ", *[b"y" * 30_000] * 40],
        [b"GET /", *[b"a" * 30_000] * 40],
    ],
    ids=["many large fields", "many small fields", "one endless field", "an endless address"],
)
async def test_a_head_beyond_its_bounds_is_refused_and_closed(pieces: list[bytes], gateway: Gateway) -> None:
    """No stranger fills the memory with a request that never begins."""
    answer = await answer_to(gateway, *pieces)

    assert answer == b"reset" or answer.startswith(b"HTTP/1.1 400 ")


async def test_a_large_head_within_the_bounds_is_served(gateway: Gateway) -> None:
    """A long session token and a browser's cookies fit; and each request of a connection has the whole bound."""
    head = HEAD + b"".join(b"x-%d: %s\r\n" % (n, b"y" * 1000) for n in range(50))

    answer = await answer_to(gateway, head + b"\r\n", head + b"\r\n", HEAD + b"connection: close\r\n\r\n")

    assert answer.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize("piece", [b"", b"GET /healthz HTTP/1.1\r\nhost:"], ids=["silence", "half a head"])
async def test_a_head_that_does_not_come_is_closed(
    piece: bytes, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that says nothing, or half of something, ends after its time."""
    monkeypatch.setattr(protocol, "HEAD_S_MAX", 0.1)

    assert await answer_to(gateway, piece) == b""


async def test_a_caller_who_leaves_ends_the_call_at_the_provider(tmp_path: Path) -> None:
    """An answer that nobody waits for is not paid for: the provider's connection is closed, the row says why."""
    async with upstream([HANG]) as a:
        more = "[timeouts]\nfirst_token_s = 60\n"
        async with running(config_text({"a": a.base_url}, more=more), tmp_path) as gateway:
            body = b'{"prompt":"x"}'
            head = f"POST /api/ai/chat HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.token}\r\n"
            _, writer = await asyncio.open_connection(*gateway.server.api.address)
            writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
            while not a.received:
                await asyncio.sleep(0.005)
            writer.close()

            await asyncio.wait_for(a.left.wait(), 5)
            (record,) = await gateway.records()
            assert (record.code, record.http_status) == ("cancelled", 499)
            assert [attempt.code for attempt in record.attempts] == ["cancelled"]


async def test_a_body_that_drips_is_ended(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a body gets its answer after a bounded time, and the connection is closed."""
    monkeypatch.setattr(messages, "BODY_S_MAX", 0.1)
    head = f"POST /api/ai/chat HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.token}\r\ncontent-length: 99\r\n\r\n{{"

    answer = await answer_to(gateway, head.encode())

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize(
    "head",
    [
        b"POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST /healthz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: a\r\n b\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["length and chunked", "two lengths", "unknown encoding", "folded field", "unknown version", "TLS"],
)
async def test_ambiguous_requests_are_refused(head: bytes, gateway: Gateway) -> None:
    """What two parsers could read in two ways is read in none: one 400, and the connection is closed."""
    answer = await answer_to(gateway, head + b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
