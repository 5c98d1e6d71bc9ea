"""Server-sent events, as the WHATWG standard has them and as providers really send them (WIRE.md §0).

Line ends are LF, CRLF or CR; a chunk may end anywhere, between CR and LF too. Comments may stand inside an
event (DashScope puts the status there), and lines that are no SSE at all may follow (Gemini's bare JSON).
"""

import re
from dataclasses import dataclass, field
from typing import Final

LINE_BYTES_MAX: Final = 1_048_576
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_FIELDS: Final = frozenset({b"data", b"event", b"id", b"retry"})


class LineTooLong(Exception):
    """A line grew beyond `LINE_BYTES_MAX` without an end."""


@dataclass(slots=True)
class SseEvent:
    """One event. `data` lines are joined by LF."""

    data: bytes = b""
    event: bytes = b""
    comments: list[bytes] = field(default_factory=list)


class SseParser:
    """Feed it chunks, take whole events."""

    def __init__(self) -> None:
        self._buffer = b""
        self._data: list[bytes] = []
        self._event = b""
        self._comments: list[bytes] = []
        self._first = True
        self.stray: list[bytes] = []
        """Lines that are neither SSE fields nor comments, in order."""

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Events that are complete now.

        Raises:
            LineTooLong: A single line passed its bound.
        """
        buffer = self._buffer + chunk if self._buffer else chunk
        if self._first and buffer:
            if buffer == b"\xef" or buffer == b"\xef\xbb":  # noqa: PLR1714 - a byte-order mark cut in two
                self._buffer = buffer
                return []
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
            self._first = False
        events: list[SseEvent] = []
        start = 0
        for match in _LINE_END.finditer(buffer):
            if match.group() == b"\r" and match.end() == len(buffer):
                break  # the LF of this CRLF may be in the next chunk
            self._line(buffer[start : match.start()], events)
            start = match.end()
        self._buffer = buffer[start:]
        if len(self._buffer) > LINE_BYTES_MAX:
            raise LineTooLong
        return events

    def close(self) -> list[SseEvent]:
        """An event that the end of the connection left without its empty line."""
        events: list[SseEvent] = []
        if self._buffer:
            self._line(self._buffer.rstrip(b"\r"), events)
            self._buffer = b""
        self._dispatch(events)
        return events

    def _line(self, line: bytes, events: list[SseEvent]) -> None:
        if not line:
            self._dispatch(events)
            return
        name, colon, value = line.partition(b":")
        if colon and not name:
            self._comments.append(value)
        elif name not in _FIELDS:
            self.stray.append(line)
        elif name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name == b"event":
            self._event = value.removeprefix(b" ")

    def _dispatch(self, events: list[SseEvent]) -> None:
        if self._data:
            events.append(SseEvent(b"\n".join(self._data), self._event, self._comments))
        self._data, self._event, self._comments = [], b"", []
