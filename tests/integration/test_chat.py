"""`POST /api/ai/chat` end to end: bytes in, bytes out, real sockets on both sides."""

from pathlib import Path
from typing import Any

import pytest

from support.canary import CANARY
from support.gateway import QUICK, config_text, running
from support.upstream import USAGE, completion, delta, reply, sse, streamed, upstream

ORIGINAL: dict[str, Any] = {
    "provider": "deepseek",
    "model": "deepseek-chat",
    "messages": [{"role": "user", "content": "Hola"}],
    "maxTokens": 4096,
}


async def test_answers_with_content_provider_and_usage(tmp_path: Path) -> None:
    """A plain call gets the original's contract, and the fields that grew around it."""
    async with upstream(streamed("hola")) as a, running(config_text({"a": a.base_url}), tmp_path) as gateway:
        answer = await gateway.chat(prompt="Hola", taskType="T")

        assert answer.status == 200
        body = answer.json
        assert body.pop("request_id") == body.pop("interaction_id") == answer.headers["x-request-id"]
        assert body.pop("attempts")[0].pop("ms") >= 0
        assert body == {
            "content": "hola",
            "provider": "a",
            "model": "a-model",
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
            "finish_reason": "stop",
            "task": "T",
            "credits": None,
        }
        assert answer.headers["x-relevo-provider"] == "a"
        assert answer.headers["x-relevo-attempts"] == "1"
        assert answer.headers["content-type"] == "application/json; charset=utf-8"


async def test_the_wire_to_the_provider_is_exact(tmp_path: Path) -> None:
    """The provider gets the messages, the clamped limit and a request for usage, and nothing unread."""
    async with upstream(streamed()) as a, running(config_text({"a": a.base_url}), tmp_path) as gateway:
        await gateway.chat(
            messages=[{"role": "user", "content": "Hola"}],
            systemPrompt="Be brief",
            maxTokens=5000,
            temperature=0.5,
            top_p=0.9,
            stop="END",
            seed=7,
            base_url="http://evil.invalid",
            api_key="x",
            feature_slug="ignored",
        )

        request = a.received[0]
        assert request.line == "POST /v1/chat/completions HTTP/1.1"
        assert request.json == {
            "model": "a-model",
            "messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hola"}],
            "max_tokens": 100,
            "temperature": 0.5,
            "top_p": 0.9,
            "stop": ["END"],
            "seed": 7,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        assert request.headers["accept-encoding"] == "identity"
        assert request.headers["authorization"] == f"Bearer {CANARY}"  # the caller's token goes nowhere


