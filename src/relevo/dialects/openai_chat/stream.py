"""Streamed answers, with every end and every error that providers put into them (WIRE.md §21)."""

import re
from typing import Final

from relevo.core.errors import Fault, UpstreamError
from relevo.core.events import End, Event
from relevo.dialects.base import Profile
from relevo.dialects.openai_chat.errors import classify
from relevo.dialects.openai_chat.reply import decode_chunk, describe
from relevo.dialects.sse import LineTooLong, SseEvent, SseParser

_STATUS_COMMENT: Final = re.compile(rb"HTTP_STATUS/(\d{3})")


class StreamDecoder:
    """See `relevo.dialects.base.EventDecoder`."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._sse = SseParser()
        self._seen = False

    def feed(self, chunk: bytes) -> list[Event]:
        """See `EventDecoder.feed`."""
        try:
            events = self._sse.feed(chunk)
        except LineTooLong:
            raise UpstreamError(Fault.REPLY_TOO_LARGE, detail="one line of the stream is over 1 MiB") from None
        return self._decode(events)

    def close(self) -> list[Event]:
        """See `EventDecoder.close`."""
        events = self._decode(self._sse.close())
        if self._sse.stray:
            self._read_stray(b"\n".join(self._sse.stray))
        return events

    def _decode(self, events: list[SseEvent]) -> list[Event]:
        decoded: list[Event] = []
        for event in events:
            self._seen = True
            data = event.data.strip()
            if data == b"[DONE]":
                decoded.append(End())
            elif event.event == b"error":
                raise self._named_error(event)
            elif data:
                decoded.extend(decode_chunk(data, self._profile))
        return decoded

    def _named_error(self, event: SseEvent) -> UpstreamError:
        """`event: error`, with DashScope's status in a comment."""
        status = 200
        for comment in event.comments:
            match = _STATUS_COMMENT.search(comment)
            if match:
                status = int(match.group(1))
        error = classify(status, event.data, self._profile)
        fault = Fault.ERROR_IN_REPLY if error.fault is Fault.UNEXPECTED_STATUS else error.fault
        return UpstreamError(
            fault, http_status=200, upstream_code=error.upstream_code, detail="an error event inside a 200"
        )

    def _read_stray(self, text: bytes) -> None:
        """Lines outside of any event: Gemini's bare JSON error, or a page of HTML sent as a stream."""
        if text.lstrip()[:1] in (b"{", b"["):
            decode_chunk(text, self._profile)
        if not self._seen:
            raise UpstreamError(Fault.BAD_REPLY, detail=f"not a stream of events: {describe(text)}")
