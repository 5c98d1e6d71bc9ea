"""Short names for what the tests use of `relevo.testing`, with the short texts that they expect."""

from typing import Any

from relevo import testing
from relevo.testing import USAGE, Answer, Hang, Received, Script, ScriptedUpstream, delta, reply, sse

__all__ = [
    "HANG",
    "USAGE",
    "Received",
    "Script",
    "Upstream",
    "completion",
    "delta",
    "reply",
    "sse",
    "streamed",
    "upstream",
]

Upstream = ScriptedUpstream
HANG = Hang()


def upstream(*scripts: Script, choose: Answer | None = None) -> ScriptedUpstream:
    """A provider with these scripts, or one that chooses by the request."""
    return ScriptedUpstream(*(scripts if choose is None else (choose,)))


def completion(text: str = "hola", **changes: Any) -> dict[str, Any]:
    """A plain chat completion, with members changed or (by `...`) left out."""
    return testing.completion(text, **changes)


def streamed(text: str = "hola") -> Script:
    """A whole streamed answer in two pieces, its token counts with the finish reason."""
    return sse(delta(text[:2]), delta(text[2:]), delta(None, "stop", usage=USAGE), "[DONE]")
