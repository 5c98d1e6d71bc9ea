"""How a process ends and reloads under load: what runs is finished or settled, and nothing is lost."""

import asyncio
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from relevo.core.clock import SystemClock
from relevo.setup import set_up
from relevo.store.audit import Audit
from relevo.store.ledger import StoredLedger
from relevo.store.opening import make_reader
from relevo.testing import Wait
from support.callers import NO_LIMITS, SECRET, TASKS, client, plain, process, status_of, stream, until
from support.dump import dump
from support.gateway import Frames, config_text
from support.process import RELEVO, environment
from support.upstream import HANG, USAGE, Received, Script, delta, sse, streamed, upstream

pytestmark = pytest.mark.slow

PRICE, SIGNUP, DRAIN_S = 20, 100_000, 4
TARGETS = 'targets = [{ provider = "a", model = "a-model", max_tokens = 100, stream_upstream = true }]\n'
PAID = f"""
[server]
drain_s = {DRAIN_S}
[credits]
enabled = true
signup = {SIGNUP}
[prices."a/a-model"]
input = 1000
output = 1000
"""
PAID_TASKS = f"[tasks.T]\ncredits = {PRICE}\n{TARGETS}[tasks.M]\n{TARGETS}"


async def books(folder: Path) -> tuple[Audit, Counter[tuple[str, int]]]:
    """The audit of a server that has ended, and how often holds ended in (state, micro-credits)."""
    reader = make_reader(set_up(str(folder / "relevo.toml")).config.file.store.url, folder, SystemClock())
    await reader.start()
    audit = await StoredLedger(reader).audit()
    holds, _ = await dump(reader)
    await reader.aclose()
    return audit, Counter((state, charged or 0) for _, _, charged, state in holds)


