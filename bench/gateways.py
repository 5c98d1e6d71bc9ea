"""What is compared: nginx as a plain proxy and relevo without and with its record, before one mock upstream."""

import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from machine import PLAIN_ENVIRONMENT, CannotRunError
from processes import BrokenRunError

_MODEL: Final = "gpt-4o-mini"
_SYSTEM: Final = "You help the users of a small shop. Be brief and use everyday words."
_QUESTION: Final = "What does a reverse proxy do, and when would somebody running one web server want it?"
_ANSWER: Final = (
    "A reverse proxy stands before one or more servers and takes the requests of visitors in their place. "
    "Even with a single server it is useful: it ends TLS, keeps slow visitors away and serves files by itself."
)
_REPLY_BYTES: Final = 763
_PATH: Final = "/v1/chat/completions"
_MESSAGES: Final = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _QUESTION}]
_TOKEN_S: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """How to start one gateway, how to call it, and where its answer's text stands."""

    name: str
    title: str
    command: tuple[str, ...]
    directory: Path
    url: str
    body: str
    token: str | None
    text_of: Callable[[Any], Any]
    database: Path | None = None

    def check_reply(self, reply: bytes) -> None:
        """Raises BrokenRunError unless this is the mock's answer, passed on."""
        try:
            text = self.text_of(json.loads(reply))
        except (ValueError, LookupError, TypeError):
            text = None
        if text != _ANSWER:
            raise BrokenRunError(f"{self.title}: not the upstream's answer: {reply[:500]!r}")

    def rows(self) -> int:
        """Answered requests in its record, while it is stopped; 0 where it keeps none."""
        if self.database is None or not self.database.exists():
            return 0
        connection = sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)
        try:
            return int(connection.execute("SELECT count(*) FROM request WHERE http_status = 200").fetchone()[0])
        finally:
            connection.close()


_CREDITS = """[credits]
enabled = true
signup = 1_000_000
"""
"""Every answer is held for, charged and settled before it is sent; limits count. One user: one hot account."""


def mock_command(nginx: str, directory: Path, port: int) -> tuple[str, ...]:
    """The upstream: an nginx that gives every chat completion the same answer."""
    server = f"""
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        location / {{ return 404 '{{}}'; }}
        location = {_PATH} {{ return 200 '{_mock_reply()}'; }}
    }}"""
    return _nginx_command(nginx, directory, server)


def make_gateways(nginx: str, directory: Path, mock_port: int, postgres_url: str) -> list[Gateway]:
    """The gateways to compare, the yardstick first. Writes their configurations into `directory`."""
    shared = f'[store]\nurl = "{postgres_url}"\n'
    return [
        _nginx(nginx, directory / "nginx", mock_port),
        _relevo("relevo", "relevo, record off", directory / "relevo-plain", mock_port, keep_days=0),
        _relevo("relevo_record", "relevo, record on", directory / "relevo-record", mock_port, keep_days=90),
        _relevo(
            "relevo_credits",
            "relevo, credits and record",
            directory / "relevo-credits",
            mock_port,
            keep_days=90,
            more=_CREDITS,
        ),
        _relevo(
            "relevo_postgres",
            "the same, PostgreSQL",
            directory / "relevo-postgres",
            mock_port,
            keep_days=90,
            more=_CREDITS + shared,
        ),
    ]


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _nginx(nginx: str, directory: Path, mock_port: int) -> Gateway:
    directory.mkdir()
    port = free_port()
    servers = f"""
    upstream mock {{
        server 127.0.0.1:{mock_port};
        keepalive 64;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}"""
    return Gateway(
        name="nginx",
        title="nginx reverse proxy",
        command=_nginx_command(nginx, directory, servers),
        directory=directory,
        url=f"http://127.0.0.1:{port}{_PATH}",
        body=json.dumps({"model": _MODEL, "messages": _MESSAGES, "max_tokens": 128}),
        token=None,
        text_of=lambda reply: reply["choices"][0]["message"]["content"],
    )


def _nginx_command(nginx: str, directory: Path, servers: str) -> tuple[str, ...]:
    file = directory / "nginx.conf"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"    {kind}_temp_path {file}.{kind};" for kind in kinds)
    file.write_text(
        f"""
daemon off;
worker_processes 1;
pid {file}.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
{temporary}
    access_log off;
    keepalive_requests 100000000;
{servers}
}}
""",
        encoding="utf-8",
    )
    return (nginx, "-e", "stderr", "-c", str(file))


def _relevo(name: str, title: str, directory: Path, mock_port: int, *, keep_days: int, more: str = "") -> Gateway:
    directory.mkdir()
    port = free_port()
    file = directory / "relevo.toml"
    file.write_text(
        f"""
[server]
port = {port}
[admin]
port = {free_port()}
[providers.mock]
dialect = "openai_chat"
base_url = "http://127.0.0.1:{mock_port}/v1"
[tasks.BENCH]
credits = 0.01
targets = [{{ provider = "mock", model = "{_MODEL}", stream_upstream = false }}]
[limits]
user_requests_per_minute = {100_000_000 if more else 0}
user_concurrency = {1000 if more else 0}
[record]
keep_days = {keep_days}
{more}
""",
        encoding="utf-8",
    )
    program = (sys.executable, "-m", "relevo")
    return Gateway(
        name=name,
        title=title,
        command=(*program, "serve", "--config", str(file)),
        directory=directory,
        url=f"http://127.0.0.1:{port}/api/ai/chat",
        body=json.dumps({"messages": _MESSAGES, "taskType": "BENCH", "maxTokens": 128}),
        token=_token(program, file),
        text_of=lambda reply: reply["content"],
        database=directory / "relevo.db" if keep_days and "[store]" not in more else None,
    )


def _token(program: tuple[str, ...], file: Path) -> str:
    said = subprocess.run(
        [*program, "token", "--config", str(file), "--user", "bench"],
        env=PLAIN_ENVIRONMENT,
        cwd=file.parent,
        capture_output=True,
        text=True,
        timeout=_TOKEN_S,
        check=False,
    )
    if said.returncode != 0:
        raise CannotRunError(f"`relevo token` failed with {said.returncode}:\n{said.stderr}")
    return said.stdout.strip()


def _mock_reply() -> str:
    """A chat completion of `_REPLY_BYTES`, filled up in the fingerprint.

    It holds no single quote and no dollar sign, which mean something in nginx's configuration.
    """
    reply: dict[str, Any] = {
        "id": "chatcmpl-benchmark0000000000000000001",
        "object": "chat.completion",
        "created": 1760000000,
        "model": f"{_MODEL}-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _ANSWER, "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 42,
            "completion_tokens": 46,
            "total_tokens": 88,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_",
    }
    missing = _REPLY_BYTES - len(json.dumps(reply))
    reply["system_fingerprint"] += "0" * missing
    return json.dumps(reply)
