"""A request never reaches a provider that cannot take it: over real sockets, plain and as a quote."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.gateway import QUICK, config_text, running
from support.upstream import streamed, upstream

PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}
CASES: list[tuple[str, dict[str, Any], str, str, str | None]] = [
    ('cannot = ["images"]', {"messages": PICTURE}, "images_unsupported", "invalid_request", "messages"),
    ('cannot = ["tools"]', {"prompt": "Hola", "tools": TOOLS}, "tools_unsupported", "invalid_request", "tools"),
    ('cannot = ["json_object"]', {"prompt": "Hola", "response_format": {"type": "json_object"}}, "json_unsupported",
     "invalid_request", "response_format"),
    ('cannot = ["json_schema"]', {"prompt": "Hola", "response_format": SCHEMA}, "json_unsupported",
     "invalid_request", "response_format"),
    ("context_tokens = 100", {"prompt": "Hola " * 200}, "context_length", "context_length_exceeded", "messages"),
]  # fmt: skip


def task(first: str, second: str = "") -> str:
    rows = [
        f'{{ provider = "{name}", model = "m", {keys} }}' if keys else f'{{ provider = "{name}", model = "m" }}'
        for name, keys in (("a", first), ("b", second))
    ]
    return f"[tasks.T]\ntargets = [{', '.join(rows)}]\n"


@pytest.mark.parametrize(("keys", "body", "reason", "code", "field"), CASES)
async def test_a_target_that_cannot_is_never_called(
    keys: str, body: dict[str, Any], reason: str, code: str, field: str | None, tmp_path: Path
) -> None:
    """The next target answers, and the attempts say why the first was passed over."""
    async with upstream(streamed("a")) as a, upstream(streamed("b")) as b:
        config = config_text({"a": a.base_url, "b": b.base_url}, tasks=task(keys))
        async with running(config, tmp_path) as gateway:
            answer = await gateway.chat(body)
            plain = await gateway.chat(prompt="Hola")

        assert (answer.status, answer.json["content"]) == (200, "b")
        assert [(t["outcome"], t["code"]) for t in answer.json["attempts"]] == [("skipped", reason), ("ok", None)]
        assert plain.json["content"] == "a"
        assert len(a.received) == 1


@pytest.mark.parametrize(("keys", "body", "reason", "code", "field"), CASES)
async def test_when_no_target_can_the_caller_is_told_which_field_it_is(
    keys: str, body: dict[str, Any], reason: str, code: str, field: str | None, tmp_path: Path
) -> None:
    """A 400 before anybody is called and before anything is set aside, for a quote as well; it is on record."""
    credits = (
        '[credits]\nsignup = 100\n[prices."a/m"]\ninput = 1\noutput = 1\n[prices."b/m"]\ninput = 1\noutput = 1\n'
    )
    async with upstream(streamed("a")) as a, upstream(streamed("b")) as b:
        config = config_text({"a": a.base_url, "b": b.base_url}, tasks=task(keys, keys), more=QUICK + credits)
        async with running(config, tmp_path) as gateway:
            answer = await gateway.chat(body, headers={"accept-language": "en"})
            quote = await gateway.request(
                "POST",
                "/api/ai/quote",
                json.dumps(body).encode(),
                {"authorization": f"Bearer {gateway.token}", "content-type": "application/json"},
            )
            await gateway.at_rest()
            (record,) = await gateway.records()

        for refused in (answer, quote):
            assert (refused.status, refused.json["code"], refused.json.get("field")) == (400, code, field)
        assert (record.task, record.code) == ("T", code)
        assert not a.received
        assert not b.received
