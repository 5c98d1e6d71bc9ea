"""What a provider's answer is made of, and how the pieces become a whole.

Every dialect's stream is decoded into these events, so that what reads them knows no provider.
"""

from dataclasses import dataclass, field

from relevo.core.errors import Fault, UpstreamError
from relevo.core.types import Completion, FinishReason, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of the model's reasoning. Never part of the answer, but a sign of life."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call; pieces with the same `index` belong together."""

    index: int
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class UsageSeen:
    """Token counts so far. A later one replaces an earlier one; they are never added up."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class ModelSeen:
    """The model that the provider says it used."""

    response_model: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The model stopped, and why."""

    reason: FinishReason


@dataclass(frozen=True, slots=True)
class End:
    """The protocol's own end marker: nothing of this answer follows."""


Event = TextDelta | ReasoningDelta | ToolCallDelta | UsageSeen | ModelSeen | Finish | End

TOKENS = (TextDelta, ReasoningDelta, ToolCallDelta)
"""Events that show that the model is at work; the wait for the first token ends with one of them."""


@dataclass(slots=True)
class _OpenToolCall:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Assembler:
    """Puts events together into one answer, and refuses to pass half of one off as whole."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._tool_calls: dict[int, _OpenToolCall] = {}
        self._usage: Usage | None = None
        self._model = ""
        self._finish: FinishReason | None = None
        self.ended = False
        """Whether the protocol's own end marker was seen."""

    def add(self, event: Event) -> None:
        """Take in the next event."""
        match event:
            case TextDelta(text):
                self._text.append(text)
            case ToolCallDelta():
                self._add_tool_call(event)
            case UsageSeen(usage):
                self._usage = usage
            case ModelSeen(model):
                self._model = model
            case Finish(reason):
                self._finish = reason
            case End():
                self.ended = True
            case ReasoningDelta():
                pass

    def _add_tool_call(self, delta: ToolCallDelta) -> None:
        call = self._tool_calls.setdefault(delta.index, _OpenToolCall())
        call.id = call.id or delta.id
        call.name = call.name or delta.name
        call.arguments.append(delta.arguments)

    def completion(self) -> Completion:
        """The whole answer.

        Raises:
            UpstreamError: The answer was cut (no end marker and no finish reason), is empty, or has no usage.
        """
        if self._finish is None and not self.ended:
            fault = Fault.CONNECTION_LOST if self._text or self._tool_calls else Fault.EMPTY_REPLY
            raise UpstreamError(fault, detail="the answer ended without its end marker", repeatable=False)
        calls = tuple(
            ToolCall(call.id or f"call_{index}", call.name, "".join(call.arguments))
            for index, call in sorted(self._tool_calls.items())
        )
        reason: FinishReason = "tool_calls" if calls else (self._finish or "stop")
        content = "".join(self._text)
        if not content and not calls and reason != "content_filter":
            raise UpstreamError(Fault.EMPTY_REPLY, detail=f"no text and no tool call (finish_reason {reason})")
        if self._usage is None:
            raise UpstreamError(Fault.USAGE_MISSING, detail="a whole answer without token counts")
        return Completion(
            content=content,
            finish_reason=reason,
            usage=self._usage,
            response_model=self._model,
            tool_calls=calls,
        )
