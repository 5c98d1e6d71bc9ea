"""Credits over real sockets: what is set aside, what is charged, what is refused, and what crashes nothing."""

import asyncio
from pathlib import Path
from typing import Any

import apsw
import jwt
import pytest

from relevo.auth.dev_secret import ISSUER, sign
from relevo.core.clock import SystemClock
from relevo.setup import issuers_of
from support.gateway import QUICK, config_text, running
from support.soak import examples
from support.upstream import HANG, Received, Upstream, completion, delta, reply, sse, streamed, upstream

FIXED = "credits = 20\n"
DEAD = reply({"error": {"message": "no"}}, 500)


def config(*providers: Upstream, task: str = FIXED, credits: str = "", limits: str = "", prices: str = "") -> str:
    """Credits on, one task T over these providers (a, b, …)."""
    names = {name: provider.base_url for name, provider in zip("abc", providers, strict=False)}
    targets = ", ".join(f'{{ provider = "{name}", model = "{name}-model", max_tokens = 100 }}' for name in names)
    money = f"[credits]\nenabled = true\n{credits}[limits]\nuser_requests_per_minute = 0\nuser_concurrency = 0\n"
    tasks = f"[tasks.T]\n{task}targets = [{targets}]\n"
    return config_text(names, tasks=tasks, more=QUICK + money + limits + prices)


def price(name: str, usd_input: float, usd_output: float) -> str:
    return f'[prices."{name}/{name}-model"]\ninput = {usd_input}\noutput = {usd_output}\n'


async def test_an_answer_costs_its_price_and_says_what_is_left(tmp_path: Path) -> None:
    """A fixed price is charged once; body, headers and the account agree."""
    async with upstream(streamed()) as a, running(config(a, credits="signup = 150\n"), tmp_path) as gateway:
        answer = await gateway.chat(prompt="Hola")
        again = await gateway.chat(prompt="Hola")

        assert answer.json["credits"] == {"charged": 20, "remaining": 130}
        assert (again.headers["x-credits-charged"], again.headers["x-credits-remaining"]) == ("20", "110")
        assert await gateway.wallet() == {
            "balance": 110,
            "held": 0,
            "available": 110,
            "buckets": [{"kind": "signup", "remaining": 110, "expires_at": None}],
            "resets_at": None,
        }
        await gateway.at_rest()


async def test_a_first_look_at_the_account_brings_the_signup_grant(tmp_path: Path) -> None:
    """A person's first valid token is enough; the monthly grant says when it comes anew."""
    text = "signup = 1.5\nmonthly = 10\n"
    async with upstream(streamed()) as a, running(config(a, credits=text), tmp_path) as gateway:
        wallet = await gateway.wallet()

        assert wallet["available"] == 11.5
        assert [bucket["kind"] for bucket in wallet["buckets"]] == ["monthly", "signup"]
        assert wallet["resets_at"] == wallet["buckets"][0]["expires_at"]
        assert (await gateway.wallet())["available"] == 11.5


@pytest.mark.parametrize(
    "round_", [pytest.param(n, marks=[pytest.mark.slow] * (n > 1)) for n in range(examples(20))]
)
async def test_fifty_at_once_with_money_for_ten(tmp_path: Path, round_: int) -> None:
    """Exactly ten reach a provider, forty hear 402, and nothing is left over or owed."""
    async with upstream(streamed()) as a, running(config(a), tmp_path) as gateway:
        await gateway.grant(200)
        answers = await asyncio.gather(*(gateway.chat(prompt=f"Hola {n}") for n in range(50)))

        assert sorted(answer.status for answer in answers) == [200] * 10 + [402] * 40
        assert len(a.received) == 10
        assert (await gateway.wallet())["balance"] == 0
        audit = await gateway.at_rest()
        assert audit.houses["sales"] == 200_000_000