async def test_a_drain_finishes_what_is_short_and_settles_what_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 streams and 10 plain calls at SIGTERM: the short are whole and charged, the long told, and the books exact."""
    monkeypatch.setenv("CANARY_KEY", SECRET["CANARY_KEY"])
    go_on = asyncio.Event()
    begun = sse(delta("ho"))
    short: Script = [*begun, Wait(go_on), *sse(delta("la"), delta(None, "stop", usage=USAGE), "[DONE]")[1:]]

    def answer(request: Received) -> Script:
        if "short" in request.body.decode():
            return short
        return [*begun, HANG] if "long" in request.body.decode() else [HANG]

    async with upstream(choose=answer) as a:
        with process(tmp_path, config_text({"a": a.base_url}, tasks=PAID_TASKS, more=PAID + NO_LIMITS)) as server:
            async with client(server) as session, client(server) as other:
                assert (await other.get("/api/ai/credits")).status == 200  # its connection stays open
                kinds = [(length, task) for length in ("short", "long") for task in ("T", "M") for _ in range(25)]
                firsts = [asyncio.Event() for _ in kinds]
                streams = [
                    asyncio.ensure_future(stream(session, first, prompt=length, taskType=task))
                    for (length, task), first in zip(kinds, firsts, strict=True)
                ]
                plains = [asyncio.ensure_future(plain(session, prompt="silence", taskType="T")) for _ in range(10)]
                await asyncio.gather(*[first.wait() for first in firsts])
                await until(lambda: len(a.received) == 110)

                server.process.send_signal(signal.SIGTERM)
                since_s = time.monotonic()
                await until(lambda: "answers are still running" in server.stderr())
                readiness = await asyncio.to_thread(status_of, server.url + "/readyz")
                async with other.post("/api/ai/chat", json={"prompt": "too late"}) as late:
                    refusal = (late.status, (await late.json())["code"], late.headers["connection"])
                go_on.set()
                ends = await asyncio.gather(*streams)
                answers = await asyncio.gather(*plains)
            assert await asyncio.to_thread(server.process.wait, DRAIN_S + 5) == 0
            took_s = time.monotonic() - since_s

    assert (readiness[0], readiness[1]["code"]) == (503, "unavailable")
    assert refusal == (503, "unavailable", "close")
    assert took_s < DRAIN_S + 5
    for (length, _), frames in zip(kinds, ends, strict=True):
        check_end(length, frames)
    assert {(status, body["code"]) for status, body in answers} == {(503, "unavailable")}
    assert len(a.received) == 110
    audit, holds = await books(tmp_path)
    assert audit.differences == ()
    assert audit.open_holds == 0
    charges = Counter(charged for _, charged in holds.elements())
    assert charges[PRICE * 1_000_000] == 25, "short streams at a fixed price"
    assert charges[10_000 * 1_000] == 25, "short metered ones: 10 tokens at 0.001 USD"
    assert charges[0] == 35, "long ones at a fixed price, and plain ones: nothing"
    (delivered,) = charges.keys() - {0, PRICE * 1_000_000, 10_000 * 1_000}
    assert charges[delivered] == 25, "long metered ones: what was delivered"
    assert sum(charges.values()) == 110


def check_end(length: str, frames: Frames) -> None:
    """A short stream is whole. A long one ends with an error and no end marker."""
    if length == "short":
        assert (frames.done, frames.content) == (True, "hola")
    else:
        assert not frames.done
        assert (frames.last["type"], frames.last["code"]) == ("error", "unavailable")


async def test_a_reload_under_load_loses_nothing(tmp_path: Path) -> None:
    """SIGHUP with 50 streams and 50 plain calls under way, by a good file and then by a bad one: all are whole."""
    go_on = asyncio.Event()
    pieces: Script = [
        *sse(delta("ho")),
        Wait(go_on),
        *sse(delta("la"), delta(None, "stop", usage=USAGE), "[DONE]")[1:],
    ]
    whole: Script = [Wait(go_on), *streamed()]

    async with upstream(choose=lambda got: pieces if "piecewise" in got.body.decode() else whole) as a:
        text = config_text({"a": a.base_url}, tasks=TASKS, more=NO_LIMITS)
        with process(tmp_path, text) as server:
            async with client(server) as session:
                streams = [asyncio.ensure_future(stream(session, prompt="piecewise")) for _ in range(50)]
                plains = [asyncio.ensure_future(plain(session)) for _ in range(50)]
                await until(lambda: len(a.received) == 100)
                path = tmp_path / "relevo.toml"
                path.write_text(text + '[tasks.NEW]\ntargets = [{ provider = "a", model = "n" }]\n')
                server.process.send_signal(signal.SIGHUP)
                await until(lambda: "was reloaded" in server.stderr())
                path.write_text("[server\n")
                server.process.send_signal(signal.SIGHUP)
                await until(lambda: "the old configuration stays" in server.stderr())
                assert not any(call.done() for call in (*streams, *plains))
                go_on.set()
                ends, answers = await asyncio.gather(*streams), await asyncio.gather(*plains)
                new = await plain(session, taskType="NEW")

    assert {(frames.done, frames.content) for frames in ends} == {(True, "hola")}
    assert {(status, body["content"]) for status, body in answers} == {(200, "hola")}
    assert new[0] == 200


async def test_a_second_signal_cuts_the_drain_short(tmp_path: Path) -> None:
    """Streams that would have an hour end at once, each with its error frame."""
    async with upstream([*sse(delta("ho")), HANG]) as a:
        more = NO_LIMITS + "[server]\ndrain_s = 3600\n"
        with process(tmp_path, config_text({"a": a.base_url}, tasks=TASKS, more=more)) as server:
            async with client(server) as session:
                firsts = [asyncio.Event() for _ in range(20)]
                streams = [asyncio.ensure_future(stream(session, first)) for first in firsts]
                await asyncio.gather(*[first.wait() for first in firsts])
                since_s = time.monotonic()
                server.process.send_signal(signal.SIGTERM)
                await until(lambda: "still running" in server.stderr())
                server.process.send_signal(signal.SIGTERM)
                ends = await asyncio.gather(*streams)
            assert await asyncio.to_thread(server.process.wait, 10) == 0
            assert time.monotonic() - since_s < 8

    for frames in ends:
        check_end("long", frames)


async def test_a_signal_while_the_store_does_not_answer_ends_the_start(tmp_path: Path) -> None:
    """Ctrl-C while a database that accepts and says nothing is waited for: a clean and prompt end."""
    reached = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read(-1)
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    text = config_text(
        {"a": "http://127.0.0.1:9/v1"}, more=f'[store]\nurl = "postgresql://relevo@127.0.0.1:{port}/relevo"\n'
    )
    (tmp_path / "relevo.toml").write_text(text)
    with (tmp_path / "out.txt").open("wb") as out:
        starting = subprocess.Popen(
            [str(RELEVO), "serve", "--port", "0"], cwd=tmp_path, env=environment(SECRET), stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
        )  # fmt: skip
    try:
        await asyncio.wait_for(reached.wait(), 20)
        starting.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(starting.wait, 10) == 0
    finally:
        starting.kill()
        starting.wait()
        silent.close()

    assert "Traceback" not in (tmp_path / "out.txt").read_text()
