"""How our transport comes to a connection, and how it lets go of it: names, addresses, TLS, the pool, cancelling."""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from relevo.core.clock import SystemClock
from relevo.core.errors import Fault, Phase, UpstreamError
from relevo.upstream import connection, dialing, pool
from relevo.upstream.http_transport import HttpTransport
from relevo.upstream.pool import Pool
from relevo.upstream.resolver import Addresses, Resolver
from support.certificates import Authority
from support.wire import CLOSE, HANG, Outcome, exchange, until, wire

PLAIN: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
ENDLESS: Final = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"


class Clock(SystemClock):
    """A clock that a test puts forward."""

    ahead_s = 0.0

    def now_s(self) -> float:
        return super().now_s() + self.ahead_s


def failed(outcome: Outcome, detail: str) -> bool:
    """Whether no connection came about, in these words."""
    error = outcome.error
    fault = Fault.TLS_FAILED if "TLS" in detail else Fault.CONNECT_FAILED
    fault = Fault.HOST_UNKNOWN if detail == "the host name is not known" else fault
    return error is not None and (error.fault, error.detail, outcome.phases) == (fault, detail, [])


def resolving(*answers: Addresses | OSError) -> tuple[Callable[[str], Addresses], list[str]]:
    """A look-up that gives these answers, the last one for ever, and what it was asked."""
    asked: list[str] = []

    def lookup(host: str) -> Addresses:
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        if isinstance(answer, OSError):
            raise answer
        return answer

    return lookup, asked


NO_NAME: Final = socket.gaierror(socket.EAI_NONAME, "")
NO_RESOLVER: Final = socket.gaierror(socket.EAI_AGAIN, "")


@pytest.mark.parametrize(
    ("answer", "detail"),
    [(NO_NAME, "the host name is not known"), (NO_RESOLVER, "the name resolver failed"), ((), "the host name is not known")],
)  # fmt: skip
async def test_a_name_that_is_not_known_is_told(answer: Addresses | OSError, detail: str) -> None:
    """No such name and no resolver are two faults for an operator."""
    transport = HttpTransport(resolver=Resolver(resolving(answer)[0]))
    assert failed(await exchange(transport, "http://provider.test/"), detail)
    await transport.aclose()


async def test_a_resolver_that_hangs_costs_its_time_once_and_nobody_else_waits() -> None:
    """While a look-up hangs, its host fails at once, others are found, and its answer counts when it comes."""
    free = threading.Event()

    def lookup(host: str) -> Addresses:
        if host == "slow.test":
            free.wait(30)
        return ("127.0.0.1",)

    async with wire([[PLAIN]] * 9) as server:
        transport = HttpTransport(resolver=Resolver(lookup, timeout_s=0.05))
        slow, quick = (f"http://{name}.test:{server.port}/" for name in ("slow", "quick"))
        threads = threading.active_count()
        outcomes = await asyncio.gather(*[exchange(transport, slow) for _ in range(20)])
        assert all(failed(outcome, "the name resolver does not answer") for outcome in outcomes)
        assert (await exchange(transport, quick)).seen == (200, b"hello")
        assert threading.active_count() <= threads + 2
        free.set()
        await until(lambda: "slow.test" in transport._resolver._known)
        assert (await exchange(transport, slow)).seen == (200, b"hello")
        await transport.aclose()


async def test_an_answer_of_the_resolver_is_kept_and_outlives_its_failure() -> None:
    """Fresh for a minute, better than none for ten, and asked for anew when nobody could be reached there."""
    clock = Clock()
    lookup, asked = resolving(("127.0.0.1",), NO_RESOLVER)
    resolver = Resolver(lookup, clock=clock)
    for ahead_s, questions in ((0.0, 1), (59.0, 1), (61.0, 2), (599.0, 3)):
        clock.ahead_s = ahead_s
        assert await resolver.addresses("provider.test") == ("127.0.0.1",)
        assert len(asked) == questions
    clock.ahead_s = 1.0
    resolver.doubt("provider.test")
    assert await resolver.addresses("provider.test") == ("127.0.0.1",)
    assert len(asked) == 4
    clock.ahead_s = 700.0
    with pytest.raises(UpstreamError):
        await resolver.addresses("provider.test")