async def test_402_says_what_is_needed_what_is_there_and_where_to_get_more(tmp_path: Path) -> None:
    """Too little money reaches no provider, and the app can show why."""
    credits = 'topup_url = "https://app.example/planes"\n'
    async with upstream(streamed()) as a, running(config(a, credits=credits), tmp_path) as gateway:
        await gateway.grant(12.5)
        refused = await gateway.chat(prompt="Hola")

        assert refused.status == 402
        body = refused.json
        assert body["error"] == "Créditos insuficientes: hacen falta 20 y hay 12,5."
        del body["request_id"], body["error"]
        assert body == {
            "code": "insufficient_credits",
            "required": 20,
            "available": 12.5,
            "missing": 7.5,
            "topup_url": "https://app.example/planes",
        }
        assert a.received == []


async def test_the_hold_is_durable_before_the_provider_hears_anything(tmp_path: Path) -> None:
    """When the request arrives there, an open hold under its request id is on disk."""
    seen: list[Any] = []

    def look(_request: Received) -> Any:
        connection = apsw.Connection(str(tmp_path / "relevo.db"))
        seen.extend(connection.execute("SELECT id, state, amount_micro FROM hold"))
        connection.close()
        return streamed()

    async with upstream(choose=look) as a, running(config(a), tmp_path) as gateway:
        await gateway.grant(20)
        answer = await gateway.chat(prompt="Hola")

        assert seen == [(answer.json["request_id"], "open", 20_000_000)]


@pytest.mark.parametrize("script", [DEAD, sse(delta("ho")), [HANG]], ids=["500", "cut", "silent"])
async def test_nothing_answered_costs_nothing(tmp_path: Path, script: Any) -> None:
    """The whole hold comes back; what the provider may bill for it is written off by guess."""
    async with (
        upstream(script) as a,
        running(config(a, prices=price("a", 1, 2)), tmp_path) as gateway,
    ):
        await gateway.grant(20)
        answer = await gateway.chat(prompt="Hola")

        assert answer.status == 500
        await gateway.at_rest()
        assert (await gateway.wallet())["available"] == 20
        rows = list(costs(tmp_path))
        assert [(row[0], row[2], row[3]) for row in rows] == ([] if script is DEAD else [(1, "house", 1)])
        assert all(row[1] > 0 for row in rows)


async def test_a_metered_answer_costs_its_tokens(tmp_path: Path) -> None:
    """7 input and 3 output tokens, at the price of whoever answered, with the markup; the hold was for the dearest."""
    prices = price("a", 10, 10) + price("b", 1, 2)
    text = config(Upstream(), Upstream(), prices=prices)
    async with upstream(DEAD) as a, upstream(streamed()) as b:
        text = config(a, b, task="markup = 2.0\n", prices=prices)
        async with running(text, tmp_path) as gateway:
            await gateway.grant(100)
            answer = await gateway.chat(prompt="Hola")

            # (7 * 1 + 3 * 2) / 1e6 USD = 13 millionths; twice that over 0.001 USD a credit
            assert answer.json["credits"] == {"charged": 0.026, "remaining": 99.974}
            audit = await gateway.at_rest()
            assert audit.houses["sales"] == 26_000
            assert list(costs(tmp_path)) == [(2, 13_000, "caller", 0)]


async def test_min_credits_is_the_least_that_a_metered_answer_costs(tmp_path: Path) -> None:
    """A tiny answer costs the minimum."""
    async with upstream(streamed()) as a:
        text = config(a, task="min_credits = 0.5\n", prices=price("a", 1, 2))
        async with running(text, tmp_path) as gateway:
            await gateway.grant(100)

            assert (await gateway.chat(prompt="Hola")).json["credits"]["charged"] == 0.5


async def test_an_answer_dearer_than_its_hold_is_charged_in_full(tmp_path: Path) -> None:
    """A provider that bills more than it was allowed: the debt is booked, and blocks the next call."""
    usage = {"prompt_tokens": 7, "completion_tokens": 50_000, "total_tokens": 50_007}
    async with upstream(reply(completion(usage=usage))) as a:
        text = config(a, task="", prices=price("a", 1, 2))
        async with running(text, tmp_path) as gateway:
            await gateway.grant(10)
            answer = await gateway.chat(prompt="Hola")

            assert answer.json["credits"] == {"charged": 100.007, "remaining": -90.007}
            assert (await gateway.chat(prompt="Hola")).status == 402
            await gateway.grant(100)
            assert (await gateway.wallet())["available"] == pytest.approx(9.993)
            await gateway.at_rest()


