"""The load: wrk with `load.lua`, and single calls that tell when a gateway answers."""

import http.client
import json
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gateways import Gateway
from machine import PLAIN_ENVIRONMENT
from processes import BrokenRunError, Program

CONNECTIONS: Final = 32
_SCRIPT: Final = Path(__file__).with_name("load.lua")
_START_S: Final = 20.0
_ASK_EVERY_S: Final = 0.002
_CALL_S: Final = 5.0
_GRACE_S: Final = 30


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw."""

    requests: int
    per_s: float
    p50_ms: float
    p99_ms: float


def await_listening(port: int, program: Program) -> None:
    """Wait until a program accepts connections."""
    ends_at_s = time.monotonic() + _START_S
    while time.monotonic() < ends_at_s:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=_CALL_S).close()
        except OSError:
            program.check_alive()
            time.sleep(_ASK_EVERY_S)
        else:
            return
    raise BrokenRunError(f"nobody listens on port {port} within {_START_S:.0f} s")


def await_answer(gateway: Gateway, program: Program) -> None:
    """Ask until the first right answer; wrong ones and a dead program raise BrokenRunError."""
    ends_at_s = time.monotonic() + _START_S
    while time.monotonic() < ends_at_s:
        try:
            status, reply = _call(gateway)
        except OSError:  # not listening yet
            program.check_alive()
            time.sleep(_ASK_EVERY_S)
            continue
        if status != 200:
            raise BrokenRunError(f"{gateway.title}: status {status}: {reply[:500]!r}")
        gateway.check_reply(reply)
        return
    raise BrokenRunError(f"{gateway.title}: no answer within {_START_S:.0f} s")


def _call(gateway: Gateway) -> tuple[int, bytes]:
    address = urlsplit(gateway.url)
    headers = {"content-type": "application/json"}
    if gateway.token:
        headers["authorization"] = f"Bearer {gateway.token}"
    connection = http.client.HTTPConnection(address.netloc, timeout=_CALL_S)
    try:
        connection.request("POST", address.path, gateway.body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def run_load(wrk: str, gateway: Gateway, seconds: int, *, strict: bool) -> Load:
    """Load a gateway. Any answer that is not a 200 raises BrokenRunError.

    Args:
        wrk: Path of wrk.
        gateway: Whom to call.
        seconds: For how long.
        strict: Look at every status, which slows the load down; else those above 399 count as wrong.
    """
    environment = PLAIN_ENVIRONMENT | {"BENCH_BODY": gateway.body}
    if gateway.token:
        environment["BENCH_TOKEN"] = gateway.token
    if strict:
        environment["BENCH_STRICT"] = "1"
    options = ["--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"]
    done = subprocess.run(
        [wrk, *options, "--timeout", "5s", "--script", str(_SCRIPT), gateway.url],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds + _GRACE_S,
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines or not lines[-1].startswith("{"):
        raise BrokenRunError(f"wrk failed with {done.returncode}:\n{done.stdout}{done.stderr}")
    said = json.loads(lines[-1])
    if said["bad"] or said["broken"] or not said["requests"]:
        raise BrokenRunError(
            f"{gateway.title}: of {said['requests']} answers {said['bad']} were not 200,"
            f" and {said['broken']} connections broke"
        )
    return Load(said["requests"], said["requests"] / said["seconds"], said["p50_ms"], said["p99_ms"])
