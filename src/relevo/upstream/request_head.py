"""URLs and header fields to the bytes of a request's head; what would break out of its line is refused."""

import functools
import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from relevo.core.errors import Fault, UpstreamError

_PORTS: Final = {"http": 80, "https": 443}
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection"})
"""Fields that say how a request is framed: the transport's business alone."""
_UNUSABLE: Final = "its URL cannot be used"

Headers = tuple[tuple[str, str], ...]


class Origin(NamedTuple):
    """Where connections lead; those of one origin can stand in for each other."""

    is_tls: bool
    host: str
    port: int


class Place(NamedTuple):
    """A URL taken apart."""

    origin: Origin
    host_field: str
    target: str
    """Path and query."""


@functools.lru_cache(maxsize=256)
def place_of(url: str) -> Place:
    """Where a URL leads.

    Raises:
        UpstreamError: CONNECT_FAILED: not an absolute URL of http or https, or more than that.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, (parts.hostname or "").encode("idna").decode(), parts.port
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    except ValueError:
        raise UpstreamError(Fault.CONNECT_FAILED, detail=_UNUSABLE) from None
    standard = _PORTS.get(scheme)
    # urlsplit drops line ends in silence, so it is the URL as it came that must have none.
    is_one_line = url.isprintable() and " " not in url
    if not host or standard is None or "@" in parts.netloc or not is_one_line or not target.isascii():
        raise UpstreamError(Fault.CONNECT_FAILED, detail=_UNUSABLE)
    name = f"[{host}]" if ":" in host else host
    field = name if port in {None, standard} else f"{name}:{port}"
    return Place(Origin(scheme == "https", host, port or standard), field, target)


def request_head(method: str, place: Place, headers: Headers, body_bytes: int | None) -> bytes:
    """The head of a request, with the empty line that ends it. `body_bytes` None: a request without a body.

    Raises:
        UpstreamError: INTERNAL: a field that is not ours to send, or not one line of Latin-1.
    """
    rows = [f"{method} {place.target} HTTP/1.1", f"host: {place.host_field}"]
    for name, value in headers:
        if not _is_field_name(name):
            raise UpstreamError(Fault.INTERNAL, detail="a header that cannot be sent")
        rows.append(f"{name}: {value}")
    if body_bytes is not None:
        rows.append(f"content-length: {body_bytes}")
    text = "\r\n".join(rows)
    ends = len(rows) - 1
    if text.count("\n") != ends or text.count("\r") != ends or "\0" in text:
        raise UpstreamError(Fault.INTERNAL, detail="a header of more than one line")
    try:
        return f"{text}\r\n\r\n".encode("latin-1")
    except UnicodeEncodeError:
        raise UpstreamError(Fault.INTERNAL, detail="a header that is not Latin-1") from None


@functools.lru_cache(maxsize=256)
def _is_field_name(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None and name.lower() not in _OURS
