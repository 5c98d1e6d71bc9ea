"""The shipped upstream does to the byte what its script says, and every named fault can be played and left."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import uvloop

from relevo.testing import (
    ACCENTS,
    FAULTS,
    TLS,
    Close,
    Drip,
    HalfClose,
    Hang,
    KeepAlive,
    Received,
    Repeat,
    Reset,
    Script,
    ScriptedUpstream,
    Tls,
    ToolCall,
    UnknownFault,
    Wait,
    blackhole_url,
    fault,
    in_order,
    outage,
    refused_url,
    reply,
    serving,
    sse,
    streamed,
)
from support.clock import FakeClock

REQUEST = b'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 28\r\n\r\n{"model":"m","stream": true}'
PLAIN = b'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 13\r\n\r\n{"model":"m"}'
MODELS = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"
NAMES = [name for name, row in FAULTS.items() if not row.of_server]
BYTES_MAX = 2_000_000


class Client:
    """A raw socket: what it reads is what was sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, request: bytes = REQUEST) -> None:
        self.writer.write(request)
        await self.writer.drain()

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), 10)

    async def leave(self) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def connected(upstream: ScriptedUpstream, **options: Any) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port, **options)
    client = Client(reader, writer)
    try:
        yield client
    finally:
        await client.leave()


async def answer_of(upstream: ScriptedUpstream, request: bytes = REQUEST) -> bytes:
    async with connected(upstream) as client:
        await client.ask(request)
        return await client.rest()


async def test_bytes_arrive_as_they_stand_in_the_script_and_where_it_cuts_them() -> None:
    """Nothing is added, and nothing of the next step is there before its time: not in the middle of a letter either."""
    gates = [asyncio.Event(), asyncio.Event()]
    script: Script = [b"HT\xc3", Wait(gates[0]), b"\xa9P\r", Wait(gates[1]), b"\n"]
    async with ScriptedUpstream(script) as up, connected(up) as client:
        await client.ask()

        assert await client.reader.read(100) == b"HT\xc3"
        gates[0].set()
        assert await client.reader.read(100) == b"\xa9P\r"
        gates[1].set()
        assert await client.rest() == b"\n"


async def test_pauses_go_through_the_hook_and_drips_are_pieces() -> None:
    """A test drives the time of a script: nothing sleeps."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    script: Script = [b"a", 30.0, Drip(b"bcdef", 2, 1.5), Repeat(b"xy", 3, 60)]
    async with ScriptedUpstream(script, sleep=sleep) as up:
        assert await answer_of(up) == b"abcdefxyxyxy"
    assert slept == [30.0, 1.5, 1.5, 60, 60, 60]


async def test_a_reset_is_a_reset_behind_the_bytes_before_it() -> None:
    """RST, not FIN: the client's read fails with ECONNRESET after it has read what came before."""
    read = asyncio.Event()
    async with ScriptedUpstream([b"half", Wait(read), Reset(), b"never"]) as up, connected(up) as client:
        await client.ask()

        assert await client.reader.readexactly(4) == b"half"
        read.set()
        with pytest.raises(ConnectionResetError):
            await client.rest()


async def test_a_half_close_ends_the_answer_and_leaves_the_connection_open() -> None:
    """The client reads the end, while the server still waits for it to leave."""
    async with ScriptedUpstream([b"all", HalfClose(), Hang()]) as up:
        async with connected(up) as client:
            await client.ask()
            assert await client.rest() == b"all"
            assert (up.open_connections, up.left.is_set()) == (1, False)
        await asyncio.wait_for(up.left.wait(), 5)


async def test_a_script_that_ends_closes_in_order() -> None:
    """A close is an end of file, and what stands behind it is not sent."""
    async with ScriptedUpstream([b"all", Close(), b"never"]) as up:
        assert await answer_of(up) == b"all"
        assert not up.left.is_set()


async def test_several_scripts_are_played_on_one_connection() -> None:
    """A kept connection takes the next request and the next script; the last script is for ever."""
    async with ScriptedUpstream([b"one", KeepAlive()], [b"two", KeepAlive()], [b"three"]) as up:
        async with connected(up) as client:
            for word in (b"one", b"two"):
                await client.ask()
                assert await client.reader.readexactly(len(word)) == word
            await client.ask()
            assert await client.rest() == b"three"
        assert await answer_of(up) == b"three"
        assert [request.nth for request in up.received] == [1, 2, 3, 1]
        assert up.connections == 2


