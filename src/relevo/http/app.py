"""The ASGI application for callers: routes, identity, errors. Every route is on one table."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from relevo.auth.api_keys import Authenticator
from relevo.core.clock import Clock
from relevo.core.errors import CallerGone, Code, GatewayError
from relevo.core.ids import request_id
from relevo.core.types import Principal
from relevo.http.chat_answer import answer_response, balance_json, encode, quote_json
from relevo.http.chat_body import parse_chat_body
from relevo.http.cors import cors_headers, preflight
from relevo.http.errors import error_response
from relevo.http.messages import Receive, Request, Response, Scope, Send
from relevo.http.texts import Locale
from relevo.service.chat import Answer, ChatService
from relevo.service.once import make_once

_log = logging.getLogger(__name__)


Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that requests need of one configuration. A reload swaps it whole; running requests keep theirs."""

    chat: ChatService
    verifier: Authenticator
    allowed_origins: Collection[str]
    locale: Locale
    body_bytes_max: int
    webhooks: Mapping[str, Handler] = field(default_factory=dict)
    """Paths at which payments are reported, where the configuration has them."""


class Counts(Protocol):
    """Counts what was refused before anybody was known."""

    def refused_before_auth(self, code: str, /) -> None:
        """One more request refused with this code."""


class Route(NamedTuple):
    """One path: its method and what answers it."""

    method: str
    handler: Callable[[Request, State], Awaitable[Response]]


