"""`order = "cheapest"` over real sockets: the price of this very request decides who is asked first."""

from pathlib import Path
from typing import Any

import pytest

from support.gateway import QUICK, config_text, running
from support.upstream import Upstream, completion, reply, streamed, upstream


def config(a: Upstream, b: Upstream, price_a: str, price_b: str, targets: str = "") -> str:
    """Two targets, `a` listed first, with their prices."""
    prices = f'[prices."a/a-model"]\n{price_a}\n[prices."b/b-model"]\n{price_b}\n'
    rows = targets or '{ provider = "a", model = "a-model" }, { provider = "b", model = "b-model" }'
    task = f'[tasks.T]\norder = "cheapest"\nsystem = "Be brief."\ntargets = [{rows}]\n'
    return config_text({"a": a.base_url, "b": b.base_url}, tasks=task, more=QUICK + prices)


CHEAP, DEAR = "input = 0.1\noutput = 0.4", "input = 1\noutput = 4"


@pytest.mark.parametrize(("prices", "first"), [((CHEAP, DEAR), "a"), ((DEAR, CHEAP), "b"), ((DEAR, DEAR), "a")])
async def test_the_order_follows_the_prices_in_the_file(
    tmp_path: Path, prices: tuple[str, str], first: str
) -> None:
    """Swapped prices swap the order; at the same price the listed order counts."""
    async with upstream(streamed()) as a, upstream(streamed()) as b:
        async with running(config(a, b, *prices), tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola")

            assert answer.json["provider"] == first
            assert len(a.received) + len(b.received) == 1


async def test_when_the_cheapest_is_dead_the_next_cheapest_answers(tmp_path: Path) -> None:
    """Fallback goes up the prices, and the attempts show it."""
    async with upstream(reply({"error": {"message": "no"}}, 500)) as a, upstream(streamed()) as b:
        async with running(config(a, b, CHEAP, DEAR), tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola")

            assert [(row["provider"], row["outcome"]) for row in answer.json["attempts"]] == [
                ("a", "failed"),
                ("b", "ok"),
            ]


async def test_fallback_climbs_the_prices_and_not_the_list(tmp_path: Path) -> None:
    """Listed dear, cheap, middling: asked cheap, middling, dear, plain and streamed."""
    dead = reply({"error": {"message": "no"}}, 500)
    async with upstream(streamed()) as a, upstream(dead) as b, upstream(dead) as c:
        names = {"a": a.base_url, "b": b.base_url, "c": c.base_url}
        prices = {"a": "input = 9\noutput = 9", "b": CHEAP, "c": DEAR}
        text = "".join(f'[prices."{name}/{name}-model"]\n{price}\n' for name, price in prices.items())
        rows = ", ".join(f'{{ provider = "{name}", model = "{name}-model" }}' for name in names)
        task = f'[tasks.T]\norder = "cheapest"\ntargets = [{rows}]\n'
        async with running(config_text(names, tasks=task, more=QUICK + text), tmp_path) as gateway:
            plain = await gateway.chat(prompt="Hola")
            frames = await gateway.stream()

            for attempts in (plain.json["attempts"], frames.last["attempts"]):
                assert [(row["provider"], row["outcome"]) for row in attempts] == [
                    ("b", "failed"),
                    ("c", "failed"),
                    ("a", "ok"),
                ]


@pytest.mark.parametrize(("body", "first"), [({"prompt": "x" * 40_000}, "b"), ({"prompt": "Hola"}, "a")])
async def test_each_request_has_its_own_cheapest(tmp_path: Path, body: dict[str, Any], first: str) -> None:
    """A long prompt goes where input is cheap, a short one where output is."""
    async with upstream(streamed()) as a, upstream(streamed()) as b:
        text = config(a, b, "input = 1\noutput = 1", "input = 0.1\noutput = 10")
        async with running(text, tmp_path) as gateway:
            assert (await gateway.chat(body)).json["provider"] == first


async def test_a_target_that_is_passed_over_does_not_count(tmp_path: Path) -> None:
    """The cheapest has no key: the next one answers, and the skip is said."""
    async with upstream(streamed()) as a, upstream(streamed()) as b:
        text = config(a, b, CHEAP, DEAR).replace("${CANARY_KEY}", "${A_KEY:-}", 1)
        async with running(text, tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola")

            assert [(row["provider"], row["code"]) for row in answer.json["attempts"]] == [
                ("a", "no_key"),
                ("b", None),
            ]


async def test_pictures_and_parts_are_in_the_cost_of_the_record(tmp_path: Path) -> None:
    """Cached and reasoning tokens at their own price, and the fee of each picture."""
    price = '[prices."a/a-model"]\ninput = 1\ncached_input = 0.1\noutput = 2\nreasoning = 3\nper_image = 0.001\n'
    used = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
            "prompt_tokens_details": {"cached_tokens": 40}, "completion_tokens_details": {"reasoning_tokens": 6}}  # fmt: skip
    picture = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
    async with upstream(reply(completion(usage=used))) as a:
        async with running(config_text({"a": a.base_url}, more=QUICK + price), tmp_path) as gateway:
            await gateway.chat(messages=[{"role": "user", "content": [{"type": "text", "text": "?"}, picture]}])

            (record,) = await gateway.records()
            assert record.served is not None
            assert record.served.cost_nano_usd == 60 * 1000 + 40 * 100 + 4 * 2000 + 6 * 3000 + 1_000_000
