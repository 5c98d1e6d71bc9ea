"""A provider that does what a test says: a real server on a real socket, byte by byte."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

HANG = object()
"""In a script: send nothing more and keep the connection open until the other side leaves."""


@dataclass
class Received:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Piece = bytes | float | asyncio.Event | object
Script = list[Piece]
"""Bytes to send, seconds or an event to wait for, or HANG. The connection is closed after the last piece."""


@dataclass
class Upstream:
    """Answers each request with the next script, and the last one for ever after."""

    scripts: list[Script] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    port: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client closed a connection whose script was not at its end."""
    choose: Callable[[Received], Script] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read_request(reader)
            if request is None:
                return
            self.received.append(request)
            script = self.choose(request) if self.choose else self.scripts[0]
            if len(self.scripts) > 1:
                self.scripts.pop(0)
            for piece in script:
                if piece is HANG:
                    await reader.read()
                    self.left.set()
                elif isinstance(piece, float):
                    await asyncio.sleep(piece)
                elif isinstance(piece, asyncio.Event):
                    await piece.wait()
                else:
                    assert isinstance(piece, bytes)
                    writer.write(piece)
                    await writer.drain()
        except ConnectionError:
            self.left.set()
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    line, *rest = head.decode("latin-1").split("\r\n")
    headers = {}
    for row in rest:
        name, colon, value = row.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(line, headers, body)


@asynccontextmanager
async def upstream(*scripts: Script, choose: Callable[[Received], Script] | None = None) -> AsyncIterator[Upstream]:
    """A running provider."""
    provider = Upstream(list(scripts), choose=choose)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()


def reply(
    body: bytes | str | dict[str, Any] | list[Any], status: int = 200, content_type: str | None = "application/json"
) -> Script:
    """A whole answer with a content-length."""
    data = (
        body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    )
    kind = f"content-type: {content_type}\r\n" if content_type else ""
    head = f"HTTP/1.1 {status} X\r\n{kind}content-length: {len(data)}\r\nconnection: close\r\n\r\n"
    return [head.encode() + data]


def completion(text: str = "hola", **changes: Any) -> dict[str, Any]:
    """A plain chat completion."""
    body: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "model": "served-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }
    body.update(changes)
    return {name: value for name, value in body.items() if value is not ...}


def sse(*events: dict[str, Any] | str) -> Script:
    """A stream, one event a write, closed at its end without a length."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    frames = [f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n".encode() for e in events]
    return [head, *frames]


def delta(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of a stream."""
    piece: dict[str, Any] = {} if text is None else {"content": text}
    return {"model": "served-model", "choices": [{"index": 0, "delta": piece, "finish_reason": finish}], **more}


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def streamed(text: str = "hola") -> Script:
    """A whole streamed answer."""
    return sse(delta(text[:2]), delta(text[2:]), delta(None, "stop", usage=USAGE), "[DONE]")
