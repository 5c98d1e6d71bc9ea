"""A small file in which other processes, such as `relevo explain`, see what the server leaves alone.

It holds names, states and moments, and no key. While all is well there is no file.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from relevo.core.clock import Clock
from relevo.service.targets import TargetState

_FILE: Final = "relevo-health.json"
_BYTES_MAX: Final = 4_194_304
_EVERY_S: Final = 1.0
"""A flapping provider must not keep the disk busy."""


class Outage(msgspec.Struct, frozen=True):
    """A target that is left alone for a while."""

    provider: str
    model: str
    state: str
    """`open` or `cooling`."""
    reason: str | None
    until_ms: int
    """Milliseconds since 1970."""


class HealthFile:
    """Keeps the file up to date, in a thread: a slow disk holds up nobody."""

    def __init__(
        self, data_dir: Path, clock: Clock, states: Callable[[], list[TargetState]], note: Callable[[str], None]
    ) -> None:
        """Args: note: hears why the file could not be written."""
        self._path = data_dir / _FILE
        self._clock = clock
        self._states = states
        self._note = note
        self._written: list[Outage] = []
        self._task: asyncio.Task[None] | None = None
        self._changed, self._closing = asyncio.Event(), asyncio.Event()

    def changed(self) -> None:
        """Some target does better or worse than before."""
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._keep())

    async def aclose(self) -> None:
        """The server ends: take the file away."""
        self._closing.set()
        if self._task:
            self._changed.set()
            await self._task

    async def _keep(self) -> None:
        """Write now and whenever something changes or is over, until all is well."""
        while self._changed.is_set() or self._written:
            self._changed.clear()
            outages = [] if self._closing.is_set() else outages_of(self._states())
            if outages != self._written:
                await self._put(outages)
            if outages:
                await _wait(self._closing, _EVERY_S)
                soonest_s = min(outage.until_ms for outage in outages) / 1000
                await _wait(self._changed, soonest_s - self._clock.wall_s())

    async def _put(self, outages: list[Outage]) -> None:
        self._written = outages
        try:
            await asyncio.to_thread(_write, self._path, outages)
        except OSError as error:
            self._note(f"{self._path} cannot be written, so `relevo explain` does not show what is open: {error}")


def outages_of(states: list[TargetState]) -> list[Outage]:
    """Those of the targets that are left alone until a moment."""
    return [
        Outage(state.provider, state.upstream_model, state.look.state, state.look.reason, state.until_ms)
        for state in states
        if state.until_ms is not None
    ]


def read_outages(data_dir: Path, wall_s: float) -> dict[tuple[str, str], Outage]:
    """What the server of this folder leaves alone at this moment, by provider and model."""
    try:
        with (data_dir / _FILE).open("rb") as file:
            outages = msgspec.json.decode(file.read(_BYTES_MAX), type=list[Outage])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}  # no file: all is well, or no server runs here
    return {(row.provider, row.model): row for row in outages if row.until_ms > wall_s * 1000}


def written_s(data_dir: Path) -> float:
    """When the file was last written, in seconds since 1970. 0: there is none."""
    try:
        return (data_dir / _FILE).stat().st_mtime
    except OSError:
        return 0.0


def _write(path: Path, outages: list[Outage]) -> None:
    if not outages:
        path.unlink(missing_ok=True)
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(outages))
    draft.replace(path)


async def _wait(event: asyncio.Event, longest_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, longest_s)):
            await event.wait()
