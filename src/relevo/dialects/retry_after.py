"""How long a provider wants to be left alone, in every form in which one says so (WIRE.md §24, §1c).

Read on errors only: Anthropic sends the header with answers, too.
"""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from relevo.dialects import prose

Header = Callable[[str], str]
"""A header by its lower-case name; empty where there is none."""

WAIT_MAX_S: Final = 86_400.0
"""Nobody is left alone longer than a day on its own word."""

_TEXT_STATUSES: Final = frozenset({200, 429, 498, 500, 503, 529})
_NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d{1,18})?")
_DURATION: Final = re.compile(
    r"(?:(\d{1,4})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,9}(?:\.\d{1,18})?)s)?(?:(\d{1,12}(?:\.\d{1,18})?)ms)?",
    re.IGNORECASE,
)
_UNITS_S: Final = (86_400.0, 3600.0, 60.0, 1.0, 0.001)
_EPOCH_S: Final = 1e9
_EPOCH_MS: Final = 1e12
_BUCKETS: Final = (
    # limit names a bucket; {} stands for `remaining` or `reset`
    "x-ratelimit-{}-requests",
    "x-ratelimit-{}-tokens",
    "anthropic-ratelimit-requests-{}",
    "anthropic-ratelimit-tokens-{}",
    "anthropic-ratelimit-input-tokens-{}",
    "anthropic-ratelimit-output-tokens-{}",
    "x-ratelimit-{}",
)


def no_header(_name: str) -> str:
    """Headers of an error that has none: one inside an answer."""
    return ""


def retry_after_s(
    header: Header, details: Any, texts: Collection[str], *, http_status: int, wall_s: float | None
) -> float | None:
    """Seconds to wait by the first source that is readable. None: nothing is said, or nothing believable.

    Args:
        header: The answer's headers.
        details: `error.details` of its body (google.rpc.RetryInfo).
        texts: Its messages.
        http_status: Its status: prose is believed where a wait is the point.
        wall_s: Now, in seconds since 1970, for dates. None: dates are not read.
    """
    for wait_s in _waits(header, details, texts if http_status in _TEXT_STATUSES else (), wall_s):
        if wait_s is not None:
            return min(wait_s, WAIT_MAX_S)
    return None


def _waits(header: Header, details: Any, texts: Collection[str], wall_s: float | None) -> Iterator[float | None]:
    """Every source, the most exact first."""
    yield _number(header("retry-after-ms"), 0.001)
    yield _number(header("x-ms-retry-after-ms"), 0.001)
    yield _seconds_or_date(header("retry-after"), wall_s)
    yield _retry_info(details)
    yield duration_s(prose.wait(texts) or "")
    yield _exhausted(header, wall_s)


def duration_s(text: str) -> float | None:
    """`12ms`, `17.39s`, `6m0s`, `1h2m3s` in seconds. None: it is none of these."""
    match = _DURATION.fullmatch(text.strip())
    if not match or not any(match.groups()):
        return None
    return sum(float(part) * unit for part, unit in zip(match.groups(), _UNITS_S, strict=True) if part)


def _number(text: str, unit_s: float) -> float | None:
    text = text.strip()  # of more white space than `float` strips
    return float(text) * unit_s if _NUMBER.fullmatch(text) else None


def _seconds_or_date(text: str, wall_s: float | None) -> float | None:
    seconds = _number(text, 1.0)
    if seconds is not None or not text or wall_s is None:
        return seconds
    try:
        return _until(parsedate_to_datetime(text), wall_s)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _until(moment: datetime, wall_s: float) -> float | None:
    """Seconds from now; a moment that has passed says nothing of how long to wait."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    left_s = moment.timestamp() - wall_s
    return left_s if left_s >= 0 else None


def _retry_info(details: Any) -> float | None:
    if isinstance(details, list):
        for detail in details:
            delay = detail.get("retryDelay") if isinstance(detail, dict) else None
            seconds = duration_s(delay) if isinstance(delay, str) else None
            if seconds is not None:
                return seconds
    return None


def _exhausted(header: Header, wall_s: float | None) -> float | None:
    """When the buckets are full again of which nothing remains: the latest of them counts."""
    waits = (
        _reset(header(bucket.format("reset")).strip(), wall_s)
        for bucket in _BUCKETS
        if _number(header(bucket.format("remaining")), 1.0) == 0
    )
    return max((wait_s for wait_s in waits if wait_s is not None), default=None)


def _reset(text: str, wall_s: float | None) -> float | None:
    """A duration, bare seconds (Azure), a moment in RFC 3339 (Anthropic) or since 1970 (OpenRouter, in ms)."""
    number = _number(text, 1.0)
    if number is None:
        return duration_s(text) if wall_s is None or "-" not in text else _rfc3339(text, wall_s)
    if number < _EPOCH_S:
        return number
    if wall_s is None:
        return None
    left_s = (number / 1000 if number >= _EPOCH_MS else number) - wall_s
    return left_s if left_s >= 0 else None


def _rfc3339(text: str, wall_s: float) -> float | None:
    try:
        return _until(datetime.fromisoformat(text), wall_s)
    except (ValueError, OverflowError):
        return None
