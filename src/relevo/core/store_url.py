"""What may be said and what must not be said of a store's URL. A PostgreSQL URL can hold a password."""

import re
from typing import Final
from urllib.parse import parse_qsl, unquote

_SCHEMES: Final = ("postgresql://", "postgres://")
_SECRET_PARAMETERS: Final = frozenset({"password", "sslpassword"})
_SECRET_PARAMETER: Final = re.compile(r"[?&](?:password|sslpassword)=")


def is_postgres(url: str) -> bool:
    """Whether a URL names a PostgreSQL database."""
    return url.startswith(_SCHEMES)


def passwords_of(url: str) -> list[str]:
    """Every password in a PostgreSQL URL, as written and decoded. Anything else has none."""
    if not is_postgres(url):
        return []
    address = _SECRET_PARAMETER.split(url.partition("://")[2])[0]
    userinfo, at, _ = address.rpartition("@")  # the last one: whoever forgets to encode an @ keeps the secret
    found = [userinfo.partition(":")[2]] if at else []
    found += [value for name, value in parse_qsl(url.partition("?")[2]) if name in _SECRET_PARAMETERS]
    return list(dict.fromkeys(text for word in found for text in (word, unquote(word)) if text))


def shown(url: str) -> str:
    """A PostgreSQL URL as people may see it: servers and database, without user, password and parameters."""
    address = _SECRET_PARAMETER.split(url.partition("://")[2])[0]
    return "postgresql://" + address.rpartition("@")[2].partition("?")[0]
