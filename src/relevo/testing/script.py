"""What a scripted provider does with one request: a sequence of steps, and the request that it answers."""

from asyncio import Event
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec


@dataclass(frozen=True, slots=True)
class Drip:
    """Send `data` in pieces of `size` bytes, with `gap_s` seconds between them."""

    data: bytes
    size: int = 1
    gap_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Repeat:
    """Send `data` so many `times`, or until the other side leaves; never held in memory as a whole."""

    data: bytes
    times: int | None = None
    gap_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on once a test sets `event`, so that nothing has to sleep for a moment to come."""

    event: Event


@dataclass(frozen=True, slots=True)
class Hang:
    """Send nothing more, and keep the connection open until the other side leaves."""


@dataclass(frozen=True, slots=True)
class Reset:
    """End the connection by a TCP reset: the other side's next read is ECONNRESET.

    Many clients then drop what they have not read yet: put a pause before it where the bytes must be seen.
    """


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Send the end of the stream but keep reading. Put `Hang()` behind it: else the close follows."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection in order. The same happens after the last step of a script."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """As the last step: keep the connection, and answer the next request that comes on it."""


Step: TypeAlias = bytes | float | Drip | Repeat | Wait | Hang | Reset | HalfClose | Close | KeepAlive
"""Bytes are sent, each in a write of its own; a number is a pause in seconds; the others say what they do."""

Script: TypeAlias = Sequence[Step]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came."""

    method: str
    path: str
    """The request's target, query included."""
    headers: Mapping[str, str]
    """By lower-case name; several of one name joined by commas."""
    body: bytes
    at_s: float = 0.0
    """When it was whole, in seconds since the upstream was started, on its clock."""
    wall_s: float = 0.0
    """The same moment in seconds since 1970."""
    nth: int = 1
    """Which request of its connection this is, from 1."""

    @property
    def line(self) -> str:
        """The request line."""
        return f"{self.method} {self.path} HTTP/1.1"

    @property
    def json(self) -> Any:
        """The decoded body. Raises `msgspec.DecodeError` or `UnicodeDecodeError` where it is none."""
        return msgspec.json.decode(self.body)

    @property
    def is_probe(self) -> bool:
        """Whether it asks for the list of models, which costs nothing at any provider."""
        return self.method == "GET" and self.path.partition("?")[0].endswith("/models")


Answer: TypeAlias = Script | Callable[[Received], Script]
"""A script, or a function that chooses one when the request is there."""


def outage(from_s: float, to_s: float, during: Answer, otherwise: Answer) -> Answer:
    """`during` for what arrives from `from_s` until before `to_s` (see `Received.at_s`), else `otherwise`."""

    def choose(request: Received) -> Script:
        return script_for(during if from_s <= request.at_s < to_s else otherwise, request)

    return choose


def script_for(answer: Answer, request: Received) -> Script:
    """The script with which `answer` meets `request`.

    Raises:
        TypeError: It is bytes, which would be read as a sequence of numbers.
    """
    script = answer(request) if callable(answer) else answer
    if isinstance(script, bytes):
        raise TypeError("a script is a list of steps: write [b'…']")
    return script


def in_pieces(script: Script, size: int) -> list[Step]:
    """The same script with all its bytes sent in pieces of `size`."""
    return [Drip(step, size) if isinstance(step, bytes) else step for step in script]
