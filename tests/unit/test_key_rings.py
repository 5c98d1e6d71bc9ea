"""Keys that are fetched: when an issuer is asked, what is kept when it fails, and who ever waits for it."""

import asyncio
import secrets
import time

import pytest

from relevo.auth.jwks import KeyRing, KeyRings, ttl_s
from relevo.core.errors import GatewayError
from support.clock import FakeClock
from support.idp import URL, Bench, ScriptedFetch, jwk, key_set, outcome, rsa_key, token


async def settle() -> None:
    """Let fetches that are under way behind the callers come to their end."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("cache_control", "expected"),
    [("max-age=300", 300), ("public, max-age=15", 60), ("max-age=86400, must-revalidate", 600), ("", 300), ("no-store", 60),
     ("Max-Age=120", 120), ('max-age="90"', 90), ("max-age=-1", 300), ("max-age=999999999999", 600), ("s-maxage=90", 300),
     ("no-cache, max-age=600", 60)],
)  # fmt: skip
def test_a_set_is_in_force_for_one_to_ten_minutes(cache_control: str, expected: float) -> None:
    """What the issuer says counts between those bounds."""
    assert ttl_s(cache_control) == expected


async def test_a_cold_start_without_the_issuer_is_503_and_recovers() -> None:
    """Nobody is told to sign in again because keys cannot be had; one fetch in 2 s finds out when they can."""
    bench = Bench()
    verifier = bench.verifier()
    good, bench.fetch.body = bench.fetch.body, RuntimeError("a bug")
    assert await outcome(verifier, token()) == "unavailable"
    bench.fetch.die()
    for _ in range(100):
        assert await outcome(verifier, token()) == "unavailable"
    assert bench.fetch.calls == 1

    bench.clock.pass_s(2)
    assert await outcome(verifier, token()) == "unavailable"
    bench.fetch.body = good
    bench.clock.pass_s(2)
    assert await outcome(verifier, token()) == "ok"
    assert bench.fetch.calls == 3
    assert [URL in note for note in bench.notes] == [True, True]


async def test_many_callers_wait_for_one_fetch() -> None:
    """A thousand at once on a cold start: one fetch, and all of them are served."""
    bench = Bench()
    verifier = bench.verifier()
    texts = [token(sub=f"u{number}") for number in range(100)] * 10

    assert await asyncio.gather(*(outcome(verifier, text) for text in texts)) == ["ok"] * 1000
    assert bench.fetch.calls == 1


async def test_a_caller_who_leaves_does_not_take_the_fetch_along() -> None:
    """Others wait for the same one."""
    bench = Bench()
    gate = asyncio.Event()
    bench.fetch.before = gate.wait
    verifier = bench.verifier()
    leaving, staying = (asyncio.ensure_future(outcome(verifier, token())) for _ in range(2))
    await settle()
    leaving.cancel()
    await settle()
    bench.clock.pass_s(3)  # longer than the pause between fetches: the one under way still is the only one
    joining = asyncio.ensure_future(outcome(verifier, token(sub="joining")))
    await settle()
    gate.set()
    assert await joining == "ok"

    assert await staying == "ok"
    assert leaving.cancelled()
    assert bench.fetch.calls == 1


async def test_made_up_kids_bring_about_one_fetch_in_30_s() -> None:
    """10,000 random kids within 100 s: four fetches at the most, and no known user waits or notices."""
    bench = Bench()
    verifier = bench.verifier()
    good = token()
    assert await outcome(verifier, good) == "ok"
    waits = []
    for number in range(10_000):
        assert await bench.ring.find(secrets.token_hex(8)) is None
        if number % 100 == 0:
            before = time.perf_counter()
            assert await outcome(verifier, token(sub=f"u{number}")) == "ok"
            waits.append(time.perf_counter() - before)
        bench.clock.pass_s(0.01)

    assert bench.fetch.calls == 1 + 4  # the cold start, then at 0, 30, 60 and 90 s
    assert len(bench.ring._unknown) <= 1000
    assert sorted(waits)[-2] < 0.1


async def test_what_is_remembered_of_made_up_kids_is_bounded() -> None:
    """Thousands at once, all waiting for one fetch: a thousand are remembered."""
    bench = Bench()
    await bench.ring.find("k1")

    assert set(await asyncio.gather(*(bench.ring.find(f"x{number}") for number in range(3000)))) == {None}
    assert bench.fetch.calls == 2
    assert len(bench.ring._unknown) == 1000


async def test_a_made_up_kid_is_remembered_for_a_minute() -> None:
    """The same wrong token again and again asks the issuer once a minute."""
    bench = Bench()
    verifier = bench.verifier()
    wrong = token(kid="no-such-key")
    await outcome(verifier, token())
    for _ in range(118):
        assert await outcome(verifier, wrong) == "invalid_token"
        bench.clock.pass_s(1)

    assert bench.fetch.calls == 1 + 2


async def test_an_unknown_kid_is_503_while_the_issuer_cannot_be_asked() -> None:
    """It may be a new key: nobody is signed out for what nobody could look up; known keys go on."""
    bench = Bench()
    verifier = bench.verifier()
    await outcome(verifier, token())
    bench.fetch.die()

    assert await outcome(verifier, token(rsa_key("b"), "k2")) == "unavailable"
    assert await outcome(verifier, token(rsa_key("b"), "k2", sub="another")) == "unavailable"
    assert await outcome(verifier, token(sub="known")) == "ok"
    assert bench.fetch.calls == 2


async def test_rotation_signs_nobody_out_and_ends_the_old_key() -> None:
    """Standby, rotate, revoke, with users all the time: no 401 before the revocation, none served a TTL after it."""
    bench = Bench()
    verifier = bench.verifier()
    old, new = jwk(rsa_key(), "k1"), jwk(rsa_key("b"), "k2")
    outcomes: dict[str, list[tuple[int, str]]] = {"old": [], "new": []}
    for second in range(0, 3610, 10):
        if second == 600:
            bench.fetch.body = key_set(old, new)  # standby
        if second == 3000:
            bench.fetch.body = key_set(new)  # revoked
        number = second // 40  # a session of 40 s: some calls come from the cache, some do not
        outcomes["old"].append((second, await outcome(verifier, token(sub=f"o{number}"))))
        if second >= 1800:  # rotated
            outcomes["new"].append((second, await outcome(verifier, token(rsa_key("b"), "k2", sub=f"n{number}"))))
        bench.clock.mono += 10
        await settle()

    assert {result for _, result in outcomes["new"]} == {"ok"}
    assert {result for second, result in outcomes["old"] if second < 3000} == {"ok"}
    assert {result for second, result in outcomes["old"] if second == 3600} == {"invalid_token"}
    assert max(second for second, result in outcomes["old"] if result == "ok") < 3000 + 600
    assert bench.fetch.calls <= 12


async def test_a_key_without_standby_is_found_at_once() -> None:
    """A new key that signs before it was announced: its first token asks the issuer, and is served."""
    bench = Bench()
    verifier = bench.verifier()
    await outcome(verifier, token())
    bench.fetch.body = key_set(jwk(rsa_key("b"), "k2"))

    assert await outcome(verifier, token(rsa_key("b"), "k2")) == "ok"
    assert await outcome(verifier, token(sub="with the old key")) == "invalid_token"
    assert bench.fetch.calls == 2


async def test_a_dead_issuer_is_not_noticed_for_a_day() -> None:
    """Known keys stay in force for 24 h whatever the issuer answers, and nobody waits; after that it is 503."""
    bench = Bench()
    verifier = bench.verifier()
    await outcome(verifier, token())
    weak = key_set(jwk(rsa_key("small", 1024), "k1"))
    answers: list[bytes | Exception | None] = [b"<html>", b"", key_set(), b'{"keys":0}', weak, RuntimeError(), None]
    for minute in range(0, 24 * 60 - 2, 2):
        answer = answers[minute // 2 % len(answers)]
        if answer is None:
            bench.fetch.die()
        else:
            bench.fetch.body = answer
        bench.clock.mono += 120
        assert await outcome(verifier, token(sub=f"u{minute}")) == "ok"
        await settle()
    assert bench.fetch.calls <= 24 * 60
    assert "the known ones stay in force" in bench.notes[0]

    bench.clock.mono += 121
    assert await outcome(verifier, token(sub="late")) == "unavailable"


async def test_an_issuer_that_hangs_holds_up_nobody_whose_key_is_known() -> None:
    """From the time on when a set is to be renewed, callers are served while the fetch hangs."""
    bench = Bench()
    verifier = bench.verifier()
    await outcome(verifier, token())
    hangs = asyncio.Event()
    bench.fetch.before = hangs.wait
    bench.clock.pass_s(500)  # of 600

    for number in range(10):
        coroutine = verifier.verify(token(sub=f"u{number}"))
        with pytest.raises(StopIteration):  # ends in its first step
            coroutine.send(None)
    await settle()
    assert bench.fetch.calls == 2
    bench.fetch.die()
    hangs.set()
    await settle()


async def test_an_issuer_that_failed_lately_is_not_waited_for() -> None:
    """Past the time of the set, too: each further try hangs behind the callers."""
    bench = Bench()
    verifier = bench.verifier()
    await outcome(verifier, token())
    good = bench.fetch.body
    bench.fetch.die()
    bench.clock.mono += 590
    assert await outcome(verifier, token(sub="early")) == "ok"
    await settle()
    bench.fetch.body, hangs = good, asyncio.Event()
    bench.fetch.before = hangs.wait
    bench.clock.mono += 40

    for number in range(10):
        coroutine = verifier.verify(token(sub=f"u{number}"))
        with pytest.raises(StopIteration):  # ends in its first step
            coroutine.send(None)
    await settle()
    assert bench.fetch.calls == 3
    hangs.set()
    await settle()


async def test_after_a_quiet_hour_a_hanging_issuer_is_waited_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The known key is good enough then."""
    monkeypatch.setattr("relevo.auth.jwks._PATIENCE_S", 0.01)
    bench = Bench()
    verifier = bench.verifier()
    await outcome(verifier, token())
    hangs = asyncio.Event()
    bench.fetch.before = hangs.wait
    bench.clock.mono += 3600

    assert await outcome(verifier, token(sub="first")) == "ok"
    hangs.set()
    await settle()


