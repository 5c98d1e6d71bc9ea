"""From the store's URL to a store."""

from pathlib import Path
from typing import Final

from relevo.core.clock import Clock
from relevo.store.base import Store
from relevo.store.sqlite import SqliteReader, SqliteStore

SQLITE: Final = "sqlite:///"
POSTGRES: Final = ("postgresql://", "postgres://")


def make_store(url: str, data_dir: Path, clock: Clock) -> Store:
    """The store of a URL, on the current schema once it is started.

    Raises:
        StoreError: It cannot be used.
    """
    if url.startswith(POSTGRES):
        return _postgres(url)
    return SqliteStore(sqlite_path(url, data_dir), clock)


def make_reader(url: str, data_dir: Path, clock: Clock) -> Store:
    """The store of a URL for reading only: no file is made that is not there.

    Raises:
        StoreError: There is none, or it cannot be read.
    """
    if url.startswith(POSTGRES):
        return _postgres(url)
    return SqliteReader(sqlite_path(url, data_dir), clock)


def sqlite_path(url: str, data_dir: Path) -> Path:
    """The file of a SQLite URL; relative to the data directory."""
    return data_dir / url.removeprefix(SQLITE)


def _postgres(url: str) -> Store:
    from relevo.store.postgres import PostgresStore  # noqa: PLC0415 - an extra: most installations have no driver

    return PostgresStore(url)
