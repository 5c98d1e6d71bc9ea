"""SQLite: how a connection is opened and brought to the current schema.

`apsw` and not the standard library's module, for the SQLite it carries: versions before 3.51.3 can corrupt
a WAL database that more than one connection writes to.
"""

from pathlib import Path
from typing import Final

import apsw

from relevo.store.queries import migrations

_BUSY_MS: Final = 2000


class StoreError(Exception):
    """The database cannot be used. The message says why and what to do."""


def open_writer(path: Path) -> apsw.Connection:
    """A connection that may write, on the current schema. Makes the file and its folder.

    Raises:
        StoreError: The file is no database, is newer than this version, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # it names users; its journal files take the same mode
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(_BUSY_MS)
        # FULL: a committed row survives a power cut. NORMAL would lose rows that were already acknowledged.
        for name, value in (("journal_mode", "WAL"), ("synchronous", "FULL"), ("foreign_keys", "ON")):
            connection.pragma(name, value)  # one by one: a statement that gives a row holds up those after it
        _migrate(connection, path)
    except (apsw.Error, OSError) as error:
        raise StoreError(f"{path}: {error}") from error
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """A connection that reads only, for the command line while the server runs.

    Raises:
        StoreError: There is no database, or it cannot be read.
    """
    if not path.is_file():
        raise StoreError(f"{path}: there is no record yet. `relevo serve` makes it with its first request")
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(_BUSY_MS)
        connection.execute("PRAGMA query_only=ON")
        version = _version(connection)
    except apsw.Error as error:
        raise StoreError(f"{path}: {error}") from error
    if version != len(migrations("sqlite")):
        raise StoreError(f"{path}: schema {version}, this version reads {len(migrations('sqlite'))}")
    return connection


def _migrate(connection: apsw.Connection, path: Path) -> None:
    known = migrations("sqlite")
    with connection:  # one transaction: a start that is cut off leaves no half of a schema
        version = _version(connection)
        if version > len(known):
            raise StoreError(f"{path}: made by a newer relevo (schema {version}): update relevo")
        for number, script in known[version:]:
            connection.execute(script)
            connection.pragma("user_version", number)


def _version(connection: apsw.Connection) -> int:
    return int(connection.pragma("user_version"))
