"""How long a provider wants to be left alone: every form of it, and nothing made of what is no such thing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relevo.dialects.retry_after import WAIT_MAX_S, duration_s, retry_after_s

NOW_S = 1_795_000_000.0
"""2026-11-18T11:06:40Z, a Wednesday."""


def wait(headers: dict[str, str], *, details: Any = None, text: str = "", http_status: int = 429) -> float | None:
    return retry_after_s(lambda name: headers.get(name, ""), details, [text], http_status=http_status, wall_s=NOW_S)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "5"}, 5),
        ({"retry-after": "1.25"}, 1.25),
        ({"retry-after": "3600"}, 3600),
        ({"retry-after": "999999999"}, WAIT_MAX_S),
        ({"retry-after": "Wed, 18 Nov 2026 11:07:10 GMT"}, 30),
        ({"retry-after": "Wed, 18 Nov 2026 11:06:40 GMT"}, 0),
        ({"retry-after": "Wed, 18 Nov 2026 11:06:10 GMT"}, None),
        ({"retry-after-ms": "20", "retry-after": "9"}, 0.02),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s"}, None),
        ({"x-ratelimit-reset-tokens": "6m0s"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "26ms",
          "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "17.39s"}, 17.39),
        ({"anthropic-ratelimit-requests-remaining": "0",
          "anthropic-ratelimit-requests-reset": "2026-11-18T12:06:40+01:00"}, 0),
        ({"anthropic-ratelimit-requests-remaining": "0",
          "anthropic-ratelimit-requests-reset": "2026-11-18T11:06:45Z"}, 5),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795000007"}, 7),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795000007500"}, 7.5),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1794000000"}, None),
    ],
)  # fmt: skip
def test_headers_in_all_their_forms(headers: dict[str, str], wait_s: float | None) -> None:
    """Milliseconds, seconds, dates and the reset of the bucket that is empty, in this order."""
    assert wait(headers) == (None if wait_s is None else pytest.approx(wait_s))


@pytest.mark.parametrize(
    "garbage", ["", "-1", "-0.5", "nan", "inf", "1e9", "1_000", "0x10", "soon", "1, 2", "2026"]
)
def test_garbage_is_no_wait(garbage: str) -> None:
    """What is no number, no date or below zero is treated as if it were not there."""
    expected = 2026 if garbage == "2026" else None  # a number, if an odd one
    assert wait({"retry-after": garbage}) == expected
    assert wait({"retry-after-ms": garbage}) == (None if expected is None else pytest.approx(2.026))


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("Please retry in 48.939935699s.", 48.939935699),
        ("Please try again in 20ms. Visit", 0.02),
        ("try again in 1.2s", 1.2),
        ("Please try again in 6m0s.", 360),
        ("Please try again in 7m12.5s", 432.5),
        ("try again in 1h2m3s", 3723),
        ("try again in 5 minutes", None),
        ("try again in 5sheep", None),
        ("do not try again", None),
    ],
)
def test_a_wait_in_words(text: str, wait_s: float | None) -> None:
    """Gemini, OpenAI and Groq write it into the message."""
    assert wait({}, text=text) == (None if wait_s is None else pytest.approx(wait_s))


def test_words_count_only_where_a_wait_is_the_point() -> None:
    """The message of a refused request may repeat what the caller wrote."""
    assert wait({}, text="You wrote: try again in 9999s", http_status=400) is None


def test_the_body_s_own_delay() -> None:
    """google.rpc.RetryInfo, among other details; a header comes before it, words after it."""
    details = [{"reason": "x"}, 7, {"retryDelay": 3}, {"retryDelay": "48s"}]

    assert wait({}, details=details) == 48
    assert wait({"retry-after": "2"}, details=details) == 2
    assert wait({}, details=details, text="retry in 1s") == 48


@given(st.text())
def test_any_text_is_a_wait_or_none(text: str) -> None:
    """No text makes an exception or a wait that is below zero."""
    assert (duration_s(text) or 0) >= 0
    names = ("retry-after", "x-ratelimit-reset", "anthropic-ratelimit-tokens-reset")
    for name in names:
        found = wait({name: text, "x-ratelimit-remaining": "0", "anthropic-ratelimit-tokens-remaining": "0"})
        assert found is None or 0 <= found <= WAIT_MAX_S
