"""What every transport owes: the same answers and the same faults, whatever the bytes do. Real sockets only.

Each test runs on ours and on one built from a library, for comparison, and on both loops.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import pytest

from relevo.core.errors import Fault, Phase, UpstreamError
from relevo.upstream.base import Transport
from relevo.upstream.connection import PIECE_BYTES_MAX
from relevo.upstream.http_transport import HttpTransport
from support.aiohttp_transport import AiohttpTransport
from support.wire import CLOSE, HANG, RESET, Answer, exchange, until, wire

AIOHTTP_DIFFERS: Final = {
    "a head of 50 KB": "refuses a field over 8 KB",
    "more after a last answer": "loses the answer with what follows it",
    "a folded field": "unfolds it",
    "HTTP/2.0": "takes it",
    "another protocol from here on": "takes it",
    "another transfer-encoding": "takes it",
    "provisional answers without end": "waits for ever",
    "a broken chunk": "waits for ever",
    "a broken chunk at once": "fails before the head is told",
    "a chunk longer than it says": "waits for ever",
    "a chunk beyond all numbers": "waits for ever",
    "trailers without end": "waits for ever",
    "a chunk extension without end": "waits for ever",
    "test_a_stale_connection_is_replaced_once_in_silence": "replaces none for a POST",
    "test_a_stale_connection_is_not_replaced_twice": "replaces none for a POST",
    "test_a_request_counts_as_sent_when_it_is": "says so once it has the bytes",
    "test_a_release_waits_a_moment_behind_the_caller": "closes instead",
    "test_a_connection_that_speaks_unasked_is_discarded": "keeps it",
    "test_a_closed_transport_leaves_nothing_open": "leaves the reader waiting",
    "test_a_fast_provider_leaves_others_their_turn": "hands out all that is there, and goes on at once",
}
"""Case or test to what the library does instead; a case that is no longer true fails. Tests may hang: not run."""


@pytest.fixture(params=[HttpTransport, AiohttpTransport], ids=["ours", "library"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    """Where the library is known to differ, it must differ."""
    case = request.node.callspec.params.get("case", request.node.originalname)
    if request.param is AiohttpTransport and case in AIOHTTP_DIFFERS:
        if case.startswith("test_"):
            pytest.skip(AIOHTTP_DIFFERS[case])
        request.applymarker(pytest.mark.xfail(reason=AIOHTTP_DIFFERS[case], strict=True))
    made: Transport = request.param()
    yield made
    await made.aclose()


pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body")  # the library's advice to its users
HTTP: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = HTTP + b"Transfer-Encoding: chunked\r\n\r\n"
PLAIN: Final = HTTP + b"content-length: 5\r\n\r\nhello"

WHOLE: Final[dict[str, tuple[Answer, tuple[int, bytes], bool]]] = {
    # what is sent, what must be seen, whether the connection may be used again
    "a length": ([PLAIN], (200, b"hello"), True),
    "an empty body": ([HTTP + b"content-length: 0\r\n\r\n"], (200, b""), True),
    "chunks": ([CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"], (200, b"hello"), True),
    "chunks with extensions and trailers":
        ([CHUNKED + b"5;a=b\r\nhello\r\n0\r\nx-trailer: 1\r\n\r\n"], (200, b"hello"), True),
    "the end of the connection": ([HTTP + b"\r\n", b"hel", b"lo", CLOSE], (200, b"hello"), False),
    "HTTP/1.0": ([b"HTTP/1.0 200 OK\r\n\r\nhello", CLOSE], (200, b"hello"), False),
    "HTTP/1.0 with a length": ([b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello"], (200, b"hello"), False),
    "HTTP/1.0 that stays":
        ([b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello"], (200, b"hello"), True),
    "connection: close": ([HTTP + b"Connection: close\r\ncontent-length: 5\r\n\r\nhello"], (200, b"hello"), False),
    "provisional answers":
        ([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", PLAIN], (200, b"hello"), True),
    "204": ([b"HTTP/1.1 204 No Content\r\n\r\n"], (204, b""), True),
    "304 with a length": ([b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"], (304, b""), True),
    "a redirect, not followed":
        ([b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"], (302, b""), True),
    "an error": ([b"HTTP/1.1 529 X\r\ncontent-length: 2\r\n\r\n{}"], (529, b"{}"), True),
    "a head of 50 KB": ([HTTP + b"x: " + b"y" * 50_000 + b"\r\ncontent-length: 5\r\n\r\nhello"], (200, b"hello"), True),
    "a large body": ([HTTP + b"content-length: 3000000\r\n\r\n", *[b"x" * 100_000] * 30], (200, b"x" * 3_000_000), True),
    "more after the body": ([PLAIN + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"], (200, b"hello"), False),
    "more after a last answer":
        ([HTTP + b"connection: close\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n"], (200, b"hello"), False),
}  # fmt: skip


@pytest.mark.parametrize("case", WHOLE)
async def test_a_whole_answer_is_read_and_its_connection_used_again(case: str, transport: Transport) -> None:
    """The body ends where the framing says, and only a connection without a doubt carries another exchange."""
    answer, seen, again = WHOLE[case]
    async with wire([answer, [PLAIN]], [[PLAIN]]) as server:
        first = await exchange(transport, server.url)
        second = await exchange(transport, server.url)

        assert (first.seen, first.error) == (seen, None)
        assert first.phases == [Phase.SEND, Phase.HEADERS, Phase.FIRST_EVENT]
        assert (second.seen, second.error) == ((200, b"hello"), None)
        assert [number for number, _, _ in server.requests] == [0, 0 if again else 1]


SENT = [Phase.SEND, Phase.HEADERS]
ANSWERED = [*SENT, Phase.FIRST_EVENT]

BROKEN: Final[dict[str, tuple[Answer, list[Phase], bytes]]] = {
    # what is sent, how far it comes, what of the body is read before the fault
    "closed without a word": ([CLOSE], SENT, b""),
    "reset without a word": ([RESET], SENT, b""),
    "another protocol": ([b"SSH-2.0-OpenSSH_9\r\n\r\n", HANG], SENT, b""),
    "half a head": ([HTTP + b"x: y", CLOSE], SENT, b""),
    "a head without end": ([HTTP + b"x: ", *[b"y" * 10_000] * 7, HANG], SENT, b""),
    "201 fields": ([HTTP + b"x: y\r\n" * 201 + b"content-length: 0\r\n\r\n", HANG], SENT, b""),
    "a folded field": ([HTTP + b"x: y\r\n z\r\ncontent-length: 0\r\n\r\n", HANG], SENT, b""),
    "NUL in a field": ([HTTP + b"x: y\0z\r\ncontent-length: 0\r\n\r\n", HANG], SENT, b""),
    "CR in a field": ([HTTP + b"x: y\rz\r\ncontent-length: 0\r\n\r\n", HANG], SENT, b""),
    "a length beside chunks":
        ([HTTP + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", HANG], SENT, b""),
    "two lengths": ([HTTP + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello", HANG], SENT, b""),
    "a length below zero": ([HTTP + b"content-length: -5\r\n\r\nhello", HANG], SENT, b""),
    "HTTP/2.0": ([b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n", HANG], SENT, b""),
    "another protocol from here on":
        ([b"HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", HANG], SENT, b""),
    "another transfer-encoding": ([HTTP + b"transfer-encoding: gzip\r\n\r\nhello", HANG], SENT, b""),
    "provisional answers without end": ([b"HTTP/1.1 100 C\r\nx: " + b"y" * 1000 + b"\r\n\r\n"] * 70 + [HANG], SENT, b""),
    "cut before its length": ([HTTP + b"content-length: 9\r\n\r\nhello", CLOSE], ANSWERED, b"hello"),
    "cut between chunks": ([CHUNKED, b"5\r\nhello\r\n", CLOSE], ANSWERED, b"hello"),
    "cut in a chunk": ([CHUNKED, b"9\r\nhello", CLOSE], ANSWERED, b"hello"),
    "reset in mid-body": ([CHUNKED, b"5\r\nhello\r\n", RESET], ANSWERED, b"hello"),
    "a broken chunk": ([CHUNKED, b"5\r\nhello\r\n", b"ZZ\r\n", HANG], ANSWERED, b"hello"),
    "a broken chunk at once": ([CHUNKED + b"ZZ\r\nhello", HANG], ANSWERED, b""),
    "a chunk longer than it says": ([CHUNKED, b"5\r\nhello!!\r\n", HANG], ANSWERED, b"hello"),
    "a chunk beyond all numbers": ([CHUNKED, b"5\r\nhello\r\n", b"f" * 17 + b"\r\n", HANG], ANSWERED, b"hello"),
    "trailers without end":
        ([CHUNKED, b"5\r\nhello\r\n", b"0\r\nx: ", *[b"y" * 10_000] * 40, HANG], ANSWERED, b"hello"),
    "a chunk extension without end":
        ([CHUNKED, b"5\r\nhello\r\n", b"1;", *[b"y" * 10_000] * 40, HANG], ANSWERED, b"hello"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_answer_fails_at_once_and_its_connection_is_gone(case: str, transport: Transport) -> None:
    """What arrived before the fault is read; then the fault, without waiting for a deadline; then a new connection."""
    answer, phases, body = BROKEN[case]
    async with wire([answer], [[PLAIN]]) as server:
        broken = await exchange(transport, server.url, within_s=0.5)
        after = await exchange(transport, server.url)

        assert broken.error is not None
        assert broken.error.fault is Fault.CONNECTION_LOST
        assert broken.error.detail
        assert (broken.phases, broken.body) == (phases, body)
        assert (after.seen, server.connections) == ((200, b"hello"), 2)


async def test_a_compressed_answer_is_refused(transport: Transport) -> None:
    """Nobody asked for it, and nobody inflates it."""
    async with wire([[HTTP + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b"]]) as server:
        outcome = await exchange(transport, server.url)

        assert outcome.error is not None
        assert (outcome.status, outcome.error.fault) == (200, Fault.BAD_REPLY)


CUT: Final = (
    HTTP + b"Transfer-Encoding: chunked\r\nX-A: 1\r\nx-a: 2\r\n\r\n"
    b"8;e=f\r\n" + "ñandú\n".encode() + b"\r\nA\r\n0123456789\r\n0\r\nt: u\r\n\r\n"
)


async def test_an_answer_is_the_same_wherever_it_is_cut(transport: Transport) -> None:
    """Every boundary of two writes, and every byte in a write of its own."""
    cuts: list[Answer] = [[CUT[:at], CUT[at:]] for at in range(1, len(CUT))]
    cuts.append([CUT[at : at + 1] for at in range(len(CUT))])
    async with wire(cuts) as server:
        for _ in cuts:
            outcome = await exchange(transport, server.url)
            assert (outcome.seen, outcome.error) == ((200, "ñandú\n0123456789".encode()), None)
            assert outcome.headers("x-a") == "1, 2"
        assert server.connections == 1


async def test_what_is_sent_is_what_was_asked_for(transport: Transport) -> None:
    """One host, one length, the caller's fields, and the body byte by byte, also when it is large."""
    body = bytes(range(256)) * 8_000
    async with wire([[PLAIN], [PLAIN]]) as server:
        assert (await exchange(transport, server.url, body)).error is None
        reply = await transport.get(server.url, (("x-one", "1"),), lambda _phase: None)
        reply.release()

        (_, posted, sent), (_, got, _) = server.requests
        assert posted.startswith(b"POST /v1/chat?x=1 HTTP/1.1\r\n")
        assert posted.lower().count(f"\r\nhost: localhost:{server.port}\r\n".encode()) == 1
        assert posted.lower().count(b"\r\ncontent-length: 2048000\r\n") == 1
        assert b"\r\naccept-encoding: identity\r\n" in posted.lower()
        assert sent == body
        assert got.startswith(b"GET /v1/chat?x=1 HTTP/1.1\r\n")
        assert b"\r\nx-one: 1\r\n" in got
        assert b"content-length" not in got.lower()


