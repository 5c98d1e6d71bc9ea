"""The newcomer's ten seconds: serve without key and file, call, break, see the fallback, heal."""

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.process import Served, relevo, served

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


def test_the_printed_curl_is_answered_and_the_fallback_can_be_seen(server: Served) -> None:
    """The banner's call works as printed; a broken provider is passed over, and the record shows the tries."""
    assert "DEMO MODE" in server.banner
    first = json.loads(server.call())
    assert (first["provider"], first["demo"]) == ("gemini", True)
    assert first["content"]
    assert first["usage"]["total_tokens"] > 0

    assert server.relevo("demo", "break", "gemini", "--status", "429").returncode == 0
    assert server.relevo("demo", "break", "qwen", "--mode", "html").returncode == 0
    third = json.loads(server.call())
    assert third["provider"] == "deepseek"
    assert [(a["code"], a["http_status"]) for a in third["attempts"]] == [
        ("rate_limited", 429), ("wrong_content_type", 200), (None, 200),
    ]  # fmt: skip

    server.relevo("demo", "break", "deepseek", "--mode", "cut")
    failed = json.loads(server.call())  # gemini has asked to be left alone for 30 s
    assert failed["error"] == "Todos los proveedores fallaron"
    assert failed["demo"] is True
    assert [a["code"] for a in failed["attempts"]] == ["cooling", "wrong_content_type", "connection_lost"]

    status = json.loads(server.relevo("demo", "status", "--json").stdout)
    assert set(status) == {"gemini", "qwen", "deepseek"}
    server.relevo("demo", "heal", "all")
    assert json.loads(server.call())["provider"] == "gemini"

    table = server.relevo("log").stdout
    tries = [line.split() for line in table.splitlines() if " try " in line]
    assert [row[2] for row in tries[1:4]] == [
        "gemini/gemini-2.0-flash-exp", "qwen/qwen-turbo", "deepseek/deepseek-chat",
    ]  # fmt: skip
    assert "500 all_providers_failed" in table
    assert "…" not in table  # off a terminal nothing is shortened
    failed_only = server.relevo("log", "--failed", "--json", "--user", "ana").stdout.splitlines()
    assert [json.loads(line)["code"] for line in failed_only] == [None, "all_providers_failed"]
    assert server.relevo("log", "--user", "nobody").stdout == ""


@pytest.mark.parametrize(
    ("mode", "code"),
    [("half-json", "not_json"), ("no-usage", "usage_missing"), ("empty", "empty_reply"), ("html", "wrong_content_type"),
     ("cut", "connection_lost")],
)  # fmt: skip
def test_every_way_to_break_a_provider_is_passed_over(mode: str, code: str, server: Served) -> None:
    """Each mode of `relevo demo break` is the fault it says."""
    server.relevo("demo", "break", "gemini", "--mode", mode)
    answer = json.loads(server.call())

    assert answer["provider"] == "qwen"
    assert answer["attempts"][0]["code"] == code


def test_a_slow_stream_can_be_seen_and_broken_off(server: Served) -> None:
    """It comes word by word, and whoever breaks its provider in the middle sees that it is no whole answer."""
    control = json.loads((server.folder / "relevo-demo.json").read_bytes())

    def break_gemini(**how: object) -> None:
        address = control["url"] + "/_demo/gemini"
        headers = {"authorization": f"Bearer {control['token']}"}
        request = urllib.request.Request(address, json.dumps(how).encode(), headers, method="PUT")
        with urllib.request.urlopen(request, timeout=10):
            pass

    break_gemini(mode="slow")
    body = json.dumps({"prompt": "Hola", "stream": True}).encode()
    headers = {"authorization": f"Bearer {server.token}", "content-type": "application/json"}
    request = urllib.request.Request(server.url + "/api/ai/chat", body, headers)
    frames = []
    with urllib.request.urlopen(request, timeout=20) as answer:
        for line in answer:
            if line.startswith(b"data: "):
                frames.append(json.loads(line.removeprefix(b"data: ")))
                if frames[-1]["type"] == "delta":
                    break_gemini(status=503)
    kinds = [frame["type"] for frame in frames]
    assert kinds[:2] == ["attempt", "delta"]
    assert frames[-1]["code"] == "stream_cut"


