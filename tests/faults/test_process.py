"""The life of a process: how it starts, reloads, runs out of descriptors, gets stuck, drains and ends."""

import asyncio
import json
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from relevo.testing import Wait
from support import wedged
from support.callers import NO_LIMITS, TASKS, client, plain, process, status_of, stream, until
from support.gateway import config_text
from support.process import RELEVO, served
from support.upstream import USAGE, delta, sse, streamed, upstream

pytestmark = pytest.mark.slow

WEDGED = (sys.executable, wedged.__file__)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2], ids=["waits for ever", "burns CPU for ever"])
def test_a_stuck_loop_ends_the_process_and_says_where(number: int, tmp_path: Path) -> None:
    """A supervisor sees exit code 70, the operator the place in the code."""
    with served(tmp_path, command=WEDGED) as server:
        server.process.send_signal(number)
        assert server.process.wait(30) == 70
        (line,) = [json.loads(line) for line in server.stderr().splitlines() if "no progress" in line]

    assert line["level"] == "critical"
    assert ("in wedge" if number == signal.SIGUSR1 else "in burn") in line["message"]


def test_a_process_that_was_stopped_is_not_stuck(tmp_path: Path) -> None:
    """SIGSTOP, a suspended laptop: the whole process stood still, and goes on when it is let."""
    with served(tmp_path, command=WEDGED) as server:
        for _ in range(2):
            server.process.send_signal(signal.SIGSTOP)
            time.sleep(2.5 * wedged.STUCK_S)  # the time itself is what is tested
            server.process.send_signal(signal.SIGCONT)
            assert status_of(server.url + "/healthz")[0] == 200
        time.sleep(1.5 * wedged.STUCK_S)

        assert server.process.poll() is None
        assert status_of(server.url + "/healthz") == (
            200,
            {"status": "degraded", "loop_lag_s": pytest.approx(2.4, abs=1)},
        )


async def test_without_descriptors_running_answers_go_on(tmp_path: Path) -> None:
    """With 64 of them: what finds no room waits, nothing burns, a call is answered; then all is as before."""
    go_on = asyncio.Event()
    script = [*sse(delta("ho")), Wait(go_on), *sse(delta("la"), delta(None, "stop", usage=USAGE), "[DONE]")[1:]]
    limited = ("sh", "-c", 'ulimit -n 64; exec "$@"', "sh", str(RELEVO))
    async with upstream(choose=lambda got: script if "piecewise" in got.body.decode() else streamed()) as a:
        text = config_text({"a": a.base_url}, tasks=TASKS, more=NO_LIMITS)
        with process(tmp_path, text, command=limited) as server:
            async with client(server) as session:
                first = asyncio.Event()
                running = asyncio.ensure_future(stream(session, first, prompt="piecewise"))
                await first.wait()
                host, port = server.url.removeprefix("http://").split(":")
                strangers = [socket.create_connection((host, int(port))) for _ in range(120)]
                await until(lambda: len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())) > 35)
                before_s, since_s = cpu_s(server.process.pid), time.monotonic()
                await asyncio.sleep(1)  # the time itself is what is measured
                busy = (cpu_s(server.process.pid) - before_s) / (time.monotonic() - since_s)
                go_on.set()
                whole = await running
                for stranger in strangers:
                    stranger.close()
                after = await plain(session)

    assert (whole.content, whole.done) == ("hola", True)
    assert after[0] == 200
    assert busy < 0.3
    assert "Traceback" not in server.stderr()