async def test_what_came_is_on_record_with_its_time() -> None:
    """Method, path, headers, body and arrival by the test's own clock; a departure too."""
    clock = FakeClock()
    async with ScriptedUpstream([Hang()], clock=clock) as up:
        clock.pass_s(7)
        async with connected(up) as client:
            await client.ask()
            while not up.received:
                await asyncio.sleep(0.001)
            clock.pass_s(3)
        await asyncio.wait_for(up.left.wait(), 5)

        (request,) = up.received
        assert (request.method, request.path) == ("POST", "/v1/chat/completions")
        assert (request.headers["host"], request.json) == ("x", {"model": "m", "stream": True})
        assert (request.at_s, up.departures, up.open_connections) == (7.0, [10.0], 0)


async def test_chunked_requests_and_100_continue_are_read() -> None:
    """Node sends chunks, curl waits for leave to send a large body."""
    head = b"POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n"
    async with ScriptedUpstream(reply("ok")) as up:
        answer = await answer_of(up, head + b"2\r\n{}\r\n0\r\n\r\n")

        assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
        assert up.received[0].body == b"{}"


async def test_free_probes_use_up_no_script() -> None:
    """The list of models has an answer of its own and is counted apart."""
    async with ScriptedUpstream(reply("one"), reply("two"), models=reply("no", 503)) as up:
        assert (await answer_of(up, MODELS)).startswith(b"HTTP/1.1 503 ")
        assert (await answer_of(up)).endswith(b"one")
        assert (len(up.received), len(up.probes)) == (1, 1)
    async with ScriptedUpstream() as up:
        assert b'"data":[{"id":"served-model"' in await answer_of(up, MODELS)


async def test_an_outage_is_a_plan_of_time() -> None:
    """Down from one moment to another on the upstream's clock, and well before and after."""
    clock = FakeClock()
    down = outage(10, 70, during=reply("down", 503), otherwise=fault("ok"))
    statuses = []
    async with ScriptedUpstream(down, clock=clock) as up:
        for seconds in (0, 10, 59, 1):
            clock.pass_s(seconds)
            statuses.append((await answer_of(up)).split(b" ")[1])
    assert statuses == [b"200", b"503", b"503", b"200"]


async def test_a_bug_in_a_script_is_told_to_the_test() -> None:
    """An answer that cannot be played fails the test that wrote it."""
    with pytest.raises(TypeError, match="a list of steps"):
        async with ScriptedUpstream(b"not a list") as up:
            assert await answer_of(up) == b""


@pytest.mark.parametrize("name", NAMES)
async def test_every_named_fault_plays_and_ends_when_its_client_leaves(name: str) -> None:
    """Whatever is asked and whoever is played: no error of our own, and nothing goes on for nobody."""
    asked = [*[(REQUEST, accent) for accent in ACCENTS], (PLAIN, "openai"), (MODELS, "openai")]
    for request_bytes, accent in asked:
        async with ScriptedUpstream(fault(name, accent), models=fault(name, accent)) as up:
            async with connected(up) as client:
                await client.ask(request_bytes)
                with contextlib.suppress(TimeoutError, ConnectionError):
                    async with asyncio.timeout(0.03):
                        while await client.reader.read(BYTES_MAX):
                            pass
            async with asyncio.timeout(10):
                while up.open_connections:
                    await asyncio.sleep(0.001)