async def test_addresses_are_tried_in_turn() -> None:
    """One that refuses costs nothing; when all do, that is what is told."""
    async with wire([[PLAIN]]) as server:
        url = f"http://provider.test:{server.port}/"
        transport = HttpTransport(resolver=Resolver(resolving(("127.0.0.2", "::1", "127.0.0.1"))[0]))
        assert (await exchange(transport, url)).seen == (200, b"hello")
        await transport.aclose()
        transport = HttpTransport(resolver=Resolver(resolving(("127.0.0.2", "127.0.0.3"))[0]))
        assert failed(await exchange(transport, url), "refused")
        await transport.aclose()


async def test_an_address_that_swallows_connections_is_not_waited_for() -> None:
    """A quarter of a second later the next address is tried beside it."""
    with socket.create_server(("127.0.0.2", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.2", port))

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(PLAIN)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", port)
        transport = HttpTransport(resolver=Resolver(resolving(("127.0.0.2", "127.0.0.1"))[0]))
        assert (await exchange(transport, f"http://provider.test:{port}/", b"")).seen == (200, b"hello")
        await transport.aclose()
        server.close()
        for filler in fillers:
            filler.close()


async def test_tls_is_used_and_kept(tmp_path: Path) -> None:
    """A trusted certificate for the right host; the second call needs no handshake."""
    authority = Authority(tmp_path)
    async with wire([[ENDLESS + b"0\r\n\r\n"], [PLAIN]], context=authority.server()) as server:
        transport = HttpTransport(context=authority.client())
        for _ in range(2):
            assert (await exchange(transport, server.url, b"x" * 300_000)).seen == (200, b"hello")
        assert server.connections == 1
        await transport.aclose()
        await until(lambda: server.open == 0)


async def test_a_certificate_that_does_not_hold_is_told_by_its_fault(tmp_path: Path) -> None:
    """Who is there is not who was asked for; nothing is sent."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path)
    cases = {
        "its TLS certificate is not trusted": stranger.server(),
        "its TLS certificate has expired": authority.server(days=-1),
        "its TLS certificate is for another host": authority.server("another.test"),
    }
    for detail, context in cases.items():
        async with wire([[PLAIN]], context=context) as server:
            transport = HttpTransport(context=authority.client())
            assert failed(await exchange(transport, server.url), detail)
            assert (server.requests, transport.open_connections) == ([], 0)
            await transport.aclose()


async def test_no_tls_and_old_tls_and_a_stalled_handshake_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain HTTP behind https://, a server of the last decade, and one that says nothing."""
    monkeypatch.setattr(dialing, "_TLS_S", 0.1)
    authority = Authority(tmp_path)

    async def attempt(url: str) -> Outcome:
        transport = HttpTransport(context=authority.client())
        outcome = await exchange(transport, url.replace("http:", "https:"))
        await transport.aclose()
        return outcome

    def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        writer.close()

    plain = await asyncio.start_server(babble, "127.0.0.1", 0)
    outcome = await attempt(f"http://127.0.0.1:{plain.sockets[0].getsockname()[1]}/")
    plain.close()
    assert outcome.error is not None
    assert "TLS handshake" in outcome.error.detail
    async with wire([[PLAIN]]) as server:
        assert failed(await attempt(server.url), "no TLS handshake in 0.1 s")
    old = authority.server()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with wire([[PLAIN]], context=old) as server:
        outcome = await attempt(server.url)  # some servers say why, others hang up
        said = {"it speaks no TLS 1.2 or later", "closed during the TLS handshake"}
        assert any(failed(outcome, detail) for detail in said)


def test_what_the_process_trusts() -> None:
    """Certificates and host names are verified, from TLS 1.2 on."""
    context = dialing.default_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    "url",
    ["ftp://a/", "//a/b", "http://", "http://a b/", "http://a/\r\nx: y", "http://u:p@a/", "http://a:99999/", "http://[::1/", "http://a/ñ"],
)  # fmt: skip
async def test_a_url_that_cannot_be_used_is_told(url: str) -> None:
    """Nothing of it reaches a socket."""
    assert failed(await exchange(HttpTransport(), url), "its URL cannot be used")


@pytest.mark.parametrize(
    "field",
    [("x", "a\r\nevil: 1"), ("x", "a\nb"), ("x", "a\0"), ("x", "ł"), ("x y", "a"), ("x:", "a"), ("", "a"), ("Host", "b"), ("content-length", "1")],
)  # fmt: skip
async def test_a_header_that_breaks_out_of_its_line_is_refused(field: tuple[str, str]) -> None:
    """Before anything is sent, as a fault of ours."""
    async with wire([[PLAIN]]) as server:
        transport = HttpTransport()
        with pytest.raises(UpstreamError) as caught:
            await transport.open(server.url, (field,), b"", lambda _phase: None)
        assert caught.value.fault is Fault.INTERNAL
        assert server.connections == 0


async def test_idle_connections_are_few_and_the_last_one_used_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that those not needed grow old, and are closed in time."""
    monkeypatch.setattr(pool, "IDLE_MAX", 2)
    async with wire([[PLAIN]] * 9) as server:
        transport = HttpTransport(pool=Pool(idle_s=0.05))
        replies = [await transport.open(server.url, (), b"", lambda _phase: None) for _ in range(3)]
        for reply in replies:
            while await reply.read():
                pass
            reply.release()
        assert transport.idle_connections == 2
        await exchange(transport, server.url)
        assert server.requests[-1][0] == 2
        await until(lambda: transport.open_connections == 0 and server.open == 0)
        assert (await exchange(transport, server.url)).seen == (200, b"hello")
        await transport.aclose()


async def test_a_body_that_does_not_end_is_not_read_away_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its end marker a provider has a moment; then its connection is closed."""
    monkeypatch.setattr(connection, "DRAIN_S_MAX", 0.05)
    async with wire([[ENDLESS, HANG]], [[ENDLESS, *[b"ffff\r\n" + b"x" * 65_535 + b"\r\n"] * 4, HANG]]) as server:
        transport = HttpTransport()
        for number in range(2):
            reply = await transport.open(server.url, (), b"", lambda _phase: None)
            reply.release()
            await until(lambda: transport.open_connections == 0)
            assert server.connections == number + 1
        await transport.aclose()


def sockets() -> int:
    links = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH118, PTH208
    return sum(os.readlink(link).startswith("socket:") for link in links if os.path.lexists(link))  # noqa: PTH115


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_cancelling_at_any_moment_leaks_nothing(tls: bool, tmp_path: Path) -> None:
    """Cancelled after each number of steps that an exchange may take: no task, no socket and no connection stays."""
    authority = Authority(tmp_path)
    answer = [ENDLESS, b"1\r\nx\r\n", b"0\r\n\r\n"]
    before = sockets()
    async with wire([answer] * 3, context=authority.server() if tls else None) as server:
        resolver = Resolver(resolving(("127.0.0.2", "127.0.0.1"))[0])
        url = server.url
        for steps in range(60):
            transport = HttpTransport(resolver=resolver, context=authority.client())
            if steps % 2:
                await exchange(transport, url)  # the next one finds a kept connection
            task = asyncio.ensure_future(exchange(transport, url))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await until(lambda t=transport: t.open_connections == t.idle_connections)  # type: ignore[misc]
            await transport.aclose()
            assert transport.open_connections == transport.idle_connections == 0
            await until(lambda: server.open == 0)
            await until(lambda: not any("relevo/upstream" in repr(t) for t in asyncio.all_tasks()))
    await until(lambda: sockets() <= before)


async def test_a_closed_transport_opens_nothing() -> None:
    """Who asks after the end is told so."""
    async with wire([[PLAIN, CLOSE]]) as server:
        transport = HttpTransport()
        await transport.aclose()
        assert failed(await exchange(transport, server.url), "closed by us")
        assert server.connections == 0
        assert Phase.SEND not in (await exchange(transport, server.url)).phases
