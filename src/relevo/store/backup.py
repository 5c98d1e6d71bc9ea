"""Backup and restore of a SQLite database. A copy is one snapshot, taken while a server writes beside it."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from relevo.core.clock import Clock
from relevo.core.ids import node_id, random_text
from relevo.store.audit import Audit
from relevo.store.base import StoreError
from relevo.store.ledger import StoredLedger
from relevo.store.sqlite import SqliteStore, lock_alone, open_reader, unlock

_BESIDE: Final = ("-wal", "-shm")
_SQLITE: Final = b"SQLite format 3\0"


class BadBackup(Exception):
    """The backup's books do not add up, or it is no whole database. Nothing was replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did."""

    audit: Audit
    swept: int
    """Holds that were open in the backup: whoever they were for is gone."""
    aside: Path | None
    """The database that was there before. None: there was none."""


def back_up(database: Path, target: Path, *, force: bool = False) -> int:
    """Copy a database to a file, whole and durable before it has its name. Its size in bytes.

    Raises:
        StoreError: There is no database, or one of the two cannot be used; `target` is there, without `force`.
    """
    if target.is_dir():
        raise StoreError(f"{target} is a folder: name a file in it")
    if not target.parent.is_dir():
        raise StoreError(f"{target}: there is no folder {target.parent}")
    if target.exists() and not force:
        raise StoreError(f"{target} is there already: --force replaces it")
    if target.exists() and database.exists() and target.samefile(database):
        raise StoreError(f"{target} is the database itself")
    try:
        with _draft(target) as draft:
            _copy(database, draft)
            if force:
                draft.replace(target)
            else:
                os.link(draft, target)  # fails where somebody else was faster, and replaces nothing
            _sync(target.parent)
        return target.stat().st_size
    except FileExistsError:
        raise StoreError(f"{target} is there already: --force replaces it") from None
    except (OSError, apsw.Error) as error:
        raise StoreError(f"{target}: {error}") from error


def restore(backup: Path, database: Path, clock: Clock) -> Restored:
    """Put a backup in the place of a database that no server uses.

    The backup is copied, brought to the current schema, checked and swept before anything is replaced.

    Raises:
        StoreError: A server uses the database, or a file cannot be read or written.
        BadBackup: The backup cannot be trusted.
    """
    _check_file(backup)
    if database.exists() and backup.samefile(database):
        raise StoreError(f"{backup} is the database itself: restore takes a file that `relevo backup` made")
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_alone(database)
        if lock is None:
            raise StoreError(f"{database}: a server is using it: stop the server first")
        try:
            with _draft(database) as draft:
                _copy(backup, draft)
                audit, swept = asyncio.run(_prepare(draft, clock))
                _settle(draft)
                aside = _set_aside(database, clock)
                draft.replace(database)
                _sync(database.parent)
        finally:
            unlock(database, lock)
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise BadBackup(f"{backup} is damaged: {error}") from error
    except (OSError, apsw.Error) as error:
        raise StoreError(f"{database}: {error}") from error
    return Restored(audit=audit, swept=swept, aside=aside)


def _check_file(backup: Path) -> None:
    try:
        with backup.open("rb") as file:
            head = file.read(len(_SQLITE))
    except OSError as error:
        raise StoreError(f"{backup}: {error.strerror}") from error
    if head != _SQLITE:
        raise BadBackup(f"{backup} is no SQLite database")


def _copy(source: Path, draft: Path) -> None:
    """One snapshot, in one step: steps of a few pages would begin anew with each write of the server."""
    if not source.is_file():
        raise StoreError(f"{source}: there is no database yet. `relevo serve` makes it")
    origin = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        origin.set_busy_timeout(10_000)
        copy = apsw.Connection(str(draft))
        try:
            with copy.backup("main", origin, "main") as backup:
                while not backup.done:
                    backup.step(-1)
        finally:
            copy.close()
    finally:
        origin.close()
    _settle(draft)


def _settle(path: Path) -> None:
    """One file, without a log beside it, and on the disk."""
    connection = apsw.Connection(str(path))
    try:
        connection.pragma("journal_mode", "DELETE")
    finally:
        connection.close()
    path.chmod(0o600)
    _sync(path)


async def _prepare(draft: Path, clock: Clock) -> tuple[Audit, int]:
    """Bring a copy to the current schema, check it, and free what nobody will end any more."""
    try:
        store = SqliteStore(draft, clock)
    except StoreError as error:
        raise BadBackup(str(error)) from error
    try:
        found = open_reader(draft)
        faults = [row[0] for row in found.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
        found.close()
        if faults:
            raise BadBackup(f"the file is damaged: {faults[0]}")
        ledger, node = StoredLedger(store), node_id()
        await _check(ledger)
        swept = 0
        while expired := await ledger.expire_due((), node):
            swept += expired
        await ledger.forget(node)
        return await _check(ledger), swept
    finally:
        await store.aclose()


async def _check(ledger: StoredLedger) -> Audit:
    audit = await ledger.audit()
    if audit.differences:
        first = audit.differences[0]
        raise BadBackup(
            f"its books do not add up ({len(audit.differences)} differences; {first.issuer}:{first.subject}:"
            f" {first.what} is {first.stands}, should be {first.should_be})"
        )
    return audit


def _set_aside(database: Path, clock: Clock) -> Path | None:
    """Keep the old database under another name, with its log: beside the new one it would be taken for its own."""
    if not database.exists():
        for ending in _BESIDE:
            database.with_name(database.name + ending).unlink(missing_ok=True)
        return None
    with contextlib.suppress(apsw.Error):  # whole in one file, where it can still be opened
        _settle(database)
    aside = database.with_name(f"{database.name}.before-restore-{int(clock.wall_s() * 1000)}")
    os.link(database, aside)
    for ending in _BESIDE:
        log = database.with_name(database.name + ending)
        if log.exists():
            log.replace(aside.with_name(aside.name + ending))
    return aside


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A file beside `path`, gone at the end unless it was renamed."""
    draft = path.with_name(f"{path.name}.{random_text()[:16]}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(descriptor)
    try:
        yield draft
    finally:
        for ending in ("", *_BESIDE, "-journal"):
            draft.with_name(draft.name + ending).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