@pytest.mark.parametrize("clamp", ["", "clamp = true\n"], ids=["refused", "clamped"])
async def test_clamp_cuts_the_answer_to_what_the_account_allows(tmp_path: Path, clamp: str) -> None:
    """With `clamp` the provider is asked for as much as there is money for; without it the call is refused."""
    prices = price("a", 0, 1000)  # one credit a token
    async with upstream(streamed()) as a:
        async with running(config(a, task=clamp, prices=prices), tmp_path) as gateway:
            await gateway.grant(40)
            answer = await gateway.chat(prompt="Hola")

            assert answer.status == (200 if clamp else 402)
            assert [request.json["max_tokens"] for request in a.received] == ([40] if clamp else [])


async def test_clamp_refuses_what_is_too_short_to_be_worth_it(tmp_path: Path) -> None:
    """Fewer than 16 tokens are no answer: 402 says what the shortest one would take."""
    async with upstream(streamed()) as a:
        text = config(a, task="clamp = true\n", prices=price("a", 0, 1000))
        async with running(text, tmp_path) as gateway:
            await gateway.grant(15)
            refused = await gateway.chat(prompt="Hola")

            assert (refused.status, refused.json["required"], refused.json["missing"]) == (402, 16, 1)


async def test_a_caller_who_leaves_a_plain_call_pays_nothing(tmp_path: Path) -> None:
    """Nothing was delivered: the provider's call is ended, the hold comes back, the cost is written off."""
    async with upstream([HANG]) as a:
        text = config(a, prices=price("a", 1, 2)).replace("first_token_s = 0.4", "first_token_s = 30")
        async with running(text, tmp_path) as gateway:
            await gateway.grant(20)
            call = asyncio.ensure_future(gateway.chat(prompt="Hola"))
            while not a.received:
                await asyncio.sleep(0)
            call.cancel()
            await a.left.wait()
            await gateway.at_rest()

            assert (await gateway.wallet())["available"] == 20
            assert [(row[0], row[2], row[3]) for row in costs(tmp_path)] == [(1, "house", 1)]


async def test_two_users_have_two_wallets_and_a_forged_request_id_changes_nothing(tmp_path: Path) -> None:
    """Ids come from the server alone; nobody pays with another's money."""
    async with upstream(streamed()) as a, running(config(a, credits="signup = 20\n"), tmp_path) as gateway:
        mine = await gateway.chat(prompt="Hola")
        forged = {"x-request-id": mine.json["request_id"]}
        again = await gateway.chat(headers=forged, prompt="Hola")
        bob = sign(issuers_of(gateway.setup)[ISSUER].secret, "bob", now_s=SystemClock().wall_s(), ttl_s=60)
        his = await gateway.chat(headers={**forged, "authorization": f"Bearer {bob}"}, prompt="Hola")

        assert [mine.status, again.status, his.status] == [200, 402, 200]
        assert his.json["request_id"] != mine.json["request_id"]


async def test_two_issuers_with_the_same_sub_are_two_wallets(tmp_path: Path) -> None:
    """An account is the issuer's row and the `sub`; a guest of a row gets no signup grant."""
    secrets = {"one": "1" * 32, "two": "2" * 32}
    rows = "".join(
        f'[auth.issuers.{name}]\nplatform = "supabase"\nissuer = "https://{name}"\nsecret = "${{{name.upper()}_JWT}}"\n'
        for name in secrets
    )
    (tmp_path / ".env").write_text("".join(f"{name.upper()}_JWT={value}\n" for name, value in secrets.items()))
    async with upstream(streamed()) as a:
        async with running(config(a, credits="signup = 30\n") + rows, tmp_path) as gateway:

            async def call(row: str, **claims: Any) -> int:
                now_s = int(SystemClock().wall_s())
                said = {"iss": f"https://{row}", "aud": "authenticated", "role": "authenticated", "sub": "ana",
                        "iat": now_s, "exp": now_s + 60}  # fmt: skip
                token = jwt.encode(said | claims, secrets[row], algorithm="HS256")
                return (await gateway.chat(headers={"authorization": f"Bearer {token}"}, prompt="Hola")).status

            assert [await call("one"), await call("one"), await call("two")] == [200, 402, 200]
            assert await call("one", sub="guest", is_anonymous=True) == 402


