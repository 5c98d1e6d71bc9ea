"""What the benchmark needs of the machine: Linux, two cores, nginx and wrk; and what it says about it."""

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

_PACKAGES: Final = {"nginx": "nginx-light", "wrk": "wrk"}
_SEARCH: Final = os.pathsep.join(["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_INSTALL_S: Final = 300
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
PLAIN_ENVIRONMENT: Final = {"PATH": _SEARCH, "LANG": "C.UTF-8"}
"""Everything that is started sees this and what it is given, never the caller's keys."""


class CannotRunError(Exception):
    """The benchmark cannot run here. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Paths of the programs that are not ours."""

    nginx: str
    wrk: str


@dataclass(frozen=True, slots=True)
class Cores:
    """One core for what is measured, another for everything else."""

    gateway: int
    load: int


def find_cores() -> Cores:
    """Two of the cores that this process may use."""
    if not hasattr(os, "sched_getaffinity") or not Path("/proc/self/stat").exists():
        raise CannotRunError("the benchmark pins processes and reads /proc: run it on Linux")
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise CannotRunError("the benchmark needs two cores, one for the gateway and one for the load")
    return Cores(gateway=usable[-1], load=usable[0])


def find_tools() -> Tools:
    """Find nginx and wrk; where one is missing and this is root, install Debian's package."""
    missing = [name for name in _PACKAGES if _which(name) is None]
    if missing:
        _install([_PACKAGES[name] for name in missing])
    nginx, wrk = _which("nginx"), _which("wrk")
    if nginx is None or wrk is None:
        raise CannotRunError("nginx or wrk is still missing after its package was installed")
    return Tools(nginx=nginx, wrk=wrk)


def _which(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), _SEARCH]))


def _install(packages: list[str]) -> None:
    apt = _which("apt-get")
    command = f"apt-get install {' '.join(packages)}"
    if apt is None:
        raise CannotRunError(f"install nginx and wrk with your package manager (Debian: {command})")
    if os.geteuid() != 0:
        raise CannotRunError(f"install what is missing: sudo {command}")
    print(f"installing {' and '.join(packages)} ...", file=sys.stderr)
    with _no_service_starts():
        if not _apt(apt, "install", *packages) and not (_apt(apt, "update") and _apt(apt, "install", *packages)):
            raise CannotRunError(f"could not install {' and '.join(packages)}: see {command}")


def _apt(apt: str, *arguments: str) -> bool:
    environment = PLAIN_ENVIRONMENT | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        [apt, "-qq", "-y", "--no-install-recommends", *arguments],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=_INSTALL_S,
        check=False,
    )
    return done.returncode == 0


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian's way to keep a package from starting its service; an existing policy is left alone."""
    if _POLICY.exists():
        yield
        return
    try:
        _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        _POLICY.chmod(0o755)
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class MachineTime:
    """CPU time of the whole machine since its start, and time itself."""

    busy_s: float
    """Spent on programs, ours included."""
    stolen_s: float
    """Taken by the hypervisor for others."""
    capacity_s: float
    """What all cores together could have given."""

    @classmethod
    def now(cls) -> "MachineTime":
        """Read the clocks."""
        columns = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
        user, nice, system, _idle, _iowait, _irq, _softirq, stolen = (int(c) / _TICKS_PER_S for c in columns[:8])
        return cls(user + nice + system, stolen, time.monotonic() * (os.cpu_count() or 1))

    def others_share(self, later: "MachineTime", ours_s: float) -> float:
        """The part of the machine that others had until `later`, when our own programs used `ours_s`."""
        others_s = later.busy_s - self.busy_s - ours_s + later.stolen_s - self.stolen_s
        return max(0.0, others_s) / (later.capacity_s - self.capacity_s)


def describe(tools: Tools) -> dict[str, str]:
    """What ran where, for the header of a report."""
    return {
        "cpu": _cpu_model(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "relevo": version("relevo"),
        "nginx": _version_of(tools.nginx, r"nginx/(\S+)"),
        "wrk": _version_of(tools.wrk, r"wrk (?:debian/)?(\S+)"),
        "load_before": f"{os.getloadavg()[0]:.2f}",
    }


def _version_of(program: str, pattern: str) -> str:
    said = subprocess.run([program, "-v"], capture_output=True, text=True, timeout=10, check=False)
    found = re.search(pattern, said.stdout + said.stderr)
    return found[1] if found else "unknown"


def _cpu_model() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return f"{found[1] if found else platform.machine()} ({os.cpu_count()} cores)"
