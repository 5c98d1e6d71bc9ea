"""What is written down of a request and of each try, and who may watch. No prompt, no answer, no key."""

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from relevo.core.errors import MEANING, Blame, Fault
from relevo.core.types import Usage

Outcome = Literal["ok", "failed", "skipped"]
_FAULTS: Final = frozenset(fault.value for fault in Fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of one target, or the decision not to try it."""

    number: int
    """Counts from 1 within the request, in the order of the plan."""
    provider: str
    upstream_model: str
    outcome: Outcome
    code: str | None = None
    """Why it failed (a `Fault`) or was passed over (`no_key`, …). None: it answered."""
    phase: str | None = None
    """How far a failed try had come."""
    http_status: int | None = None
    upstream_code: str | None = None
    """The provider's own error code, where it has a short structured one."""
    detail: str | None = None
    until_ms: int | None = None
    """When a target that was passed over may be asked again, where that is known."""
    ms: int = 0
    first_token_ms: int | None = None
    """From the beginning of the try to its first token, reasoning included."""
    usage: Usage | None = None
    usage_estimated: bool = False
    """The provider gave no final count: the usage is our estimate."""
    cost_nano_usd: int | None = None
    """None: the price is not known."""

    @property
    def blame(self) -> Blame | None:
        """Whose fault a failed try was. None: nobody's, it answered, was passed over or was broken off."""
        return MEANING[Fault(self.code)].blame if self.code in _FAULTS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request of an authenticated caller, finished one way or the other."""

    id: str
    started_at_ms: int
    """Milliseconds since 1970, UTC."""
    issuer: str
    subject: str
    task: str | None
    outcome: Literal["ok", "failed"]
    code: str | None
    """The error code that the caller got; `replayed` for an answer given again. None: an answer."""
    http_status: int
    ms: int
    attempts: tuple[Attempt, ...] = ()
    charged_micro: int | None = None
    """What the caller paid, in micro-credits. None: credits are off, or it never came to a price."""
    demo: bool = False

    @property
    def served(self) -> Attempt | None:
        """The attempt that answered."""
        return next((attempt for attempt in self.attempts if attempt.outcome == "ok"), None)


class Observer(Protocol):
    """A sink for finished requests. Called on the event loop: must return at once and never raise."""

    def request_finished(self, record: RequestRecord, /) -> None:
        """Take note of one finished request."""
