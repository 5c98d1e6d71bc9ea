"""How `relevo demo break` reaches the running server: a small file in the data directory says where it is."""

import contextlib
import http.client
import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from relevo.demo.faults import Break

_FILE: Final = "relevo-demo.json"
_TIMEOUT_S: Final = 5


class DemoNotRunning(Exception):
    """No server in demo mode can be found. The message says what to do."""


class Address(msgspec.Struct):
    """Where the simulated providers listen, and what lets the command line break them."""

    url: str
    token: str


def announce(data_dir: Path, address: Address) -> bytes | None:
    """Write the address down, readable by the owner only. The latest server of a folder is the one spoken to.

    Returns what stood there before, for `withdraw`: another server of this folder may still run.
    """
    path = data_dir / _FILE
    earlier = path.read_bytes() if path.exists() else None
    _write(path, msgspec.json.encode(address))
    return earlier


def withdraw(data_dir: Path, address: Address, earlier: bytes | None) -> None:
    """Take the address back, unless another server has put its own in its place."""
    path = data_dir / _FILE
    with contextlib.suppress(OSError, msgspec.DecodeError):
        if msgspec.json.decode(path.read_bytes(), type=Address) != address:
            return
        if earlier is None:
            path.unlink()
        else:
            _write(path, earlier)


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def tell(data_dir: Path, method: str, provider: str, body: Break | None = None) -> dict[str, Break]:
    """Break (`PUT`), heal (`DELETE`) or only ask (`GET`). Returns what is broken now.

    Raises:
        DemoNotRunning: There is no server in demo mode with this data directory.
    """
    hint = f"no server in demo mode runs with data in {data_dir}: start `relevo serve` there, without keys or file"
    try:
        address = msgspec.json.decode((data_dir / _FILE).read_bytes(), type=Address)
        parts = urlsplit(address.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
        try:
            connection.request(
                method,
                f"/_demo/{provider}",
                body=msgspec.json.encode(body) if body else None,
                headers={"authorization": f"Bearer {address.token}"},
            )
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
    except (OSError, msgspec.DecodeError, http.client.HTTPException) as error:
        raise DemoNotRunning(hint) from error
    if answer.status != http.client.OK:
        raise DemoNotRunning(hint)
    return msgspec.json.decode(data, type=dict[str, Break])
