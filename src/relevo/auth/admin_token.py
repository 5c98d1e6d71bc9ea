"""The operator's credential: a file in the data directory, and a gate through which nobody guesses their way.

The file is read anew for each request, so a rotated token counts at once and no server keeps the old one.
"""

import hashlib
import hmac
from collections import OrderedDict, deque
from pathlib import Path
from typing import Final

from relevo.auth.secret_file import make_secret
from relevo.core.clock import Clock
from relevo.core.errors import Code, GatewayError

_FILE: Final = "relevo-admin.token"
_LENGTH_MIN: Final = 32
WRONG_MAX: Final = 5
"""Wrong tokens that one address may send within a minute. Then it waits, also with the right one."""
_MINUTE_S: Final = 60.0
_ADDRESSES_MAX: Final = 10_000


def admin_token(data_dir: Path, *, rotate: bool = False) -> str:
    """The token of this data directory, made on first use.

    Raises:
        OSError: The file cannot be read or written.
        ValueError: It holds no token.
    """
    path = data_dir / _FILE
    if rotate or not path.exists():
        make_secret(path, replace=rotate)
    path.chmod(0o600)
    token = _read(path)
    if token is None:
        raise ValueError(f"{path} holds no token: `relevo admin token --rotate` makes a new one")
    return token


class AdminGate:
    """Lets the operator in."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        self._path = data_dir / _FILE
        self._clock = clock
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, given: str, address: str) -> None:
        """Whether this token is the one.

        Args:
            given: What the caller sent; an empty text is no guess, but no token either.
            address: Where it came from.

        Raises:
            GatewayError: `unauthenticated`, `invalid_token` or `rate_limited`.
        """
        if not given:
            raise GatewayError(Code.UNAUTHENTICATED, "unauthenticated.admin")
        now_s = self._clock.now_s()
        wrong = self._wrong.get(address, deque())
        while wrong and now_s - wrong[0] >= _MINUTE_S:
            wrong.popleft()
        if len(wrong) >= WRONG_MAX:
            wait_s = max(1, round(_MINUTE_S - (now_s - wrong[0])))
            raise GatewayError(Code.RATE_LIMITED, retry_after_s=wait_s, extra={"retry_after_s": wait_s})
        token = _read(self._path)
        if token is None or not hmac.compare_digest(_digest(given), _digest(token)):
            wrong.append(now_s)
            self._wrong[address] = wrong
            self._wrong.move_to_end(address)
            if len(self._wrong) > _ADDRESSES_MAX:
                self._wrong.popitem(last=False)
            raise GatewayError(Code.INVALID_TOKEN, "invalid_token.admin")


def _read(path: Path) -> str | None:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return token if len(token) >= _LENGTH_MIN else None


def _digest(text: str) -> bytes:
    """Of one length, so that comparing tells nothing of the lengths either."""
    return hashlib.sha256(text.encode()).digest()