async def test_a_request_counts_as_sent_when_it_is(transport: Transport) -> None:
    """A provider that does not read keeps a large request in the phase in which it is sent."""
    phases: list[Phase] = []
    async with wire([[PLAIN]]) as server:
        server.waits = True
        task = asyncio.ensure_future(transport.open(server.url, (), b"x" * 30_000_000, phases.append))
        await until(lambda: server.connections == 1 and phases == [Phase.SEND])
        for _ in range(50):
            await asyncio.sleep(0.001)
        while_unread = list(phases)
        server.go_on.set()
        (await task).release()

        assert while_unread == [Phase.SEND]
        assert phases == ANSWERED


async def test_an_answer_may_come_before_the_request_is_sent(transport: Transport) -> None:
    """A refusal of a large body is read, and its connection is not used again."""
    early = b"HTTP/1.1 413 X\r\ncontent-length: 5\r\n\r\nhello"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(early)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    outcome = await exchange(transport, url, b"x" * 30_000_000)
    await ended.wait()
    server.close()

    assert (outcome.seen, outcome.error) == ((413, b"hello"), None)


async def test_a_stale_connection_is_replaced_once_in_silence(transport: Transport) -> None:
    """A kept connection that the provider closed before any byte of an answer costs a new one, not the attempt."""
    async with wire([[PLAIN], [RESET]], [[PLAIN]]) as server:
        for _ in range(2):
            outcome = await exchange(transport, server.url)
            assert (outcome.seen, outcome.error) == ((200, b"hello"), None)
        assert [number for number, _, _ in server.requests] == [0, 0, 1]


