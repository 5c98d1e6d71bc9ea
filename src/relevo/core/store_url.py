"""What may be said and what must not be said of a store's URL. A PostgreSQL URL can hold a password."""

import re
from typing import Final
from urllib.parse import parse_qsl, unquote

_SCHEMES: Final = ("postgresql://", "postgres://")
_HOSTS: Final = re.compile(r"(?:(?:\[[^\]@]*\]|[^:\[\]@,]*)(?::[0-9]*)?(?:,|$))+")
_HALF_ENCODED: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_SECRET_PARAMETERS: Final = frozenset({"password", "sslpassword"})
_SECRET_PARAMETER: Final = re.compile(r"[?&](?:password|sslpassword)=")


def is_postgres(url: str) -> bool:
    """Whether a URL names a PostgreSQL database."""
    return url.startswith(_SCHEMES)


def is_ambiguous(url: str) -> bool:
    """Whether a PostgreSQL URL would be cut in the middle of its user or password, which could then be shown.

    PostgreSQL takes the first `@` before the first `/` as the end of the password: an `@` or `/` of the password
    itself is read as the beginning of the host's name or of the database's.
    (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS, 2026-11)
    """
    if not is_postgres(url):
        return False
    rest = url.partition("://")[2]
    authority, _, path = rest.partition("/")
    userinfo, at, hosts = authority.partition("@")
    if not at:
        userinfo, hosts = "", authority
    hosts = hosts.partition("?")[0]
    if "?" in userinfo:  # relevo takes its own parameters from behind the first one (store/postgres.py)
        return True
    if "@" in hosts or "@" in path.partition("?")[0] or _HALF_ENCODED.search(userinfo):
        return True
    return "@" in path and not _HOSTS.fullmatch(hosts)


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
