"""How much memory this process has and uses: the limit of its control group, and its resident size.

Sources: cgroups(7) and the kernel's admin-guide/cgroup-v2.rst (`memory.max`) and cgroup-v1/memory.rst
(`memory.limit_in_bytes`), proc_pid_statm(5); read 2026-11-23.
"""

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from relevo.core.clock import Clock

FULL_SHARE: Final = 0.8
"""Beyond this part of the limit the kernel's reclaim, and then its killer, are near."""
_SAMPLE_S: Final = 0.25
_TRIM_S: Final = 10.0
_UNLIMITED_BYTES: Final = 1 << 60
"""Version 1 writes "no limit" as a number close to 2⁶³."""
_STATM: Final = Path("/proc/self/statm")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def limit_bytes(root: Path = Path("/")) -> int | None:
    """The least limit of the process's control group and of those that it is in. None: there is none, or no Linux.

    Args:
        root: Where `proc` and `sys` are.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    limits = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            limits += _limits(root / "sys/fs/cgroup", path, "memory.max")
        elif "memory" in controllers.split(","):
            limits += _limits(root / "sys/fs/cgroup/memory", path, "memory.limit_in_bytes")
    return min(limits, default=None)


def _limits(mount: Path, group: str, name: str) -> list[int]:
    """The limits from a group up to its root. In a container the path may be the host's: only the root is there."""
    path = PurePosixPath(group.lstrip("/"))
    found = []
    for part in (path, *path.parents):
        with suppress(OSError, ValueError):  # not there, or the word max
            limit = int((mount / part / name).read_text())
            if limit < _UNLIMITED_BYTES:
                found.append(limit)
    return found


def resident_bytes() -> int:
    """The process's resident memory. 0 where there is no /proc."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def trim() -> None:
    """Give what was freed back to the kernel, where the C library (glibc) can; else its heap stays as it is."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Memory:
    """The process's memory, looked at now and then."""

    def __init__(
        self,
        clock: Clock,
        limit: int | None,
        used: Callable[[], int] = resident_bytes,
        trim: Callable[[], None] = trim,
    ) -> None:
        """Args: limit: bytes that it may use; None: as many as there are. used, trim: in their place in tests."""
        self.limit = limit
        self._clock = clock
        self._read = used
        self._trim = trim
        self._used = 0
        self._read_s = self._trimmed_s = float("-inf")

    @property
    def used(self) -> int:
        """Resident bytes, as of a quarter of a second ago at most."""
        now_s = self._clock.now_s()
        if now_s - self._read_s >= _SAMPLE_S:
            self._used, self._read_s = self._read(), now_s
        return self._used

    @property
    def full(self) -> bool:
        """Whether new work would endanger what runs. Freed memory is then given back, so that this ends."""
        if self.limit is None or self.used < FULL_SHARE * self.limit:
            return False
        if self._read_s - self._trimmed_s >= _TRIM_S:
            self._trimmed_s = self._read_s
            self._trim()
            self._used = self._read()
        return self._used >= FULL_SHARE * self.limit