async def test_a_stale_connection_is_not_replaced_twice(transport: Transport) -> None:
    """The second time it is the provider's fault."""
    async with wire([[PLAIN], [CLOSE]], [[CLOSE]]) as server:
        await exchange(transport, server.url)
        outcome = await exchange(transport, server.url)

        assert outcome.error is not None
        assert outcome.error.fault is Fault.CONNECTION_LOST
        assert [number for number, _, _ in server.requests] == [0, 0, 1]


@pytest.mark.parametrize("begin", [b"H", HTTP, HTTP + b"content-length: 9\r\n\r\nhello"])
async def test_an_answer_that_has_begun_is_never_asked_for_again(begin: bytes, transport: Transport) -> None:
    """From its first byte on, the provider has done the work."""
    async with wire([[PLAIN], [begin, CLOSE]], [[PLAIN]]) as server:
        await exchange(transport, server.url)
        outcome = await exchange(transport, server.url)

        assert outcome.error is not None
        assert len(server.requests) == 2


@pytest.mark.parametrize("extra", [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", b"x", b"\r\n"])
async def test_a_connection_that_speaks_unasked_is_discarded(extra: bytes, transport: Transport) -> None:
    """Bytes on an idle connection belong to no request, and never become the next one's answer."""
    speak = asyncio.Event()
    connections = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                writer.write(PLAIN)
                await speak.wait()
                writer.write(extra)
        connections.remove(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    first = await exchange(transport, url)
    speak.set()
    await until(lambda: not connections, within_s=0.5)
    second = await exchange(transport, url)
    server.close()

    assert first.seen == second.seen == (200, b"hello")


async def test_an_abort_closes_at_once(transport: Transport) -> None:
    """The provider sees it, and stops to write what nobody reads."""
    async with wire([[CHUNKED, b"5\r\nhello\r\n", HANG]]) as server:
        reply = await transport.open(server.url, (), b"", lambda _phase: None)
        assert await reply.read() == b"hello"
        reply.abort()
        async with asyncio.timeout(1):
            await server.left.wait()


async def test_a_release_waits_a_moment_behind_the_caller(transport: Transport) -> None:
    """A connection whose body is whole in a moment is kept."""
    async with wire([[CHUNKED, b"5\r\nhello\r\n", *[b"1\r\nx\r\n"] * 9, b"0\r\n\r\n"], [PLAIN]]) as server:
        reply = await transport.open(server.url, (), b"", lambda _phase: None)
        assert (await reply.read()).startswith(b"hello")
        reply.release()
        reply.abort()  # nothing of it is left to close
        for _ in range(100):
            await asyncio.sleep(0.001)
        assert (await exchange(transport, server.url)).seen == (200, b"hello")
        assert server.connections == 1


async def test_a_reader_that_does_not_read_stops_the_provider(transport: Transport) -> None:
    """50 MB to nobody: the provider waits, and what is read later is whole."""
    size, piece = 50_000_000, b"x" * 100_000
    async with wire([[HTTP + b"content-length: %d\r\n\r\n" % size, *[piece] * 500]]) as server:
        reply = await transport.open(server.url, (), b"", lambda _phase: None)
        before = -1
        while before != server.sent:
            before = server.sent
            for _ in range(20):
                await asyncio.sleep(0.002)
        stopped_at = server.sent
        read = 0
        while data := await reply.read():
            assert len(data) <= 1_000_000
            read += len(data)
        reply.release()

        assert stopped_at < 20_000_000  # the buffers of the system
        assert read == size


async def test_a_fast_provider_leaves_others_their_turn(transport: Transport) -> None:
    """What arrived at once is handed out in small pieces, and others run before each of them."""
    async with wire([[HTTP + b"content-length: 1000000\r\n\r\n", b"x" * 1_000_000]]) as server:
        reply = await transport.open(server.url, (), b"", lambda _phase: None)
        sizes, turns_before, turns = [], [], [0]

        async def other() -> None:
            while True:
                turns[0] += 1
                await asyncio.sleep(0)

        running = asyncio.ensure_future(other())
        while data := await reply.read():
            sizes.append(len(data))
            turns_before.append(turns[0])
        running.cancel()
        reply.release()

    assert sum(sizes) == 1_000_000
    assert max(sizes) <= PIECE_BYTES_MAX
    assert len(set(turns_before)) == len(sizes)


async def test_a_closed_transport_leaves_nothing_open(transport: Transport) -> None:
    """Idle connections and those under way end, and who waits is told."""
    async with wire([[PLAIN]], [[CHUNKED, b"5\r\nhello\r\n", HANG]]) as server:
        kept = await transport.open(server.url, (), b"", lambda _phase: None)
        reply = await transport.open(server.url, (), b"", lambda _phase: None)
        kept.release()
        assert await reply.read() == b"hello"
        await transport.aclose()
        with pytest.raises(UpstreamError):
            await reply.read()
        await until(lambda: server.open == 0)