async def test_a_pin_without_a_task_is_no_discount(tmp_path: Path) -> None:
    """Of the tasks that hold what is pinned the dearest for this very call is charged, metered ones included."""
    async with upstream(streamed()) as a:
        target = '{ provider = "a", model = "a-model", max_tokens = 100 }'
        text = config(a, prices=price("a", 1, 2)) + f"[tasks.DEAR]\nmin_credits = 50\ntargets = [{target}]\n"
        async with running(text, tmp_path) as gateway:
            await gateway.grant(100)
            answer = await gateway.chat(provider="a", prompt="Hola")

            assert (answer.json["task"], answer.json["credits"]["charged"]) == ("DEAR", 50)


async def test_two_servers_share_a_file_until_one_keeps_credits(tmp_path: Path) -> None:
    """Credits are kept by one server alone: no reload turns them on beside another."""
    async with upstream(streamed()) as a:
        off = config(a).replace("enabled = true", "enabled = false")
        async with running(off, tmp_path) as first, running(off, tmp_path):
            (tmp_path / "relevo.toml").write_text(config(a))
            first.server.reload()
            assert (await first.chat(prompt="Hola")).json["credits"] is None
        async with running(off, tmp_path) as alone:
            (tmp_path / "relevo.toml").write_text(config(a))
            alone.server.reload()
            assert (await alone.chat(prompt="Hola")).status == 402


async def test_a_quote_calls_nobody_and_matches_the_hold(tmp_path: Path) -> None:
    """What would be set aside, target by target, and what is there."""
    prices = price("a", 10, 10) + price("b", 1, 2)
    async with upstream(streamed()) as a, upstream(streamed()) as b:
        async with running(config(a, b, task="", prices=prices), tmp_path) as gateway:
            await gateway.grant(3)
            given = {"authorization": f"Bearer {gateway.token}", "content-type": "application/json"}
            quote = (await gateway.request("POST", "/api/ai/quote", b'{"prompt": "Hola"}', given)).json
            answer = await gateway.chat(prompt="Hola")

            assert [row["provider"] for row in quote["chain"]] == ["a", "b"]
            assert quote["required"] == quote["chain"][0]["credits"] > quote["chain"][1]["credits"]
            assert (quote["task"], quote["available"]) == ("T", 3)
            assert answer.status == 402
            assert answer.json["required"] == quote["required"]
            assert a.received + b.received == []


async def test_without_credits_everything_else_works(tmp_path: Path) -> None:
    """No section: nothing is charged, the account is empty, a quote requires nothing."""
    async with upstream(streamed()) as a:
        async with running(config_text({"a": a.base_url}), tmp_path) as gateway:
            given = {"authorization": f"Bearer {gateway.token}", "content-type": "application/json"}
            quote = (await gateway.request("POST", "/api/ai/quote", b'{"prompt": "Hola"}', given)).json

            assert (await gateway.chat(prompt="Hola")).json["credits"] is None
            assert (quote["required"], quote["available"]) == (0, None)
            assert (await gateway.wallet()) == {
                "balance": None,
                "held": None,
                "available": None,
                "buckets": [],
                "resets_at": None,
            }