@pytest.mark.parametrize("accent", ACCENTS)
async def test_a_good_answer_is_one_and_the_same_streamed_or_plain(accent: Any) -> None:
    """The pieces of a stream make the text of the plain answer, with the same counts and a `[DONE]`."""
    async with ScriptedUpstream(fault("ok", accent)) as up:
        stream, plain = await answer_of(up), await answer_of(up, PLAIN)

    body = msgspec.json.decode(plain.partition(b"\r\n\r\n")[2])
    *events, end = [frame.removeprefix(b"data: ") for frame in stream.partition(b"\r\n\r\n")[2].split(b"\n\n")[:-1]]
    said = [msgspec.json.decode(event) for event in events]
    texts = [choice["delta"].get("content", "") for chunk in said for choice in chunk["choices"]]
    assert end == b"[DONE]"
    assert "".join(texts) == body["choices"][0]["message"]["content"]
    assert [chunk["usage"] for chunk in said if chunk.get("usage")] == [body["usage"]]
    assert (said[-1]["choices"] == []) is (accent in ("openai", "qwen"))
    assert said[0]["choices"][0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize("accent", ACCENTS)
def test_streamed_calls_are_pieces_of_the_calls(accent: Any) -> None:
    """Two calls at once, one without arguments: joined by their index they are what was to be called."""
    calls = [ToolCall("weather", '{"city":"Santa Cruz de Tenerife"}'), ToolCall("now")]
    joined: dict[int, list[str]] = {0: ["", ""], 1: ["", ""]}
    for step in streamed("", accent, tool_calls=calls)[1:-1]:
        chunk = msgspec.json.decode(bytes(step).removeprefix(b"data: "))  # type: ignore[arg-type]
        for choice in chunk["choices"]:
            for piece in choice["delta"].get("tool_calls", []):
                joined[piece["index"]][0] += piece["function"].get("name") or ""
                joined[piece["index"]][1] += piece["function"]["arguments"]
    assert joined == {0: ["weather", calls[0].arguments], 1: ["now", ""]}


async def test_some_faults_to_the_byte() -> None:
    """What the names promise is what is on the wire."""
    clock = FakeClock()

    async def sent(name: str, request: bytes = REQUEST, accent: Any = "openai") -> bytes:
        async with ScriptedUpstream(fault(name, accent), clock=clock) as up:
            return await answer_of(up, request)

    def header(answer: bytes, name: str) -> str:
        return answer.split(f"{name}: ".encode())[1].partition(b"\r\n")[0].decode()

    limited = await sent("rate-limited-date")
    assert parsedate_to_datetime(header(limited, "retry-after")).timestamp() == clock.wall_s() + 2
    assert b'"retryDelay":"30s"' in await sent("rate-limited-body")
    assert header(await sent("rate-limited-ms"), "retry-after-ms") == "2000"
    for name, difference in (("length-too-long", 100), ("length-too-short", -20)):
        answer = await sent(name, PLAIN)
        assert int(header(answer, "content-length")) - len(answer.partition(b"\r\n\r\n")[2]) == difference
    cut = await sent("clean-eof-without-marker")
    assert (cut.count(b'"content"'), b'finish_reason":"stop' in cut, b"[DONE]" in cut) == (4, False, False)
    assert b"\n:HTTP_STATUS/429\ndata:{" in await sent("error-in-stream-before-content", accent="qwen")
    assert b'\r\n\r\n{"error": {"code": 503,\n' in await sent("error-in-stream-before-content", accent="gemini")
    assert b'API_KEY_INVALID"' in await sent("bad-key", accent="gemini")
    assert b"application/octet-stream" in await sent("quota", accent="deepseek")
    bomb = (await sent("gzip-bomb")).partition(b"\r\n\r\n")[2]
    assert len(bomb) < 200_000
    assert len(gzip.decompress(bomb)) == 100 * 2**20
    odd = await sent("crlf")
    assert odd.partition(b"\r\n\r\n")[2].startswith(b"\xef\xbb\xbf: a comment\r\nid: 7\r\n")
    assert b"data: [DONE]\r\n\r\n" in odd


async def test_a_stale_connection_answers_once() -> None:
    """The next request on the kept connection meets a reset; a new connection is answered."""
    async with ScriptedUpstream(fault("stale-connection")) as up:
        async with connected(up) as client:
            await client.ask()
            assert (await client.reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
            await client.ask()
            with pytest.raises(ConnectionResetError):
                await client.rest()
        async with connected(up) as client:
            await client.ask()
            assert await client.reader.readuntil(b"0\r\n\r\n")


async def handshake(up: ScriptedUpstream, host: str = "localhost") -> bytes:
    context = ssl.create_default_context(cadata=up.ca_pem)
    async with connected(up, ssl=context, server_hostname=host) as client:
        await client.ask()
        return await client.rest()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_trusted_server_is_trusted(host: str) -> None:
    """With its authority a client gets through, by name and by address, and without it not."""
    async with ScriptedUpstream(reply("ok"), tls="trusted") as up:
        assert (await handshake(up, host)).endswith(b"ok")
        assert up.base_url == f"https://127.0.0.1:{up.port}/v1"
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
            async with connected(up, ssl=ssl.create_default_context(), server_hostname="localhost"):
                pass


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("expired", "certificate has expired"),
        ("wrong-host", "Hostname mismatch"),
        ("self-signed", "self-signed certificate"),
        ("old", "PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|protocol version"),
    ],
)
async def test_bad_tls_is_bad_for_the_one_reason(kind: Tls, reason: str) -> None:
    """Each variant fails its client for what it is called after, and no request is read."""
    async with ScriptedUpstream(reply("ok"), tls=kind) as up:
        with pytest.raises(ssl.SSLError, match=reason):
            await handshake(up)
        assert up.received == []