async def test_after_a_quiet_hour_the_first_caller_waits_for_the_new_set() -> None:
    """A key that was revoked in the meantime is dead for the first caller already."""
    bench = Bench()
    verifier = bench.verifier()
    await outcome(verifier, token())
    bench.fetch.body = key_set(jwk(rsa_key("b"), "k2"))
    bench.clock.mono += 3600

    assert await outcome(verifier, token()) == "invalid_token"
    assert bench.fetch.calls == 2


async def test_a_set_is_renewed_before_its_time_is_over() -> None:
    """With traffic nobody ever waits: the renewal begins at four fifths of the time."""
    bench = Bench()
    verifier = bench.verifier()
    text = token()
    for _ in range(1200):
        assert await outcome(verifier, text) == "ok"
        bench.clock.mono += 1
        await settle()

    assert bench.fetch.calls == 3  # at 0, 480 and 960 s


async def test_rings_outlive_a_reload_and_others_are_let_go() -> None:
    """A reload while the issuer is down keeps the keys; a URL that is gone ends its fetch."""
    fetch = ScriptedFetch(key_set(jwk(rsa_key(), "k1")))
    rings = KeyRings(fetch, FakeClock(), lambda _note: None)
    first = rings.of([URL])[URL]
    rings.warm()
    assert await first.find("k1")
    rings.warm()
    assert rings.of([URL])[URL] is first
    assert fetch.calls == 1

    fetch.before = asyncio.Event().wait
    waiting = asyncio.ensure_future(first.find("k2"))
    await settle()
    assert rings.of([]) == {}
    assert await waiting is None
    rings.of([URL])
    rings.warm()
    await settle()
    rings.cancel()
    await settle()
    assert fetch.calls == 3


async def test_a_cancelled_cold_fetch_is_no_answer() -> None:
    """Who waited hears 503, not that the key does not exist."""
    fetch = ScriptedFetch(before=asyncio.Event().wait)
    ring = KeyRing(URL, fetch, FakeClock(), lambda _note: None)
    waiting = asyncio.ensure_future(ring.find("k1"))
    await settle()
    ring.cancel()

    with pytest.raises(GatewayError) as caught:
        await waiting
    assert caught.value.code == "unavailable"