async def test_the_daily_limit_counts_what_is_held(tmp_path: Path) -> None:
    """Calls that run at the same time cannot pass it together; 402 says when the day is over."""
    limits = "user_credits_per_day = 50\n"
    async with upstream(streamed()) as a, running(config(a, limits=limits), tmp_path) as gateway:
        await gateway.grant(1000)
        answers = await asyncio.gather(*(gateway.chat(prompt="Hola") for _ in range(8)))

        assert sorted(answer.status for answer in answers) == [200, 200] + [402] * 6
        refused = next(answer for answer in answers if answer.status == 402)
        assert refused.json["code"] == "spend_limit"
        assert refused.json["resets_at"].endswith("T00:00:00Z")


async def test_requests_a_minute_and_at_a_time_are_limited(tmp_path: Path) -> None:
    """Beyond either limit: 429 with the time to wait, and no provider is asked."""
    limits = "user_requests_per_minute = 3\nuser_concurrency = 2\n"
    async with upstream([HANG]) as a:
        text = config_text({"a": a.base_url}, more=QUICK.replace("0.4", "30") + f"[limits]\n{limits}")
        async with running(text, tmp_path) as gateway:
            calls = [asyncio.ensure_future(gateway.chat(prompt="Hola")) for _ in range(2)]
            while len(a.received) < 2:
                await asyncio.sleep(0)
            third = await gateway.chat(prompt="Hola")
            for call in calls:
                call.cancel()
            await gateway.at_rest()
            a.scripts = [streamed()]
            after = [await gateway.chat(prompt="Hola") for _ in range(2)]

            assert (third.status, third.headers["retry-after"]) == (429, "1")
            assert [answer.status for answer in after] == [200, 429]
            assert 15 <= int(after[1].headers["retry-after"]) <= 20
            assert after[1].json["code"] == "rate_limited"


async def test_twenty_times_the_same_key_is_one_call_and_one_charge(tmp_path: Path) -> None:
    """Whoever comes while it runs hears 409, whoever comes after gets the same answer."""
    slow = [0.2, *streamed()]
    async with upstream(slow) as a, running(config(a), tmp_path) as gateway:
        await gateway.grant(100)
        key = {"idempotency-key": "one-call"}
        answers = await asyncio.gather(*(gateway.chat(headers=key, prompt="Hola") for _ in range(20)))
        late = [await gateway.chat(headers=key, prompt="Hola") for _ in range(3)]

        assert {answer.status for answer in answers} == {200, 409}
        bodies = {answer.body for answer in [*answers, *late] if answer.status == 200}
        assert len(bodies) == 1
        assert {answer.headers.get("retry-after") for answer in answers if answer.status == 409} == {"1"}
        assert late[0].headers["idempotent-replayed"] == "true"
        assert len(a.received) == 1
        assert (await gateway.wallet())["balance"] == 80
        await gateway.at_rest()
        codes = [row.code for row in await gateway.records() if row.outcome == "ok"]
        assert codes.count(None) == 1
        assert set(codes) == {None, "replayed"}


async def test_a_key_belongs_to_its_user_and_its_body(tmp_path: Path) -> None:
    """Another body is 422, another user's same key is a call of its own, a bad key names the header."""
    async with upstream(streamed()) as a, running(config(a, credits="signup = 100\n"), tmp_path) as gateway:
        key = {"idempotency-key": "k"}
        bob = sign(issuers_of(gateway.setup)[ISSUER].secret, "bob", now_s=SystemClock().wall_s(), ttl_s=60)
        first = await gateway.chat(headers=key, prompt="Hola")
        other = await gateway.chat(headers=key, prompt="Adiós")
        his = await gateway.chat(headers={**key, "authorization": f"Bearer {bob}"}, prompt="Hola")
        bad = await gateway.chat(headers={"idempotency-key": "x" * 300}, prompt="Hola")

        assert [first.status, other.status, his.status, bad.status] == [200, 422, 200, 400]
        assert other.json["code"] == "idempotency_mismatch"
        assert bad.json["field"] == "Idempotency-Key"
        assert len(a.received) == 2


