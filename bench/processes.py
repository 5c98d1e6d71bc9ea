"""Programs under measurement: started on one core, measured with all that they start, stopped for certain."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_STOP_S: Final = 5.0
_QUIET_S: Final = 0.3
_QUIET_MAX_S: Final = 10.0
_LOG_TAIL: Final = 2000


class BrokenRunError(Exception):
    """Something answered wrongly or died: the figures would mean nothing."""


class Program:
    """One program and everything that it starts, which share a session of their own."""

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], directory: Path, log: Path
    ) -> None:
        self._log = log
        with log.open("wb") as stderr:
            self._leader = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )

    def cpu_s(self) -> float:
        """CPU seconds so far, user and system, of all processes."""
        return sum(int(stat[11]) + int(stat[12]) for stat in self._stats().values()) / _TICKS_PER_S

    def cpu_s_when_quiet(self) -> float:
        """`cpu_s` once work that was left behind (rows to write) is done."""
        ends_at_s = time.monotonic() + _QUIET_MAX_S
        before_s = self.cpu_s()
        while time.monotonic() < ends_at_s:
            time.sleep(_QUIET_S)
            now_s = self.cpu_s()
            if now_s - before_s <= 1 / _TICKS_PER_S:
                return now_s
            before_s = now_s
        raise BrokenRunError(f"{_QUIET_MAX_S:.0f} s after the load the gateway is still at work")

    def rss_mb(self) -> float:
        """Resident memory of all processes, in units of 10⁶ bytes."""
        return sum(int(stat[21]) for stat in self._stats().values()) * _PAGE_BYTES / 1e6

    def check_alive(self) -> None:
        """Raises BrokenRunError with the end of its log if the program has ended."""
        if self._leader.poll() is not None:
            tail = self._log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]
            raise BrokenRunError(f"{self._leader.args!r} ended with {self._leader.returncode}:\n{tail}")

    def stop(self) -> None:
        """End it politely, then for certain, with everything that it left behind."""
        self._leader.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._leader.wait(_STOP_S)
        for pid in self._stats():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._leader.wait(_STOP_S)

    def _stats(self) -> dict[int, list[str]]:
        """`/proc/PID/stat` from its third field (the state) on, of every process of the session."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                # A process may end while it is looked at.
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                    fields = stat.rpartition(")")[2].split()
                    if int(fields[3]) == self._leader.pid:
                        found[int(entry.name)] = fields
        return found


@contextlib.contextmanager
def running(
    command: Sequence[str], *, core: int, environment: Mapping[str, str], directory: Path, log: Path
) -> Iterator[Program]:
    """A program on one core, stopped on leaving the block."""
    with pinned_to(core):
        program = Program(command, environment=environment, directory=directory, log=log)
    try:
        yield program
    finally:
        program.stop()


@contextlib.contextmanager
def pinned_to(core: int) -> Iterator[None]:
    """This process, and what it starts meanwhile, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
