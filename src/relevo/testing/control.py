"""How a test in another process steers a scripted provider: three paths on its own port."""

import re
from typing import Any, Final

import msgspec

from relevo.testing.answers import AccentName, reply
from relevo.testing.faults import UnknownFault, fault, in_order
from relevo.testing.script import Received, Script, in_pieces
from relevo.testing.upstream import ScriptedUpstream

SCRIPT_PATH: Final = "/_script"
REQUESTS_PATH: Final = "/_requests"
_SECRET_HEADERS: Final = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"})
_BLANK: Final = "(blanked)"
_FAIL: Final = {"fail": "server-error"}


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `PUT /_script`."""

    faults: list[str]
    """Names in order, each with `:N` for so many times; the last one for ever."""
    models: str | None = None
    """How the list of models is answered from now on: a name, or `fail`. None: as before."""


class ControlledUpstream(ScriptedUpstream):
    """A scripted provider that is also told over HTTP what to do next, and tells what came.

    Raises:
        UnknownFault: As `in_order`.
    """

    def __init__(self, order: Order, *, accent: AccentName = "openai", chunk_size: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self._accent = accent
        self._chunk_size = chunk_size
        self._obey(order)

    def _obey(self, order: Order) -> None:
        answers = in_order(order.faults or ["ok"], self._accent)
        models = order.models and fault(_FAIL.get(order.models, order.models), self._accent)
        self.scripts = answers
        self.models = models or self.models

    def answer(self, request: Received) -> Script:
        """See `ScriptedUpstream.answer`. What comes over the control paths is not on record."""
        match request.method, request.path:
            case "PUT", path if path == SCRIPT_PATH:
                return self._order(request)
            case "GET", path if path == REQUESTS_PATH:
                return reply([self._shown(one) for one in self.received])
            case "DELETE", path if path == REQUESTS_PATH:
                self.received.clear()
                self.probes.clear()
                return reply([])
            case _, path if path in (SCRIPT_PATH, REQUESTS_PATH):
                return reply({"error": f"use PUT {SCRIPT_PATH}, GET or DELETE {REQUESTS_PATH}"}, 405)
        script = super().answer(request)
        return in_pieces(script, self._chunk_size) if self._chunk_size else script

    def _order(self, request: Received) -> Script:
        try:
            order = msgspec.json.decode(request.body, type=Order)
            self._obey(order)
        except (msgspec.DecodeError, UnknownFault) as error:
            hint = 'write {"faults": ["rate-limited:2", "ok"]}' if isinstance(error, msgspec.DecodeError) else ""
            return reply({"error": f"{error}; {hint}" if hint else str(error)}, 400)
        return reply({"faults": order.faults, "models": order.models})

    @staticmethod
    def _shown(request: Received) -> dict[str, Any]:
        headers = {name: _BLANK if name in _SECRET_HEADERS else value for name, value in request.headers.items()}
        try:
            body = request.json
        except (msgspec.DecodeError, UnicodeDecodeError):
            body = request.body.decode(errors="replace")
        path = re.sub(r"(?<=[?&]key=)[^&]*", _BLANK, request.path)
        return {"method": request.method, "path": path, "headers": headers, "body": body, "at_s": request.at_s}