async def test_a_handshake_that_stalls_is_seen_to_be_left() -> None:
    """Nothing is said until the client gives up."""
    async with ScriptedUpstream(reply("ok"), tls="stall") as up:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(handshake(up), 0.05)
        await asyncio.wait_for(up.left.wait(), 5)
    assert {row.tls for row in FAULTS.values() if row.tls} == set(TLS)


def test_nothing_listens_at_a_refused_address_and_nobody_answers_in_a_black_hole() -> None:
    """A connection is refused at once, or is not made at all."""
    with refused_url() as url, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=5)
    with blackhole_url() as url, pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=0.2)


@pytest.mark.parametrize("tls", [None, "trusted"])
def test_it_runs_on_uvloop_too(tls: Tls | None) -> None:
    """The loop that relevo serves with: pieces, a half close or its like, a reset, and a departure."""

    async def play() -> None:
        read = asyncio.Event()
        scripts: list[Script] = [[b"a" * 300_000, Drip(b"bc"), HalfClose()], [b"x", Wait(read), Reset()], [Hang()]]
        async with ScriptedUpstream(*scripts, tls=tls) as up:
            context = ssl.create_default_context(cadata=up.ca_pem) if tls else None
            async with connected(up, ssl=context) as client:
                await client.ask()
                assert len(await client.rest()) == 300_002
            async with connected(up, ssl=context) as client:
                await client.ask()
                assert await client.reader.readexactly(1) == b"x"
                read.set()
                with pytest.raises(ConnectionResetError):
                    await client.rest()
            async with connected(up, ssl=context) as client:
                await client.ask()
                while len(up.received) < 3:
                    await asyncio.sleep(0.001)
            await asyncio.wait_for(up.left.wait(), 5)

    uvloop.run(play())


def test_tests_without_an_event_loop_get_one_in_a_thread() -> None:
    """`serving` is the same provider for code that blocks."""
    with serving(fault("unavailable"), fault("ok")) as up:
        url = f"{up.base_url}/chat/completions"
        with pytest.raises(urllib.error.HTTPError, match="503") as raised:
            urllib.request.urlopen(url, b"{}", timeout=10)
        raised.value.close()
        with urllib.request.urlopen(url, b"{}", timeout=10) as answer:
            assert msgspec.json.decode(answer.read())["object"] == "chat.completion"
    assert len(up.received) == 2


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("rate-limted", "did you mean rate-limited?"),
        ("qqq", "--list"),
        ("ok:x", "ok:2"),
        ("ok:0", "ok:2"),
        ("refused", "a server of its own"),
        ("tls-expired", "a server of its own"),
    ],
)
def test_a_fault_that_is_none_is_told_with_the_fix(text: str, hint: str) -> None:
    """A typing error names the nearest fault; a fault of a server is no answer."""
    with pytest.raises(UnknownFault) as error:
        in_order([text])
    assert hint in str(error.value)


def test_names_are_repeated_and_chunks_can_be_kept_alive() -> None:
    """`rate-limited:2` is two answers; a kept stream is chunked and ends by its last chunk."""
    request = Received("POST", "/v1/chat/completions", {}, b"{}")
    answers = in_order(["rate-limited:2", "ok"])

    assert [bytes(answer(request)[0])[9:12] for answer in answers] == [b"429", b"429", b"200"]  # type: ignore[arg-type,operator]
    assert sse("x", keep_alive=True)[1:] == [b"9\r\ndata: x\n\n\r\n", b"0\r\n\r\n", KeepAlive()]
