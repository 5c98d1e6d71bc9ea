"""From the store's URL to a store."""

from pathlib import Path
from typing import Final

from relevo.core.clock import Clock
from relevo.store.base import Store
from relevo.store.sqlite import SqliteReader, SqliteStore

SQLITE: Final = "sqlite:///"


def make_store(url: str, data_dir: Path, clock: Clock) -> Store:
    """The store of a URL, on the current schema once it is started.

    Raises:
        StoreError: It cannot be used.
    """
    return SqliteStore(sqlite_path(url, data_dir), clock)


def make_reader(url: str, data_dir: Path, clock: Clock) -> Store:
    """The store of a URL for reading only: nothing is made that is not there.

    Raises:
        StoreError: There is none, or it cannot be read.
    """
    return SqliteReader(sqlite_path(url, data_dir), clock)


def sqlite_path(url: str, data_dir: Path) -> Path:
    """The file of a SQLite URL; relative to the data directory."""
    return data_dir / url.removeprefix(SQLITE)
