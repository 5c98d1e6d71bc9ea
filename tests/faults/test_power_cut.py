"""The power goes out below SQLite: whatever was acknowledged is on the disk that comes back.

A file system of our own stands under the database. It knows what was flushed; at the cut, of the writes since then
some arrive, some do not, and one arrives half.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from relevo.core.ledger import Act, Closing, Grant, HoldOrder, Reserved, StoreUnavailable, Terms
from relevo.core.types import Principal
from relevo.store.ledger import StoredLedger
from relevo.store.sqlite import SqliteStore
from support.clock import FakeClock
from support.soak import seeds

OWNER = Principal("app", "ana")


class Disk:
    """What would be left after a power cut, file by file."""

    def __init__(self) -> None:
        self.flushed: dict[str, bytes] = {}
        self.pending: dict[str, list[tuple[int, bytes]]] = {}
        self.events_left: int | None = None
        """Writes and flushes until the power goes out. None: it stays."""

    def passes(self) -> None:
        """One more write or flush. Raises when the power is off, for ever after."""
        if self.events_left is not None:
            self.events_left -= 1
            if self.events_left <= 0:
                raise apsw.IOError("the power is off")

    def write(self, name: str, data: bytes, offset: int) -> None:
        self.passes()
        self.pending.setdefault(name, []).append((offset, data))

    def flush(self, name: str) -> None:
        self.passes()
        self.flushed[name] = patched(self.flushed.get(name, b""), self.pending.pop(name, []))

    def truncate(self, name: str, size: int) -> None:
        self.passes()
        self.pending.setdefault(name, []).append((size, b""))

    def delete(self, name: str) -> None:
        self.passes()
        self.flushed.pop(name, None)
        self.pending.pop(name, None)

    def come_back(self, folder: Path, dice: random.Random) -> None:
        """Write what is left into a folder."""
        for name in self.flushed.keys() | self.pending.keys():
            survivors = [write for write in self.pending.get(name, []) if dice.random() < 0.5]
            if survivors and dice.random() < 0.5:
                offset, data = survivors.pop(dice.randrange(len(survivors)))
                survivors.append((offset, data[: len(data) // 2]))
            content = patched(self.flushed.get(name, b""), survivors)
            if content:
                (folder / Path(name).name).write_bytes(content)


def patched(content: bytes, writes: list[tuple[int, bytes]]) -> bytes:
    whole = bytearray(content)
    for offset, data in writes:
        if not data:  # a truncation
            del whole[offset:]
            continue
        whole.extend(b"\0" * (offset - len(whole)))
        whole[offset : offset + len(data)] = data
    return bytes(whole)


class File(apsw.VFSFile):
    """Writes through, and tells the disk."""

    def __init__(self, disk: Disk, usual: str, name: Any, flags: list[int]) -> None:
        self.disk = disk
        self.name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__(usual, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self.disk.write(self.name, bytes(data), offset)
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802 - SQLite's name
        self.disk.truncate(self.name, size)
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self.disk.flush(self.name)


class Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.usual = apsw.vfs_names()[0]
        super().__init__("power", self.usual, makedefault=True)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        self.disk.delete(name)
        super().xDelete(name, syncdir)

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802 - SQLite's name
        return File(self.disk, self.usual, name, flags)


@contextmanager
def below_sqlite() -> Iterator[Disk]:
    disk = Disk()
    vfs = Vfs(disk)
    try:
        yield disk
    finally:
        vfs.unregister()


@pytest.mark.parametrize("seed", seeds(25))
async def test_what_was_acknowledged_survives_a_power_cut(tmp_path: Path, seed: int) -> None:
    """Grants, holds and charges that were acknowledged are there; what was not is whole or not at all."""
    dice = random.Random(seed)  # noqa: S311
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    granted: list[str] = []
    held: list[str] = []
    charged: list[str] = []
    with below_sqlite() as disk:
        store = SqliteStore(before / "r.db", FakeClock())
        disk.events_left = dice.randint(1, 900)
        await work(StoredLedger(store), dice, granted, held, charged)
        await store.aclose()
    disk.come_back(after, dice)

    store = SqliteStore(after / "r.db", FakeClock())
    ledger = StoredLedger(store)
    audit = await ledger.audit()
    assert audit.differences == ()
    states = dict(store._reader.execute("SELECT id, state FROM hold"))
    assert set(held) | set(charged) <= states.keys()
    assert all(states[hold_id] == "settled" for hold_id in charged)
    assert {entry.act_key for entry in await ledger.entries(OWNER, 10_000) if entry.act_key} >= set(granted)
    assert store._reader.execute("PRAGMA integrity_check").get == "ok"
    await store.aclose()


async def work(
    ledger: StoredLedger, dice: random.Random, granted: list[str], held: list[str], charged: list[str]
) -> None:
    """Several clients at once, until the power goes; what they were told goes into the lists."""

    async def client(number: int) -> None:
        for turn in range(30):
            name = f"{number}-{turn}"
            grant = Act(key=name, actor="t", reason="", owner=OWNER, change=Grant(kind="bonus", amount_micro=100))
            await ledger.act(grant, Terms())
            granted.append(name)
            order = HoldOrder(id=name, task="T", amount_micro=50, node="n", ttl_ms=1000)
            if isinstance(await ledger.reserve(OWNER, order, Terms()), Reserved):
                held.append(name)
            if dice.random() < 0.7:
                await ledger.close(name, Closing(charge_micro=dice.randint(1, 60)), Terms())
                charged.append(name)

    ended = await asyncio.gather(*(client(number) for number in range(4)), return_exceptions=True)
    assert all(isinstance(error, StoreUnavailable) for error in ended if error is not None), ended