@pytest.mark.skipif(
    not shutil.which("node"), reason="SKIPPED: the example in JavaScript is not run: install Node.js"
)
def test_the_reader_of_the_guide_begins_anew_where_it_must(server: Served) -> None:
    """The guide's few lines read a stream to its mark, and throw half an answer away."""
    page = (Path(__file__).parents[2] / "docs" / "guide" / "fallback.md").read_text()
    example = page.partition("```js\n")[2].partition("```")[0]
    script = f"""
        const session = {{ access_token: "{server.token}" }}, send = fetch;
        globalThis.fetch = (path, options) => send("{server.url}" + path, options);
        {example}
        console.log(JSON.stringify({{ content, whole, provider: bill.provider }}));"""
    server.relevo("demo", "break", "deepseek", "--mode", "cut")
    command = ["node", "--input-type=module", "--eval", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    read = json.loads(done.stdout)
    assert (read["whole"], read["provider"]) == (True, "qwen")
    assert read["content"].startswith("Respuesta simulada de qwen")


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 422, 429, 500, 502, 503, 504, 529])
def test_every_status_of_every_provider_is_passed_over(status: int, server: Served) -> None:
    """The true error bodies of the first two providers, at each status, lead to the third."""
    for provider in ("gemini", "qwen"):
        server.relevo("demo", "break", provider, "--status", str(status))

    answer = json.loads(server.call())
    assert answer["provider"] == "deepseek"
    assert {a["http_status"] for a in answer["attempts"][:2]} == {status}


def test_the_start_is_quick_and_the_process_small(server: Served) -> None:
    """Ready with an answer in about a second, and under 70 MB: bounds with room for a busy machine.

    The figures themselves are `make bench`'s; here only a gross loss is caught.
    """
    before = time.monotonic()
    server.call()
    first_answer_s = server.started_in_s + time.monotonic() - before
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    rss_mb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    assert first_answer_s < 10
    assert rss_mb < 70


def test_a_browser_app_in_development_may_call_the_demo(server: Served) -> None:
    """The usual development servers are allowed origins; others are not."""
    for origin, allowed in (("http://localhost:5173", True), ("http://evil.example", False)):
        request = urllib.request.Request(server.url + "/healthz", headers={"origin": origin})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert (answer.headers["access-control-allow-origin"] == origin) is allowed


def test_two_demos_of_one_folder_do_not_lose_each_other(server: Served) -> None:
    """The later one is spoken to while it runs; when it ends, the earlier one is again."""
    path = server.folder / "relevo-demo.json"
    first = path.read_bytes()
    with served(server.folder):
        assert path.read_bytes() != first
    assert path.read_bytes() == first
    assert server.relevo("demo", "status").returncode == 0


def test_the_control_of_the_demo_needs_its_token(server: Served) -> None:
    """A page in a browser cannot break the demo's providers: the control wants a token from a private file."""
    path = server.folder / "relevo-demo.json"
    assert path.stat().st_mode & 0o777 == 0o600
    address = json.loads(path.read_bytes())
    request = urllib.request.Request(address["url"] + "/_demo/gemini", b"{}", method="PUT")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)

    assert caught.value.code == 401
    caught.value.close()


def test_after_the_end_nothing_is_left_but_the_record_and_the_secret(tmp_path: Path) -> None:
    """SIGTERM ends the server by itself; what stays is what the next start needs."""
    with served(tmp_path) as server:
        server.call()
    left = {path.name for path in tmp_path.iterdir()}

    assert server.process.returncode == 0
    # The lock file stays: were it deleted, two servers could each hold a lock of that name.
    assert left == {"relevo.db", "relevo-dev.secret", "stderr.txt"}
    assert relevo("demo", "status", folder=tmp_path).returncode == 2
    assert len(relevo("log", "--json", folder=tmp_path).stdout.splitlines()) == 1
    lines = [json.loads(line) for line in (tmp_path / "stderr.txt").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["request"]
