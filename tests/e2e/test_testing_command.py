"""`python -m relevo.testing` as people run it: a process of its own, steered over HTTP."""

import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from relevo.testing import FAULTS
from support.process import environment, served

pytestmark = pytest.mark.slow

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "testing.md"
VITEST = """
import assert from "node:assert/strict";
export { beforeEach, test } from "node:test";
export const expect = (value) => ({ toBe: (wanted) => assert.strictEqual(value, wanted) });
"""
ASK_JS = """
export async function ask(prompt, taskType) {
  const headers = { "content-type": "application/json", authorization: "Bearer TOKEN" };
  const body = JSON.stringify({ prompt, taskType });
  const answer = await fetch("URL/api/ai/chat", { method: "POST", headers, body });
  return { status: answer.ok ? "answered" : "failed" };
}
"""
MY_APP = """
import asyncio, http.client, urllib.error, urllib.request

def ask(base_url, prompt, timeout_s=10):
    for _ in range(2):
        try:
            with urllib.request.urlopen(base_url + "/chat/completions", b"{}", timeout=timeout_s) as answer:
                answer.read()
                return "answered"
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
    return "failed"

async def ask_async(*args, **options):
    return await asyncio.to_thread(ask, *args, **options)
"""
COMMAND = [sys.executable, "-m", "relevo.testing"]


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *args], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def started(*args: str) -> Iterator[str]:
    """Its base_url; at the end SIGTERM, and the process must end well by itself."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *args], env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        match = re.fullmatch(r'in relevo\.toml:  base_url = "(\S+)"\n', line)
        assert match, line
        yield match[1]
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0


def call(method: str, url: str, body: Any = None, key: str = "") -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_it_plays_in_order_and_is_steered_while_it_runs() -> None:
    """Two 429, then fine; then what the test orders; what came is told without its key."""
    with started("rate-limited:2", "ok", "--accent", "gemini", "--models", "fail", "--chunk-size", "1") as base:
        chat, root = f"{base}/chat/completions", base.removesuffix("/v1")
        statuses = [call("POST", chat, {"model": "m"}, key="invented-key")[0] for _ in range(4)]
        assert statuses == [429, 429, 200, 200]
        assert call("GET", f"{base}/models")[0] == 500

        assert call("PUT", f"{root}/_script", {"faults": ["bad-key", "ok"], "models": "ok"}) == (
            200, {"faults": ["bad-key", "ok"], "models": "ok"},
        )  # fmt: skip
        status, body = call("POST", chat, {"model": "m"})
        assert (status, body[0]["error"]["status"]) == (400, "INVALID_ARGUMENT")
        assert call("POST", chat, {"model": "m"})[1]["model"] == "m"
        assert call("GET", f"{base}/models")[0] == 200

        _, came = call("GET", f"{root}/_requests")
        assert len(came) == 6
        assert (came[0]["method"], came[0]["path"], came[0]["body"]) == (
            "POST",
            "/v1/chat/completions",
            {"model": "m"},
        )
        assert came[0]["headers"]["authorization"] == "(blanked)"
        assert call("DELETE", f"{root}/_requests") == (200, [])
        assert call("GET", f"{root}/_requests") == (200, [])


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ({"faults": ["silnt"]}, "did you mean silent?"),
        ({"fault": []}, 'write {"faults": ["rate-limited:2", "ok"]}'),
    ],
)
def test_a_wrong_order_is_told_with_the_fix(body: Any, hint: str) -> None:
    """A typing error is a 400 and changes nothing."""
    with started("ok") as base:
        status, answer = call("PUT", f"{base.removesuffix('/v1')}/_script", body)
        assert status == 400
        assert hint in answer["error"]
        assert call("POST", f"{base}/chat/completions", {})[0] == 200


def test_faults_of_a_whole_server(tmp_path: Path) -> None:
    """TLS that can be trusted with the file it writes, and an address at which nobody listens."""
    import ssl

    file = tmp_path / "ca.pem"
    with started("tls", "--ca-file", str(file)) as base:
        context = ssl.create_default_context(cafile=file)
        with urllib.request.urlopen(f"{base}/models", context=context, timeout=20) as answer:
            assert answer.status == 200
    with started("refused") as base, pytest.raises(urllib.error.URLError, match="refused"):
        call("GET", f"{base}/models")


def test_help_and_list_name_everything() -> None:
    """A newcomer needs no page: the command shows examples and every fault."""
    assert "rate-limited:2 ok" in run("--help").stdout
    listed = run("--list").stdout
    for name, row in FAULTS.items():
        assert re.search(rf"^{name} +{re.escape(row.does)}$", listed, re.MULTILINE), name


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["silnt"], "did you mean silent?"),
        (["ok", "refused"], "a server of its own"),
        (["--port", "70000"], "no number from 0 to 65535"),
        (["--chunk-size", "-1"], "--chunk-size"),
        (["--ca-file", "/nowhere/ca.pem", "tls"], "/nowhere/ca.pem"),
    ],
)
def test_what_cannot_run_says_why(args: list[str], hint: str) -> None:
    """Exit code 2 and one line with the fix."""
    done = run("--port", "0", *args)

    assert (done.returncode, done.stdout) == (2, "")
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told() -> None:
    """Two on one port: the second says so."""
    with started("ok") as base:
        port = base.removesuffix("/v1").rpartition(":")[2]
        done = run("--port", port)
    assert (done.returncode, f"port {port} cannot be had" in done.stderr) == (2, True)


def example(language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(block)


def test_the_python_example_of_the_guide_runs(tmp_path: Path) -> None:
    """What the guide shows passes as it stands, any number of times, against a small app."""
    (tmp_path / "myapp.py").write_text(MY_APP)
    (tmp_path / "test_guide.py").write_text(example("python"))
    command = [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "--rootdir", str(tmp_path), "."]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert "3 passed" in done.stdout, done.stdout


@pytest.mark.skipif(
    not shutil.which("node"), reason="SKIPPED: the example in JavaScript is not run: install Node.js"
)
def test_the_javascript_example_of_the_guide_runs(tmp_path: Path) -> None:
    """The same for the example in Vitest, behind a relevo with the guide's file: what one run did harms no other.

    Vitest's few words stand in front of Node's own runner here.
    """
    stub = tmp_path / "node_modules" / "vitest"
    stub.mkdir(parents=True)
    (stub / "package.json").write_text('{"type": "module", "main": "index.js"}')
    (stub / "index.js").write_text(VITEST)
    with started("ok") as first, started("ok") as second:
        config = example("toml").replace("http://127.0.0.1:9000/v1", first)
        (tmp_path / "relevo.toml").write_text(config.replace("http://127.0.0.1:9001/v1", second))
        root = first.removesuffix("/v1")
        (tmp_path / "guide.test.mjs").write_text(example("js").replace("http://127.0.0.1:9000", root))
        (tmp_path / "package.json").write_text('{"type": "module"}')
        command = ["node", "--test", "guide.test.mjs"]
        with served(tmp_path) as relevo:
            (tmp_path / "ask.js").write_text(ASK_JS.replace("URL", relevo.url).replace("TOKEN", relevo.token))
            for _ in range(4):
                done = subprocess.run(
                    command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
                )
                assert "pass 2" in done.stdout, done.stdout
