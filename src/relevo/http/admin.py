"""The operator's own listener. It holds nothing but `/metrics` and the health of the process."""

from collections.abc import Callable

from relevo.http.messages import Receive, Response, Scope, Send


class AdminApp:
    """`/metrics` for Prometheus, on a listener of its own."""

    def __init__(self, metrics_page: Callable[[], bytes], content_type: bytes) -> None:
        self._metrics_page = metrics_page
        self._content_type = content_type

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            raise RuntimeError(f"relevo speaks HTTP only, not {scope['type']}")
        if scope["path"] == "/metrics" and scope["method"] == "GET":
            response = Response(200, self._metrics_page(), content_type=self._content_type)
        elif scope["path"] == "/healthz" and scope["method"] == "GET":
            response = Response(200, b'{"status":"ok"}')
        else:
            response = Response(404, b'{"error":"there is only GET /metrics here","code":"not_found"}')
        await response.send(send)
