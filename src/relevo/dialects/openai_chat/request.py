"""From the canonical call to the body of `POST …/chat/completions`."""

from typing import Any

import msgspec

from relevo.core.secret import Secret
from relevo.core.types import Call, ImagePart, Message, Params, Part, Target
from relevo.dialects.base import Profile, WireRequest

_encode = msgspec.json.Encoder().encode


def encode_request(
    call: Call, target: Target, *, base_url: str, api_key: Secret | None, profile: Profile, stream: bool
) -> WireRequest:
    """The request for one target. Only what the call holds is sent: no field is passed through unread."""
    body: dict[str, Any] = {
        "model": target.upstream_model,
        "messages": [_message(message, profile) for message in call.messages],
    }
    _add_params(body, call.params, target, profile)
    if stream:
        body["stream"] = True
        if profile.stream_options:
            body["stream_options"] = {"include_usage": True}
    headers = [
        ("content-type", "application/json"),
        ("accept", "text/event-stream, application/json" if stream else "application/json"),
        ("accept-encoding", "identity"),  # a compressed stream is buffered on its way, and may be a bomb
    ]
    if api_key:
        headers.append(("authorization", f"Bearer {api_key.reveal()}"))
    url = f"{base_url.rstrip('/')}/chat/completions"
    return WireRequest(url=url, headers=tuple(headers), body=_encode(body))


def _add_params(body: dict[str, Any], params: Params, target: Target, profile: Profile) -> None:
    limit = target.max_tokens_sent(params)
    if limit is not None:
        body[profile.max_tokens_field] = limit
    if params.temperature is not None:
        body["temperature"] = params.temperature
    if params.top_p is not None:
        body["top_p"] = params.top_p
    if params.stop:
        body["stop"] = list(params.stop)
    if params.seed is not None and profile.seed_field:
        body[profile.seed_field] = params.seed
    if params.response_format is not None:
        body["response_format"] = params.response_format
    if params.tools:
        body["tools"] = list(params.tools)
        if params.tool_choice is not None:
            body["tool_choice"] = params.tool_choice


def _message(message: Message, profile: Profile) -> dict[str, Any]:
    role = message.role
    if role == "developer" and not profile.developer_role:
        role = "system"
    wire: dict[str, Any] = {"role": role, "content": _content(message.content)}
    if message.name is not None:
        wire["name"] = message.name
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in message.tool_calls
        ]
    return wire


def _content(content: str | tuple[Part, ...] | None) -> str | list[dict[str, Any]] | None:
    if content is None or isinstance(content, str):
        return content
    texts = [part.text for part in content if not isinstance(part, ImagePart)]
    if len(texts) == len(content):
        # Some text models refuse a list ("input content must be a string", DashScope, 2026-11).
        return "\n".join(texts)
    return [_part(part) for part in content]


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, ImagePart):
        image = {"url": part.url}
        if part.detail is not None:
            image["detail"] = part.detail
        return {"type": "image_url", "image_url": image}
    return {"type": "text", "text": part.text}
