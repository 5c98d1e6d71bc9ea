"""The operator's own listener: `/metrics`, the health of the process, and `/admin/api` behind its own token."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from relevo.auth.admin_token import AdminGate
from relevo.core.clock import Clock
from relevo.core.errors import CallerGone, Code, GatewayError
from relevo.core.ids import request_id
from relevo.core.ledger import StoreUnavailable
from relevo.http.admin_api import AdminApi
from relevo.http.errors import error_json, error_response
from relevo.http.messages import Receive, Request, Response, Scope, Send
from relevo.http.texts import Locale

_API: Final = "/admin/api/"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminState:
    """What the admin listener needs of one configuration. A reload swaps it."""

    api: AdminApi
    locale: Locale
    demo: bool


class AdminApp:
    """Nothing of value is served without the token, and no cookie is read: a page that you visit cannot use it."""

    def __init__(
        self,
        state: AdminState,
        gate: AdminGate,
        clock: Clock,
        metrics_page: Callable[[], bytes],
        content_type: bytes,
    ) -> None:
        self.state = state
        """Replaced by a reload."""
        self._gate = gate
        self._clock = clock
        self._metrics_page = metrics_page
        self._content_type = content_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            raise RuntimeError(f"relevo speaks HTTP only, not {scope['type']}")
        request = Request(scope, receive, request_id(self._clock.wall_s()))
        if request.path == "/metrics" and request.method == "GET":
            response = Response(200, self._metrics_page(), content_type=self._content_type)
        elif request.path == "/healthz" and request.method == "GET":
            response = Response(200, b'{"status":"ok"}')
        else:
            try:
                response = await self._answer(request)
            except CallerGone:
                return
        response.headers.append((b"x-request-id", request.id.encode()))
        response.headers.append((b"cache-control", b"no-store"))
        await response.send(send)

    async def _answer(self, request: Request) -> Response:
        state = self.state
        try:
            self._let_in(request)
            return await state.api.answer(request)
        except GatewayError as known:
            error = known
        except StoreUnavailable:
            error = GatewayError(Code.UNAVAILABLE)
        except CallerGone:
            raise
        except Exception:  # noqa: BLE001 - the edge: a bug becomes a fixed text and a line in the log
            _log.exception("bug while answering %s", request.id)
            error = GatewayError(Code.INTERNAL_ERROR)
        return error_response(error, error_json(error, request, locale=state.locale, demo=state.demo))

    def _let_in(self, request: Request) -> None:
        if not request.path.startswith(_API):
            raise GatewayError(Code.NOT_FOUND, "not_found.admin")
        self._gate.check(_bearer(request), request.address)


def _bearer(request: Request) -> str:
    values = request.headers_all(b"authorization")
    if len(values) > 1:
        raise GatewayError(Code.INVALID_REQUEST, "invalid_request.two_credentials", field="Authorization")
    scheme, _, token = values[0].partition(" ") if values else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else ""