async def test_the_first_dead_the_second_broken_the_third_answers(tmp_path: Path) -> None:
    """Fallback keeps the order, and the record holds every try in it."""
    async with upstream(reply({"error": {"message": "no"}}, 503)) as b, upstream(streamed("ok")) as c:
        providers = {"a": "http://127.0.0.1:9/v1", "b": b.base_url, "c": c.base_url}
        async with running(config_text(providers), tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola")

            assert answer.json["provider"] == "c"
            assert [(a["provider"], a["outcome"], a["code"]) for a in answer.json["attempts"]] == [
                ("a", "failed", "connect_failed"),
                ("b", "failed", "overloaded"),
                ("c", "ok", None),
            ]
            assert answer.headers["x-relevo-attempts"] == "3"
            (record,) = await gateway.records()
            assert [attempt.number for attempt in record.attempts] == [1, 2, 3]
            assert (record.subject, record.task, record.outcome, record.http_status) == ("ana", "T", "ok", 200)
            assert record.served is not None
            assert record.served.usage is not None
            assert record.served.usage.input_tokens == 7


async def test_all_failed_is_500_with_the_words_of_the_original(tmp_path: Path) -> None:
    """When nobody answers, apps find the text and the status that they compare with."""
    providers = {"a": "http://127.0.0.1:9/v1", "b": "http://127.0.0.1:9/v1"}
    async with running(config_text(providers), tmp_path) as gateway:
        answer = await gateway.chat(prompt="Hola", headers={"accept-language": "en"})

        assert answer.status == 500
        assert answer.json["error"] == "Todos los proveedores fallaron"
        assert answer.json["code"] == "all_providers_failed"
        assert len(answer.json["attempts"]) == 2
        assert answer.headers["x-should-retry"] == "false"
        (record,) = await gateway.records()
        assert (record.outcome, record.code, record.http_status) == ("failed", "all_providers_failed", 500)


async def test_all_failed_in_english_follows_the_configuration(tmp_path: Path) -> None:
    """`locale = "en"` and nothing else turns the text of a total failure to English."""
    config = config_text({"a": "http://127.0.0.1:9/v1"}, more=QUICK + '[server]\nlocale = "en"\n')
    async with running(config, tmp_path) as gateway:
        answer = await gateway.chat(prompt="Hola", headers={"accept-language": "es"})

        assert answer.json["error"] == "All providers failed"


async def test_a_pinned_provider_is_the_only_one_tried(tmp_path: Path) -> None:
    """With `provider` there is no fallback to another one, as in the original's own loop."""
    async with upstream(streamed()) as b:
        async with running(config_text({"a": "http://127.0.0.1:9/v1", "b": b.base_url}), tmp_path) as gateway:
            pinned = await gateway.chat(prompt="Hola", provider="a", model="a-model")
            free = await gateway.chat(prompt="Hola")
            first_only = await gateway.chat(prompt="Hola", useFallback=False)

            assert (pinned.status, len(pinned.json["attempts"])) == (500, 1)
            assert (free.status, free.json["provider"]) == (200, "b")
            assert (first_only.status, len(first_only.json["attempts"])) == (500, 1)


@pytest.mark.parametrize("body", [ORIGINAL, {k: v for k, v in ORIGINAL.items() if k not in ("provider", "model")}])
async def test_the_original_request_is_answered(body: dict[str, Any], tmp_path: Path) -> None:
    """The request that the app's components send today is served unchanged, pinned or not."""
    tasks = """
[tasks.LONG_CONTENT]
targets = [{ provider = "gemini", model = "gemini-2.0-flash-exp", max_tokens = 8192 },
           { provider = "deepseek", model = "deepseek-chat", max_tokens = 4096 }]
"""
    async with upstream(streamed()) as up:
        config = config_text({"gemini": up.base_url, "deepseek": up.base_url}, tasks=tasks)
        config = config.replace("${CANARY_KEY}", "${K}")
        (tmp_path / ".env").write_text("K=invented-key-for-tests\n")
        async with running(config, tmp_path) as gateway:
            answer = await gateway.chat(body)

            assert answer.status == 200
            assert answer.json["content"] == "hola"
            assert answer.json["provider"] == ("deepseek" if "provider" in body else "gemini")
            assert answer.json["usage"]["total_tokens"] == 10
            assert up.received[0].headers["authorization"] == "Bearer invented-key-for-tests"


REFUSED = reply({"error": {"message": "bad", "type": "invalid_request_error", "code": None}}, 400)
TOO_LONG = reply({"error": {"message": "This model's maximum context length is 8 tokens", "code": "x"}}, 400)
FILTERED = reply({"error": {"message": "no", "code": "content_filter"}}, 400)
BAD_KEY = reply(
    [{"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}], 400
)


@pytest.mark.parametrize(
    ("first", "second", "status", "code"),
    [
        (REFUSED, REFUSED, 400, "invalid_request"),
        (TOO_LONG, TOO_LONG, 400, "context_length_exceeded"),
        (FILTERED, FILTERED, 400, "content_filtered"),
        (REFUSED, TOO_LONG, 400, "invalid_request"),
        (REFUSED, reply({}, 503), 500, "all_providers_failed"),
        (BAD_KEY, REFUSED, 500, "all_providers_failed"),
        (REFUSED, streamed(), 200, None),
    ],
)
async def test_400_only_when_every_target_blamed_the_request(
    first: Any, second: Any, status: int, code: str | None, tmp_path: Path
) -> None:
    """One provider's 400 makes way for the next; a refused key of ours is never the caller's 400 or 401."""
    async with upstream(first) as a, upstream(second) as b:
        async with running(config_text({"a": a.base_url, "b": b.base_url}), tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola")

            assert (answer.status, answer.json.get("code")) == (status, code)
            assert len(answer.json["attempts"]) == 2


async def test_locked_fields_are_ignored_and_the_answer_says_so(tmp_path: Path) -> None:
    """A lock of the task wins over the caller, and the caller is told."""
    tasks = """
[tasks.T]
system = "House rules"
temperature = 0.2
lock = ["system", "temperature", "max_tokens", "tools", "response_format"]
targets = [{ provider = "a", model = "m", max_tokens = 100 }]
"""
    async with upstream(streamed()) as a, running(config_text({"a": a.base_url}, tasks=tasks), tmp_path) as gateway:
        answer = await gateway.chat(
            messages=[{"role": "system", "content": "obey me"}, {"role": "user", "content": "Hola"}],
            temperature=1.9,
            maxTokens=5,
            tools=[{"type": "function", "function": {"name": "f"}}],
            response_format={"type": "json_object"},
        )

        assert answer.json["ignored"] == ["max_tokens", "response_format", "system", "temperature", "tools"]
        sent = a.received[0].json
        assert sent["messages"] == [
            {"role": "system", "content": "House rules"},
            {"role": "user", "content": "Hola"},
        ]
        assert (sent["temperature"], sent["max_tokens"]) == (0.2, 100)
        assert "tools" not in sent
        assert "response_format" not in sent


async def test_tools_and_pictures_travel_both_ways(tmp_path: Path) -> None:
    """A tool conversation and a picture reach the provider, and its tool calls reach the caller."""
    call = {"index": 0, "id": "call_1", "function": {"name": "find", "arguments": '{"q":'}}
    rest = {"index": 0, "id": "", "function": {"name": "", "arguments": '"x"}'}}
    script = sse(
        {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [rest]}}]},
        delta(None, "tool_calls", usage=USAGE),
        "[DONE]",
    )
    async with upstream(script) as a, running(config_text({"a": a.base_url}), tmp_path) as gateway:
        tool_call = {"id": "c0", "type": "function", "function": {"name": "find", "arguments": "{}"}}
        answer = await gateway.chat(
            messages=[
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                ]},
                {"role": "assistant", "content": None, "tool_calls": [tool_call]},
                {"role": "tool", "tool_call_id": "c0", "content": "a cat"},
            ],
            tools=[{"type": "function", "function": {"name": "find", "parameters": {}}}],
            tool_choice="auto",
        )  # fmt: skip

        assert answer.json["content"] == ""
        assert answer.json["finish_reason"] == "tool_calls"
        assert answer.json["tool_calls"] == [
            {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"q":"x"}'}}
        ]
        sent = a.received[0].json
        assert sent["messages"][0]["content"][1]["image_url"]["url"] == "data:image/png;base64,AAAA"
        assert sent["messages"][1]["tool_calls"] == [tool_call]
        assert sent["messages"][2] == {"role": "tool", "tool_call_id": "c0", "content": "a cat"}


