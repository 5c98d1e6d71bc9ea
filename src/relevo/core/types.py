"""The nouns of a chat call, between the caller's dialect and the provider's.

Three names for a model and never a bare one: `requested_model` (what the caller asked for),
`upstream_model` (what we ask the provider for), `response_model` (what the provider says it used).
"""

from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "developer", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text in a message of several parts."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture, by URL or as a `data:` URL. relevo never fetches it; the provider may."""

    url: str
    detail: str | None = None


Part = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model wants called. `arguments` is JSON as text, unparsed: models make mistakes."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of the conversation."""

    role: Role
    content: str | tuple[Part, ...] | None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Sampling and format, as in the OpenAI API. None: the provider's default."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    response_format: dict[str, Any] | None = None
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: str | dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One canonical request. Immutable: each attempt is encoded anew from it."""

    messages: tuple[Message, ...]
    params: Params


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Billable tokens. The sums include their parts, which may overlap: cached sound is cached and sound."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    """Of the input: read from the provider's cache."""
    cache_write_input_tokens: int = 0
    """Of the input: put into the provider's cache, which some charge more for."""
    audio_input_tokens: int = 0
    """Of the input: sound."""
    reasoning_output_tokens: int = 0
    """Of the output: reasoning, shown or not."""
    audio_output_tokens: int = 0
    """Of the output: sound."""


Ability = Literal["images", "tools", "json_object", "json_schema"]
"""What a request may ask for and a model may lack. `json_…`: the kinds of `response_format`."""

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A whole answer of a provider."""

    content: str
    finish_reason: FinishReason
    usage: Usage
    response_model: str
    tool_calls: tuple[ToolCall, ...] = ()
    usage_estimated: bool = False
    """The provider gave no token counts: these are ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One place to ask: a provider with a model, and what is true of it in this task."""

    provider: str
    upstream_model: str
    max_tokens: int | None = None
    """The most output tokens asked for; a caller's larger wish is cut to it. None: no limit of ours."""
    first_token_s: float | None = None
    """Longest wait for the first token here. None: the default, longer for models that think in silence."""
    stream_upstream: bool | None = None
    """Ask the provider to stream. None: yes wherever its dialect's stream carries all of the plain answer."""
    context_tokens: int | None = None
    """Its context window. None: unknown, so nothing is too long for it before it says so itself."""
    cannot: frozenset[Ability] = frozenset()
    """What it is known not to be able to. Of all else it is taken to be able."""

    @property
    def name(self) -> str:
        """`provider/model`, as prices and pins write it."""
        return f"{self.provider}/{self.upstream_model}"

    def max_tokens_sent(self, params: Params) -> int | None:
        """The limit on output tokens that goes upstream: the lower of the caller's and ours. None: neither."""
        limits = [limit for limit in (params.max_tokens, self.max_tokens) if limit is not None]
        return min(limits, default=None)


PrincipalKind = Literal["user", "anonymous", "machine"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling. Made only by `auth`, from a verified token. Two are equal if issuer and subject are."""

    issuer: str
    """Name of the issuer's row in the configuration; `local` for the development secret."""
    subject: str
    """The token's `sub`. Unique within its issuer only: an account is the pair."""
    kind: PrincipalKind = field(default="user", compare=False)
    """`anonymous`: somebody who has not signed up yet. `machine`: a program with credentials of its own."""
    tasks: frozenset[str] | None = field(default=None, compare=False)
    """The tasks that its credential allows. None: all."""


OnCut = Literal["restart", "error"]
"""What a stream that breaks off after content becomes: another answer from its beginning, or an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatWish:
    """What a caller of `/api/ai/chat` asked for, before order, locks and limits of the task apply."""

    messages: tuple[Message, ...]
    params: Params
    system: str | None = None
    task: str | None = None
    provider: str | None = None
    requested_model: str | None = None
    use_fallback: bool = True
    stream: bool = False
    on_cut: OnCut | None = None
    """`restart`: the caller understands that what it got so far may become void. None: as the task has it."""
    fields: frozenset[str] = field(default_factory=frozenset)
    """Names of lockable fields that the caller set: system, temperature, tools, response_format, max_tokens."""
