"""The protocol behind which the HTTP client stands, so that it can be replaced.

A transport reports how far it has come by calling `on_phase`, and lets itself be cancelled at any await.
Deadlines are not its business: the caller holds one clock for all phases and cancels.
"""

from collections.abc import Callable
from typing import Protocol

from relevo.core.errors import Phase

OnPhase = Callable[[Phase], None]


class WireReply(Protocol):
    """An answer whose headers have arrived and whose body is still to be read."""

    http_status: int

    @property
    def content_type(self) -> str:
        """Media type in lower case without parameters; empty where the provider named none."""

    def header(self, name: str) -> str:
        """A header by its lower-case name, as it came, several of one name joined by commas; empty without one."""

    async def read(self) -> bytes:
        """The next piece of the body as it arrives, of any size; empty at its end.

        Raises:
            UpstreamError: The connection was lost before the body's promised end.
        """

    def release(self) -> None:
        """The answer is whole: read away what little may follow, behind the caller, and keep the connection."""

    def abort(self) -> None:
        """Nothing more of this answer is wanted: close its connection at once."""


class Transport(Protocol):
    """Opens one exchange at a time; keeps connections for the next ones."""

    async def open(
        self, url: str, headers: tuple[tuple[str, str], ...], body: bytes, on_phase: OnPhase
    ) -> WireReply:
        """POST `body` to `url` and return once the headers of the answer are there. Follows no redirect.

        Calls `on_phase(SEND)` with a working connection, `on_phase(HEADERS)` once the request is sent, and
        `on_phase(FIRST_EVENT)` with the headers of the answer. When a kept connection turns out to be closed
        before any byte of an answer, a new one takes its place, and SEND and HEADERS are told again.

        Raises:
            UpstreamError: No connection, or it was lost.
        """

    async def get(self, url: str, headers: tuple[tuple[str, str], ...], on_phase: OnPhase) -> WireReply:
        """GET `url`, for free probes such as a list of models. Raises as `open`."""

    async def aclose(self) -> None:
        """Close all connections."""
