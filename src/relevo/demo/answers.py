"""What the simulated providers answer: whole bodies and streams, each in its provider's own order of chunks."""

from typing import Any, Final

import msgspec

_encode = msgspec.json.Encoder().encode
_CREATED: Final = 1_760_000_000
_PROMPT_SHOWN: Final = 80
_CHARACTERS_PER_TOKEN: Final = 4


def answer_text(provider: str, model: str, messages: list[Any], *, spanish: bool) -> str:
    """A text that shows who answered what."""
    prompt = next((m.get("content") for m in reversed(messages) if m.get("role") == "user"), "")
    shown = prompt if isinstance(prompt, str) else "…"
    shown = shown if len(shown) <= _PROMPT_SHOWN else shown[:_PROMPT_SHOWN] + "…"
    if spanish:
        return f"Respuesta simulada de {provider} ({model}) a «{shown}». Ningún modelo real ha intervenido."
    return f'A simulated answer of {provider} ({model}) to "{shown}". No real model took part.'


def usage(messages: list[Any], text: str) -> dict[str, int]:
    """Token counts of about the right size."""
    prompt = 1 + sum(len(str(m.get("content") or "")) for m in messages) // _CHARACTERS_PER_TOKEN
    completion = 1 + len(text) // _CHARACTERS_PER_TOKEN
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def plain_body(model: str, text: str, counts: dict[str, int] | None) -> bytes:
    """A whole chat completion."""
    message = {"role": "assistant", "content": text}
    body = {
        **_frame(model, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    return _encode({**body, "usage": counts} if counts else body)


def stream_chunks(provider: str, model: str, text: str, counts: dict[str, int] | None) -> list[bytes]:
    """The frames of a stream, `[DONE]` included."""
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1].rstrip()
    deltas: list[dict[str, Any]] = [{"content": word} for word in words]
    chunks = [_chunk(model, delta) for delta in deltas]
    if provider == "gemini":
        chunks[0]["choices"][0]["delta"]["role"] = "assistant"
    else:
        chunks.insert(0, _chunk(model, {"role": "assistant", "content": ""}))
    last = _chunk(model, {"content": ""} if provider == "deepseek" else {}, finish="stop")
    chunks.append(last)
    if counts and provider == "qwen":  # usage on a chunk of its own, without choices
        chunks.append({**_frame(model, "chat.completion.chunk"), "choices": [], "usage": counts})
    elif counts:  # DeepSeek and Gemini: together with the last choice
        last["usage"] = counts
    return [b"data: " + _encode(chunk) + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]


def _chunk(model: str, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**_frame(model, "chat.completion.chunk"), "choices": [choice]}


def _frame(model: str, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-demo", "object": kind, "created": _CREATED, "model": model}