async def test_a_failure_frees_the_key(tmp_path: Path) -> None:
    """What brought no answer is not kept: the next try under the key is a real one."""
    async with upstream(DEAD, streamed()) as a, running(config(a), tmp_path) as gateway:
        await gateway.grant(20)
        key = {"idempotency-key": "k"}
        failed = await gateway.chat(headers=key, prompt="Hola")
        await gateway.at_rest()
        answer = await gateway.chat(headers=key, prompt="Hola")

        assert [failed.status, answer.status] == [500, 200]
        assert (await gateway.wallet())["balance"] == 0


async def test_a_call_with_a_key_outlives_its_caller(tmp_path: Path) -> None:
    """The caller's connection breaks; the call runs to its end, and the answer waits for the caller's next try."""
    async with upstream([0.2, *streamed("al final")]) as a, running(config(a), tmp_path) as gateway:
        await gateway.grant(20)
        key = {"idempotency-key": "k"}
        call = asyncio.ensure_future(gateway.chat(headers=key, prompt="Hola"))
        while not a.received:
            await asyncio.sleep(0)
        call.cancel()
        await gateway.at_rest()
        answer = await gateway.chat(headers=key, prompt="Hola")

        assert (answer.status, answer.json["content"]) == (200, "al final")
        assert answer.json["credits"] == {"charged": 20, "remaining": 0}
        assert len(a.received) == 1


async def test_a_drain_waits_for_a_call_that_outlived_its_caller(tmp_path: Path) -> None:
    """SIGTERM while a call with a key runs on alone: it ends, is charged, and its answer is kept."""
    async with upstream([0.3, *streamed("al final")]) as a:
        async with running(config(a), tmp_path) as gateway:
            await gateway.grant(20)
            call = asyncio.ensure_future(gateway.chat(headers={"idempotency-key": "k"}, prompt="Hola"))
            while not a.received:
                await asyncio.sleep(0)
            call.cancel()
        async with running(config(a), tmp_path) as gateway:
            answer = await gateway.chat(headers={"idempotency-key": "k"}, prompt="Hola")

            assert (answer.status, answer.json["content"], len(a.received)) == (200, "al final", 1)
            await gateway.at_rest()


async def test_kept_answers_cannot_be_read_from_the_store(tmp_path: Path) -> None:
    """They are sealed with the key and the body, and neither stands there."""
    async with upstream(streamed("un secreto del usuario")) as a, running(config(a), tmp_path) as gateway:
        await gateway.grant(20)
        await gateway.chat(headers={"idempotency-key": "llave-del-cliente"}, prompt="pregunta privada")
        await gateway.at_rest()
        stored = b"".join(path.read_bytes() for path in tmp_path.glob("relevo.db*"))

        for private in ("un secreto del usuario", "llave-del-cliente", "pregunta privada"):
            assert private.encode() not in stored


async def test_a_store_that_cannot_be_written_admits_nobody(tmp_path: Path) -> None:
    """No hold, no call: 503 with a time to come back, and nothing is owed afterwards."""
    async with upstream(streamed()) as a, running(config(a), tmp_path) as gateway:
        await gateway.grant(20)
        other = lock(tmp_path)
        refused = await gateway.chat(prompt="Hola")
        other.execute("ROLLBACK")
        other.close()

        assert (refused.status, refused.json["code"], a.received) == (503, "unavailable", [])
        assert (await gateway.chat(prompt="Hola")).status == 200
        await gateway.at_rest()


def lock(folder: Path) -> apsw.Connection:
    """Hold the database's write lock, as a backup tool that hangs does."""
    other = apsw.Connection(str(folder / "relevo.db"))
    other.set_busy_timeout(10_000)
    other.execute("BEGIN IMMEDIATE")
    return other


def costs(folder: Path) -> list[tuple[int, int, str, int]]:
    """What the tries cost, as the ledger has it."""
    connection = apsw.Connection(str(folder / "relevo.db"))
    rows = list(connection.execute("SELECT number, nano_usd, borne_by, estimated FROM cost ORDER BY number"))
    connection.close()
    return rows