class HttpApp:
    """`POST /api/ai/chat` and its neighbours."""

    def __init__(self, state: State, clock: Clock, counts: Counts, is_ready: Callable[[], bool]) -> None:
        self.state = state
        """Replaced by a reload."""
        self._clock = clock
        self._counts = counts
        self._is_ready = is_ready
        self._running: set[asyncio.Task[object]] = set()
        self._cut_short = False
        self._refusal_noted_s = -1.0
        self._routes: Final[dict[str, Route]] = {
            "/api/ai/chat": Route("POST", self._chat),
            "/api/ai/tasks": Route("GET", self._tasks),
            "/api/ai/credits": Route("GET", self._credits),
            "/api/ai/quote": Route("POST", self._quote),
            "/healthz": Route("GET", self._healthz),
            "/readyz": Route("GET", self._readyz),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            raise RuntimeError(f"relevo speaks HTTP only, not {scope['type']}")
        state = self.state
        request = Request(scope, receive, request_id(self._clock.wall_s()))
        task = _this_task()
        self._running.add(task)
        try:
            response = await self._answer(request, state)
        except CallerGone:
            return
        finally:
            self._running.discard(task)
        response.headers.append((b"x-request-id", request.id.encode()))
        response.headers.extend(cors_headers(request, state.allowed_origins))
        await response.send(send)

    @property
    def running(self) -> int:
        """How many requests are being answered now."""
        return len(self._running)

    async def finished(self) -> None:
        """Returns when nothing is being answered, calls that outlived their callers included."""
        while self._running:
            await asyncio.wait(self._running)

    async def cut_short(self, wait_s: float) -> None:
        """End what is still running: callers get 503, the record its rows. Returns when it is so, or late."""
        self._cut_short = True
        running = set(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=wait_s)

    async def _answer(self, request: Request, state: State) -> Response:
        try:
            return await self._route(request, state)
        except GatewayError as known:
            error = known
        except CallerGone:
            raise
        except asyncio.CancelledError:  # before its work began; _while_wanted turns the rest
            if not self._cut_short:
                raise
            error = GatewayError(Code.UNAVAILABLE)
        except Exception:  # noqa: BLE001 - the edge: a bug becomes a fixed text and a line in the log
            _log.exception("bug while answering %s", request.id)
            error = GatewayError(Code.INTERNAL_ERROR)
        return error_response(
            error,
            request.id,
            locale=state.locale,
            accept_language=request.header(b"accept-language"),
            demo=state.chat.demo,
        )

    async def _route(self, request: Request, state: State) -> Response:
        route = self._routes.get(request.path)
        webhook = state.webhooks.get(request.path)
        if webhook is not None:
            route = Route("POST", lambda request, _state: webhook(request))
        if route is None:
            self._counts.refused_before_auth(Code.NOT_FOUND)
            raise GatewayError(Code.NOT_FOUND)
        if request.method == "OPTIONS" and request.header(b"access-control-request-method"):
            return preflight(request, state.allowed_origins)
        if request.method != route.method:
            self._counts.refused_before_auth(Code.METHOD_NOT_ALLOWED)
            raise GatewayError(Code.METHOD_NOT_ALLOWED, allowed=route.method)
        return await route.handler(request, state)

    async def _authenticate(self, request: Request, state: State) -> Principal:
        """Who is calling. Every handler that serves anything of value begins with this."""
        try:
            return await state.verifier.verify(_credential(request))
        except GatewayError as error:
            self.note_refusal(error.code, str(error.values.get("reason", "")))
            raise

    def note_refusal(self, code: Code, reason: str, what: str = "session token") -> None:
        """Count it, and tell the operator which check failed, once a second at most: strangers fill no log."""
        self._counts.refused_before_auth(code)
        now_s = self._clock.now_s()
        if reason and now_s - self._refusal_noted_s >= 1:
            self._refusal_noted_s = now_s
            _log.warning("a %s was refused: %s", what, reason)

    async def _chat(self, request: Request, state: State) -> Response:
        principal = await self._authenticate(request, state)
        key = request.header(b"idempotency-key")
        answer = await self._while_wanted(request, self._call(request, state, principal, key), to_its_end=bool(key))
        return answer_response(answer, demo=state.chat.demo)

    async def _call(self, request: Request, state: State, principal: Principal, key: str) -> Answer:
        """One chat call, from its body to its row in the record. Cancelled, it says why it ended."""
        with state.chat.visit(principal, request.id) as visit:
            try:
                async with state.chat.admitted(principal):
                    body = await request.json_body(state.body_bytes_max)
                    wish = parse_chat_body(body)
                    once = None
                    if key:
                        once = make_once(principal, key, request.path, body, request.id, state.chat.wallet)
                    return await state.chat.chat(visit, wish, once)
            except asyncio.CancelledError:
                if self._cut_short:
                    raise GatewayError(Code.UNAVAILABLE) from None
                raise CallerGone from None

    async def _while_wanted(
        self, request: Request, work: Coroutine[Any, Any, Answer], *, to_its_end: bool
    ) -> Answer:
        """Work for as long as somebody waits for it. A provider's answer that nobody will read is cancelled.

        Args:
            request: Whoever waits.
            work: What to do.
            to_its_end: Go on when the caller leaves: it may come back with its idempotency key.

        Raises:
            CallerGone: The caller left.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._running.discard(_this_task())  # one request counts once: from here on it is this task
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        gone = asyncio.ensure_future(request.gone())
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            if task.done() or not to_its_end:
                if not task.done():
                    task.cancel()
                return await task
            task.add_done_callback(_note_end)
            raise CallerGone
        except asyncio.CancelledError:
            if not task.done():
                task.cancel()
            return await task
        finally:
            gone.cancel()

    async def _credits(self, request: Request, state: State) -> Response:
        principal = await self._authenticate(request, state)
        balance = await state.chat.balance(principal)
        return Response(200, encode(balance_json(balance)))

    async def _quote(self, request: Request, state: State) -> Response:
        principal = await self._authenticate(request, state)
        async with state.chat.admitted(principal, rate=False):
            wish = parse_chat_body(await request.json_body(state.body_bytes_max))
            plan, quote = state.chat.quote(principal, wish)
            balance = await state.chat.balance(principal)
        available = balance.available_micro if balance else None
        return Response(200, encode(quote_json(plan.task.name, quote, available)))

    async def _tasks(self, request: Request, state: State) -> Response:
        principal = await self._authenticate(request, state)
        tasks = [
            {
                "task": task.name,
                **({"metered": True} if task.credits is None else {"credits": task.credits}),
                "targets": [{"provider": t.provider, "model": t.upstream_model} for t in task.targets],
            }
            for task in state.chat.tasks.values()
            if principal.tasks is None or task.name in principal.tasks
        ]
        return Response(200, encode(tasks))

    async def _healthz(self, _request: Request, _state: State) -> Response:
        return Response(200, b'{"status":"ok"}')

    async def _readyz(self, _request: Request, _state: State) -> Response:
        if not self._is_ready():
            raise GatewayError(Code.UNAVAILABLE)
        return Response(200, b'{"status":"ready"}')


def _this_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - ASGI servers run an application in a task
    return task


def _note_end(task: asyncio.Task[Answer]) -> None:
    """A call that went on without its caller: its error has been written to its row, and nobody else asks."""
    if not task.cancelled() and task.exception() is not None:
        _log.info("a call whose caller had left ended with %r", task.exception())


def _credential(request: Request) -> str:
    """The one credential of a request: a bearer token, or whatever `x-api-key` holds."""
    keys, values = request.headers_all(b"x-api-key"), request.headers_all(b"authorization")
    if len(keys) + len(values) > 1:
        raise GatewayError(Code.INVALID_REQUEST, "invalid_request.two_credentials", field="Authorization")
    if keys:
        scheme, token = "bearer", keys[0]
    else:
        scheme, _, token = values[0].partition(" ") if values else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise GatewayError(Code.UNAUTHENTICATED)
    return token.strip()
