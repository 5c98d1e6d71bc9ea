"""Logs: one JSON line a request, and JSON lines for the rest, on standard error."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from relevo.core.record import RequestRecord
from relevo.core.secret import Redactor

_encode = msgspec.json.Encoder().encode
_LINE_MAX = 4000


class JsonLines(logging.Formatter):
    """Formats a log record as one JSON line, known secrets blanked out."""

    def __init__(self) -> None:
        super().__init__()
        self.redactor = Redactor([])

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line: dict[str, Any] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.redactor.clean(record.getMessage())[:_LINE_MAX],
        }
        if record.exc_info:
            line["exception"] = self.redactor.clean(self.formatException(record.exc_info))[-_LINE_MAX:]
        return _encode(line).decode()


def set_up(stream: TextIO | None = None) -> JsonLines:
    """Send all logging to `stream` (standard error) as JSON lines. Returns the formatter, for its redactor."""
    formatter = JsonLines()
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    return formatter


class RequestLog:
    """An `Observer` that writes one line a request."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self.dropped = 0
        """Lines that could not be written: a closed or broken log costs lines, never answers."""

    def request_finished(self, record: RequestRecord, /) -> None:
        """See `Observer`."""
        served = record.served
        line = {
            "time": _time(record.started_at_ms / 1000),
            "event": "request",
            "request_id": record.id,
            "user": f"{record.issuer}:{record.subject}",
            "task": record.task,
            "outcome": record.outcome,
            "code": record.code,
            "http_status": record.http_status,
            "ms": record.ms,
            "provider": served.provider if served else None,
            "model": served.upstream_model if served else None,
            "input_tokens": served.usage.input_tokens if served and served.usage else None,
            "output_tokens": served.usage.output_tokens if served and served.usage else None,
            "tries": [
                {
                    "provider": a.provider,
                    "model": a.upstream_model,
                    "outcome": a.outcome,
                    "code": a.code,
                    "ms": a.ms,
                }
                for a in record.attempts
            ],
        }
        try:
            (self._stream or sys.stderr).write(_encode(line).decode() + "\n")
        except (OSError, ValueError):
            self.dropped += 1


def _time(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
