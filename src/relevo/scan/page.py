"""A page that its owner names: which of its scripts are its own, and how much of them is read."""

import re
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urljoin, urlsplit

from relevo.core.net import is_loopback

SCRIPTS_MAX: Final = 60
SCRIPT_BYTES_MAX: Final = 8 * 1024 * 1024
_SCRIPT: Final = re.compile(
    rb"""<(?:script\b[^>]{0,400}?\bsrc|link\b[^>]{0,400}?\bhref)\s{0,4}=\s{0,4}["']?([^"'\s>]{1,1000})""",
    re.IGNORECASE,
)
_CHUNK: Final = re.compile(rb"""["'`]((?:\./|/|assets/|static/|_next/)[\w./\-]{1,200}\.m?js)["'`]""")

Get = Callable[[str], Awaitable[bytes | None]]


class BadAddress(Exception):
    """The address cannot be scanned. The message says why."""


def origin_of(url: str) -> str:
    """Scheme, host and port of an address.

    Raises:
        BadAddress: It is not https, and not http on this machine, or it holds credentials.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadAddress("is no address") from None
    if parts.username or parts.password or not host:
        raise BadAddress("is no plain address of a page")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise BadAddress("must begin with https:// (http:// on this machine only)")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


async def load(url: str, get: Get) -> tuple[list[tuple[str, bytes]], list[str]]:
    """A page and the scripts of its own origin, and those that they load in turn; never those of others.

    Returns what was read, each with its address, and the addresses of what was not.

    Args:
        url: The page.
        get: Fetches one address; None where it has nothing to give.

    Raises:
        BadAddress: As `origin_of`.
    """
    origin = origin_of(url)
    found: dict[str, bytes | None] = {}
    queue, pattern = [url], _SCRIPT
    while queue and len(found) <= SCRIPTS_MAX:
        address = queue.pop(0)
        if _plain(address) not in found:
            data = found[_plain(address)] = await get(address)
            queue += _own(data or b"", address, origin, pattern)
            pattern = _CHUNK
    read = [(address, data) for address, data in found.items() if data is not None]
    return read, [address for address, data in found.items() if data is None] + list(map(_plain, queue))


def _own(data: bytes, base: str, origin: str, pattern: re.Pattern[bytes]) -> list[str]:
    addresses = []
    for reference in pattern.findall(data):
        text = reference.decode(errors="replace")
        address = urljoin(base if text.startswith((".", "/")) or pattern is _SCRIPT else f"{origin}/", text)
        path = urlsplit(address).path
        if address.startswith(f"{origin}/") and path.endswith((".js", ".mjs")):
            addresses.append(address)
    return list(dict.fromkeys(addresses))


def _plain(url: str) -> str:
    """Without a query, which may hold what nobody should print."""
    return url.partition("#")[0].partition("?")[0]
