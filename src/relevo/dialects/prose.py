"""The one place where a provider's words are read, for what it reports in no other way (WIRE.md §20, §24).

A message may repeat what the caller wrote. So a word that costs a provider its key is looked for at the very
beginning of the message, in the statuses and at the provider that are known for it, and nowhere else.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from relevo.core.errors import Fault

TEXT_MAX: Final = 4096
"""Characters of a message that are looked at."""


@dataclass(frozen=True, slots=True)
class Words:
    """How a message of one provider begins, and what it means then."""

    statuses: frozenset[int]
    begins: str
    fault: Fault

    def match(self, http_status: int, text: str) -> bool:
        """Whether these are the words."""
        return http_status in self.statuses and text[: len(self.begins)].lower() == self.begins.lower()


_TOO_LONG_STATUSES: Final = frozenset({200, 400, 403, 413, 422, 429, 500})
_TOO_LONG: Final = re.compile(
    r"maximum context length|exceeds the context window|prompt is too long|exceed context limit"
    r"|input token count .{0,40}exceeds the maximum|range of input length should be|input tokens exceeded"
    r"|input is too long|too many tokens|prompt too long; exceeded|longer than the model's context length"
    r"|total length of all messages is too long|reduce the length of the messages"
    r"|request too large for model",
    re.IGNORECASE,
)
_WAIT: Final = re.compile(
    r"\b(?:retry|try again) in ((?:\d{1,4}h)?(?:\d{1,4}m(?!s))?\d{1,9}(?:\.\d{1,18})?(?:ms|s))(?![a-z])",
    re.IGNORECASE,
)


def too_long(http_status: int, texts: Collection[str]) -> bool:
    """Whether a message says that the request is too long for the model: several providers have no code for it."""
    return http_status in _TOO_LONG_STATUSES and any(_TOO_LONG.search(text[:TEXT_MAX]) for text in texts)


def wait(texts: Collection[str]) -> str | None:
    """The duration in `retry in 1.5s`, `try again in 6m0s` and the like."""
    for text in texts:
        match = _WAIT.search(text[:TEXT_MAX])
        if match:
            return match.group(1)
    return None
