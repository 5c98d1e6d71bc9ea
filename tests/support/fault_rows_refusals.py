"""Rows of the table of faults: what providers say no with (19, 20, 65), and in whose words."""

from relevo.testing import Answer, fault
from relevo.testing.refusals import status
from support.fault_table import Row, next_one, nobody, once_more, only


def limited_once(header: str, value: str) -> tuple[Answer | str, ...]:
    """429 with this header, and a good answer to all that comes after it."""
    return status(429, "openai", [(header, value)]), fault("ok")


TWICE = next_one("rate_limited, a rate_limited", "2+1", house=False)
KEY = next_one("credential_refused")
QUOTA = next_one("quota_exhausted")
NEVER_401 = "next target; never a 401 to the caller"

WAITS = (
    Row(19, "429, `retry-after-ms: 100`, then well", limited_once("retry-after-ms", "100"), "waited for: the same target once more",
        once_more("rate_limited")),
    Row(19, "429, `retry-after: 1`, then well", limited_once("retry-after", "1"), "waited for", once_more("rate_limited"),
        bench="retry-after seconds"),
    Row(19, "429, `retry-after` as a date in 2 s, then well", ("rate-limited-date", "ok"), "waited for",
        only(once_more("rate_limited"), "plain")),
    Row(19, "429, `retry-after: 0`, again and again", "rate-limited-zero", "once more, then the next target",
        only(TWICE, "plain", "streamed")),
)  # fmt: skip
"""Each wait takes a token of the budget of repeats, so these have a gateway of their own."""

REFUSALS = (
    Row(19, "429, `retry-after: 3600`", "rate-limited-long", "too long: next target", next_one("rate_limited")),
    Row(19, "429, `retry-after: -5`", "rate-limited-negative", "no wait is named: next target",
        next_one("rate_limited")),
    Row(19, "429, `retry-after: soon`", "rate-limited-garbage", "no wait is named: next target",
        next_one("rate_limited")),
    Row(19, "429, `retry-after` as a date that is past", limited_once("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"),
        "no wait is named: next target", next_one("rate_limited")),
    Row(19, "429 without a hint", "rate-limited-bare", "next target", next_one("rate_limited")),
    Row(19, "429 with 30 s in Gemini's body", "rate-limited-body", "too long: next target", next_one("rate_limited")),
    Row(20, "500", "server-error", "next target", next_one("server_error")),
    Row(20, "502 with a proxy's page", "html-502", "next target", next_one("server_error")),
    Row(20, "503", "unavailable", "next target", next_one("overloaded"), bench="503"),
    Row(20, "504", "timeout-504", "next target", next_one("server_error")),
    Row(20, "529", "overloaded-529", "next target", next_one("overloaded")),
    Row(21, "503, and no other target", "unavailable", "asked twice, then an error at once",
        nobody("a overloaded, a overloaded", "2+0"), alone=True),
    Row(65, "403", "forbidden", NEVER_401, KEY),
    Row(65, "403, and no other target", "forbidden", "an error, and never a 401", nobody("a credential_refused"),
        alone=True),
    Row(0, "the prompt is too long for the model", "context-overflow", "next target: its window may be larger",
        next_one("context_length_exceeded"), bench="context overflow"),
    Row(0, "the same, and no other target", "context-overflow", "the caller is told",
        nobody("a context_length_exceeded", error="400 context_length_exceeded"), alone=True,
        bench="context overflow"),
    Row(0, "the prompt is refused for its content", "content-filtered", "next target", next_one("content_filtered")),
    Row(0, "the model is not known", "model-not-found", "next target", next_one("model_not_found")),
)  # fmt: skip

ACCENTS = (
    Row(65, "a bad key at OpenAI (401)", "bad-key", NEVER_401, KEY, accent="openai", bench="auth failure"),
    Row(65, "a bad key at Gemini (400)", "bad-key", NEVER_401, KEY, accent="gemini", bench="auth failure"),
    Row(65, "a bad key at Qwen", "bad-key", NEVER_401, KEY, accent="qwen"),
    Row(65, "a bad key at DeepSeek", "bad-key", NEVER_401, KEY, accent="deepseek"),
)  # fmt: skip
"""One gateway for each way to call: a refused key holds for all models of a provider."""

POOR = (
    Row(65, "an empty account at OpenAI (429)", "quota", "next target, without a wait", QUOTA, accent="openai"),
    Row(65, "an empty account at Gemini (402)", "quota", "next target", QUOTA, accent="gemini"),
    Row(65, "an empty account at Qwen (400)", "quota", "next target", QUOTA, accent="qwen"),
    Row(65, "an empty account at DeepSeek (402)", "quota", "next target", QUOTA, accent="deepseek"),
)  # fmt: skip
