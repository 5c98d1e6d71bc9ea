"""Host names to addresses, bounded: the system's resolver may hang for as long as it likes, and it blocks."""

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable
from itertools import chain, zip_longest
from typing import Final

from relevo.core.clock import Clock, SystemClock
from relevo.core.errors import Fault, UpstreamError

_TIMEOUT_S: Final = 2.0
_FRESH_S: Final = 60.0
_STALE_S: Final = 600.0
"""An old answer is better than none: TLS says whether who answers there is still who it should be."""
_FLIGHTS_MAX: Final = 16
_HOSTS_MAX: Final = 256
_ADDRESSES_MAX: Final = 8

Addresses = tuple[str, ...]
Lookup = Callable[[str], Addresses]
"""Addresses of a host name, in the order to try them; may block. Raises OSError, of which `socket.gaierror`
with EAI_NONAME means that there is no such name."""


def system_lookup(host: str) -> Addresses:
    """What the system's resolver says, the two families taking turns, so that a dead one costs one wait."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    first = found[0][0] if found else None
    preferred = [str(row[4][0]) for row in found if row[0] is first]
    others = [str(row[4][0]) for row in found if row[0] is not first]
    return tuple(address for address in chain(*zip_longest(preferred, others)) if address)


class Resolver:
    """Asks once at a time for each host, in a thread of its own, and remembers the answer.

    A daemon thread for each look-up and no pool: hung look-ups would fill a pool, and hold up the end of the
    process. There is about one a minute for each host.
    """

    def __init__(
        self, lookup: Lookup = system_lookup, *, clock: Clock | None = None, timeout_s: float = _TIMEOUT_S
    ) -> None:
        """Args: lookup: what blocks. timeout_s: how long a caller waits for it."""
        self._lookup = lookup
        self._clock = clock or SystemClock()
        self._timeout_s = timeout_s
        self._known: dict[str, tuple[float, Addresses]] = {}
        """Addresses of a host, and when they were found."""
        self._flights: dict[str, tuple[float, asyncio.Future[Addresses | OSError]]] = {}
        """Look-ups under way, and when they began."""

    async def addresses(self, host: str) -> Addresses:
        """Where `host` may be, at least one address, in the order to try them.

        Raises:
            UpstreamError: HOST_UNKNOWN: there is no such name; CONNECT_FAILED: nothing could say whether there is.
        """
        now_s = self._clock.now_s()
        found_s, known = self._known.get(host, (0.0, ()))
        if known and now_s - found_s < _FRESH_S:
            return known
        answer = await self._ask(host, now_s)
        if isinstance(answer, tuple) and answer:
            return answer
        if known and now_s - found_s < _STALE_S:
            return known
        raise _failure(answer)

    def doubt(self, host: str) -> None:
        """Nobody could be reached there: ask anew next time."""
        found_s, known = self._known.get(host, (0.0, ()))
        if known:
            self._known[host] = (min(found_s, self._clock.now_s() - _FRESH_S), known)

    async def _ask(self, host: str, now_s: float) -> Addresses | OSError | None:
        """The answer of the flight for `host`; None when it does not come in time."""
        began_s, flight = self._flights.get(host, (now_s, None))
        if flight is None:
            if len(self._flights) >= _FLIGHTS_MAX:
                return None
            flight = self._start(host, now_s)
        await asyncio.wait({flight}, timeout=max(0.0, began_s + self._timeout_s - now_s))
        return flight.result() if flight.done() else None

    def _start(self, host: str, now_s: float) -> asyncio.Future[Addresses | OSError]:
        loop = asyncio.get_running_loop()
        flight: asyncio.Future[Addresses | OSError] = loop.create_future()
        self._flights[host] = (now_s, flight)

        def look_up() -> None:
            answer: Addresses | OSError
            try:
                answer = self._lookup(host)
            except (OSError, UnicodeError) as error:  # UnicodeError: a label that no resolver takes
                answer = error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME)
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._landed, host, flight, answer)

        threading.Thread(target=look_up, name="relevo-resolver", daemon=True).start()
        return flight

    def _landed(self, host: str, flight: asyncio.Future[Addresses | OSError], answer: Addresses | OSError) -> None:
        del self._flights[host]
        if isinstance(answer, tuple) and answer:
            answer = answer[:_ADDRESSES_MAX]
            self._known.pop(host, None)
            if len(self._known) >= _HOSTS_MAX:
                del self._known[next(iter(self._known))]
            self._known[host] = (self._clock.now_s(), answer)
        flight.set_result(answer)


def is_address(host: str) -> bool:
    """Whether a host is an IP literal, which needs no resolver."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _failure(answer: Addresses | OSError | None) -> UpstreamError:
    if answer is None:
        return UpstreamError(Fault.CONNECT_FAILED, detail="the name resolver does not answer")
    if isinstance(answer, socket.gaierror) and answer.errno == socket.EAI_AGAIN:
        return UpstreamError(Fault.CONNECT_FAILED, detail="the name resolver failed")
    return UpstreamError(Fault.HOST_UNKNOWN, detail="the host name is not known")
