"""What providers say when all is well, in the order of chunks and with the habits of each of them.

The facts are of recorded exchanges (2024 to 2026-08); what an accent is made of stands in `ACCENTS`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from relevo.testing.script import KeepAlive, Script, Step

AccentName = Literal["openai", "gemini", "qwen", "deepseek"]
TEXT: Final = "A scripted answer of relevo.testing: no model took part."
MODEL: Final = "served-model"
USAGE: Final = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
DONE: Final = "[DONE]"

_encode: Final = msgspec.json.Encoder().encode
_CHARACTERS_PER_PIECE: Final = 12


@dataclass(frozen=True, slots=True)
class Accent:
    """How one provider's stream differs from the others'."""

    role_alone: bool
    """The first chunk has the role and no text; else the first text carries the role."""
    usage_with_finish: bool
    """Token counts come with the finish reason; else on a chunk of their own, without choices."""
    null_usage: bool = False
    """Every chunk before them says `usage: null`."""
    last_delta: tuple[tuple[str, str], ...] = ()


ACCENTS: Final[dict[AccentName, Accent]] = {
    "openai": Accent(role_alone=True, usage_with_finish=False, null_usage=True),
    "gemini": Accent(role_alone=False, usage_with_finish=True),
    "qwen": Accent(role_alone=True, usage_with_finish=False),
    "deepseek": Accent(role_alone=True, usage_with_finish=True, null_usage=True, last_delta=(("content", ""),)),
}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the model wants called; `arguments` is the text that should be JSON."""

    name: str
    arguments: str = ""


def reply(
    body: bytes | str | dict[str, Any] | list[Any],
    status: int = 200,
    content_type: str | None = "application/json",
    *,
    headers: Iterable[tuple[str, str]] = (),
    length: int | None = None,
    keep_alive: bool = False,
) -> list[Step]:
    """A whole answer with a content-length: the true one, or the `length` that is claimed."""
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else _encode(body)
    rows = [("content-type", content_type)] if content_type else []
    rows += [*headers, ("content-length", str(len(data) if length is None else length))]
    rows += [] if keep_alive else [("connection", "close")]
    head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in rows) + "\r\n"
    return [head.encode("latin-1") + data, *([KeepAlive()] if keep_alive else [])]


def sse(*events: dict[str, Any] | str | bytes, line_end: str = "\n", keep_alive: bool = False) -> list[Step]:
    """A stream, one event a write: objects and texts as `data:`, bytes as they are.

    It ends by the connection's close; with `keep_alive` it is chunked and ends by the last chunk.
    """
    more = "transfer-encoding: chunked" if keep_alive else "connection: close"
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{more}\r\n\r\n".encode()
    frames = [event if isinstance(event, bytes) else frame(event, line_end) for event in events]
    if not keep_alive:
        return [head, *frames]
    return [head, *[b"%x\r\n%b\r\n" % (len(one), one) for one in frames], b"0\r\n\r\n", KeepAlive()]


def frame(event: dict[str, Any] | str, line_end: str = "\n") -> bytes:
    """One event of a stream."""
    text = event if isinstance(event, str) else _encode(event).decode()
    return f"data: {text}{line_end}{line_end}".encode()


def completion(text: str | None = TEXT, **changes: Any) -> dict[str, Any]:
    """A plain chat completion, with members changed or (by `...`) left out."""
    body: dict[str, Any] = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": USAGE,
        **changes,
    }
    return {name: value for name, value in body.items() if value is not ...}


def delta(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of a stream: a piece of text, or none. `more` are members of the chunk."""
    return _chunk({} if text is None else {"content": text}, finish, **more)


def _chunk(piece: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": piece, "finish_reason": finish}
    named = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "model": MODEL}
    return {**named, "choices": [choice], **more}


def chunks(
    text: str = TEXT,
    accent: AccentName = "openai",
    *,
    reasoning: str = "",
    tool_calls: Sequence[ToolCall] = (),
    usage: dict[str, Any] | None = None,
    model: str = MODEL,
) -> list[dict[str, Any]]:
    """The chunks of a whole streamed answer, `[DONE]` not included. `usage={}` leaves the counts out."""
    way = ACCENTS[accent]
    counts = USAGE if usage is None else usage
    pieces: list[dict[str, Any]] = [{"content": None, "reasoning_content": piece} for piece in _cut(reasoning)]
    pieces += [{"content": piece} for piece in _cut(text)]
    pieces += [{"tool_calls": [piece]} for piece in _tool_pieces(tool_calls, accent)]
    if way.role_alone:
        pieces.insert(0, {"role": "assistant", "content": ""})
    elif pieces:
        pieces[0] = {"role": "assistant", **pieces[0]}
    said = [_chunk(piece) for piece in pieces]
    said.append(_chunk(dict(way.last_delta), "tool_calls" if tool_calls else "stop"))
    if way.null_usage:
        said = [{**chunk, "usage": None} for chunk in said]
    if counts and way.usage_with_finish:
        said[-1]["usage"] = counts
    elif counts:
        said.append(delta(choices=[], usage=counts))
    return [{**chunk, "model": model} for chunk in said]


def streamed(text: str = TEXT, accent: AccentName = "openai", **options: Any) -> list[Step]:
    """A whole streamed answer; `options` as for `chunks`."""
    return sse(*chunks(text, accent, **options), DONE)


def _cut(text: str) -> list[str]:
    return [text[at : at + _CHARACTERS_PER_PIECE] for at in range(0, len(text), _CHARACTERS_PER_PIECE)]


def _tool_pieces(calls: Sequence[ToolCall], accent: AccentName) -> list[dict[str, Any]]:
    """Gemini sends a call whole and without an id; Qwen repeats an empty name and, once, the id."""
    pieces: list[dict[str, Any]] = []
    for index, call in enumerate(calls):
        name = f"call_{index}"
        if accent == "gemini":
            pieces.append(_tool_piece(index, call.arguments, id="", name=call.name))
            continue
        pieces.append(_tool_piece(index, "", id=name, name=call.name))
        for number, part in enumerate(_cut(call.arguments)):
            again = {"id": "" if number else name, "name": "" if number == 0 else None} if accent == "qwen" else {}
            pieces.append(_tool_piece(index, part, **again))
    return pieces


def _tool_piece(index: int, arguments: str, **more: str | None) -> dict[str, Any]:
    function = (
        {"arguments": arguments} if more.get("name") is None else {"name": more["name"], "arguments": arguments}
    )
    identity = {"id": more["id"], "type": "function"} if "id" in more else {}
    return {"index": index, **identity, "function": function}


def body_of(script: Script) -> bytes:
    """All the bytes that a script sends, without the head of its answer."""
    return b"".join(step for step in script if isinstance(step, bytes)).partition(b"\r\n\r\n")[2]


def model_list(*names: str) -> list[Step]:
    """The answer to `GET …/models`."""
    rows = [
        {"id": name, "object": "model", "created": 0, "owned_by": "relevo.testing"} for name in names or (MODEL,)
    ]
    return reply({"object": "list", "data": rows})
