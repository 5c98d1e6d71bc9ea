"""SQL from files: named, explained there, and filled by parameters only."""

import re
from functools import cache
from importlib import resources
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_MIGRATION: Final = re.compile(r"(\d{4})_\w+\.sql")
_COMMENT: Final = re.compile(r"--[^\n]*")
_PARAMETER: Final = re.compile(r"(?<![:\w]):([a-z]\w*)")


@cache
def queries(backend: str) -> dict[str, str]:
    """The statements of a backend by name: those that all share, and over them its own."""
    found: dict[str, str] = {}
    for folder in ("common", backend):
        for entry in sorted(_folder(folder).iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".sql") and not _MIGRATION.fullmatch(entry.name):
                pieces = _NAME.split(entry.read_text(encoding="utf-8"))[1:]
                found.update(zip(pieces[::2], pieces[1::2], strict=True))
    return found


@cache
def psycopg_queries() -> dict[str, bytes]:
    """The statements of PostgreSQL with `:name` as its driver writes it; `::type` and `%` stay what they are."""
    return {
        name: _PARAMETER.sub(r"%(\1)s", _COMMENT.sub("", sql).replace("%", "%%")).strip().rstrip(";").encode()
        for name, sql in queries("postgres").items()
    }


@cache
def migrations(backend: str) -> tuple[tuple[int, str], ...]:
    """Every migration as (number, script), in order. Numbers start at 1 and have no gap."""
    found = []
    for entry in _folder(backend).iterdir():
        match = _MIGRATION.fullmatch(entry.name)
        if match:
            found.append((int(match.group(1)), entry.read_text(encoding="utf-8")))
    return tuple(sorted(found))


def _folder(name: str) -> resources.abc.Traversable:
    return resources.files("relevo.store").joinpath("sql", name)