async def test_all_system_prompts_become_one_message_in_front(tmp_path: Path) -> None:
    """The task's prompt, the caller's and a leading system message are one: several providers take no more."""
    tasks = '[tasks.T]\nsystem = "House"\ntargets = [{ provider = "a", model = "m" }]\n'
    async with upstream(streamed()) as a, running(config_text({"a": a.base_url}, tasks=tasks), tmp_path) as gateway:
        await gateway.chat(
            systemPrompt="Caller",
            messages=[{"role": "system", "content": "Inner"}, {"role": "user", "content": "Hola"}],
        )

        assert a.received[0].json["messages"] == [
            {"role": "system", "content": "House\n\nCaller\n\nInner"},
            {"role": "user", "content": "Hola"},
        ]


async def test_a_pin_by_a_retired_name_means_the_model_that_took_its_place(tmp_path: Path) -> None:
    """An app that still names `deepseek-chat` is served by the model that the file lists instead."""
    tasks = '[tasks.T]\ntargets = [{ provider = "deepseek", model = "deepseek-flash" }]\n'
    async with upstream(streamed()) as up:
        async with running(config_text({"deepseek": up.base_url}, tasks=tasks), tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola", provider="deepseek", model="deepseek-chat")
            other = await gateway.chat(prompt="Hola", provider="deepseek", model="deepseek-coder")

            assert (answer.status, answer.json["model"]) == (200, "deepseek-flash")
            assert up.received[0].json["model"] == "deepseek-flash"
            assert other.json["code"] == "model_not_allowed"


async def test_without_fallback_the_first_target_that_can_be_tried_is_tried(tmp_path: Path) -> None:
    """`useFallback: false` stops after one try; a target without a key is no try."""
    async with upstream(reply({}, 503)) as b:
        config = config_text({"a": "http://127.0.0.1:9/v1", "b": b.base_url, "c": b.base_url})
        async with running(config.replace("${CANARY_KEY}", "${A_KEY:-}", 1), tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola", useFallback=False)

            assert [(a["provider"], a["outcome"]) for a in answer.json["attempts"]] == [
                ("a", "skipped"),
                ("b", "failed"),
            ]
            assert len(b.received) == 1


async def test_a_target_without_key_is_skipped_and_says_so(tmp_path: Path) -> None:
    """A provider whose key is empty is passed over; the attempts and the record name the reason."""
    async with upstream(streamed()) as b:
        config = config_text({"a": "http://127.0.0.1:9/v1", "b": b.base_url})
        config = config.replace("${CANARY_KEY}", "${A_KEY:-}", 1)
        async with running(config, tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola")

            assert [(a["outcome"], a["code"]) for a in answer.json["attempts"]] == [
                ("skipped", "no_key"),
                ("ok", None),
            ]
            assert answer.headers["x-relevo-attempts"] == "1"


async def test_prices_of_the_file_give_the_cost_in_the_record(tmp_path: Path) -> None:
    """A known price makes the record say what the answer cost, rounded up to a nano-dollar."""
    price = '[prices."a/a-model"]\ninput = 0.1\noutput = 0.4\n'
    async with upstream(reply(completion())) as a:
        async with running(config_text({"a": a.base_url}, more=QUICK + price), tmp_path) as gateway:
            await gateway.chat(prompt="Hola")

            (record,) = await gateway.records()
            assert record.served is not None
            assert record.served.cost_nano_usd == 7 * 100 + 3 * 400


async def test_a_bug_in_one_target_does_not_take_the_next_one_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception of our own while asking one target is a failed try, not the end of the request."""
    from relevo.dialects.openai_chat import OpenAIChat

    encode = OpenAIChat.encode_request
    calls = []

    def stumble(self: OpenAIChat, *args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            raise KeyError("bug")
        return encode(self, *args, **kwargs)

    monkeypatch.setattr(OpenAIChat, "encode_request", stumble)
    async with upstream(streamed()) as a:
        async with running(config_text({"a": a.base_url, "b": a.base_url}), tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola")

            assert answer.json["provider"] == "b"
            assert answer.json["attempts"][0]["code"] == "internal"
