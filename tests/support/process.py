"""relevo as an operator starts it: its own process, an empty folder, an environment of its own."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

RELEVO = Path(sys.executable).parent / "relevo"
START_S_MAX = 20.0


@dataclass
class Served:
    """A running server and what it printed."""

    process: subprocess.Popen[str]
    folder: Path
    banner: str
    started_in_s: float
    environ: Mapping[str, str]
    stderr_path: Path
    output: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self._find(r"API\s+(http://\S+)/api/ai/chat")

    @property
    def metrics_url(self) -> str:
        return self._find(r"metrics\s+(http://\S+)")

    @property
    def curl(self) -> list[str]:
        """The first call, as the banner prints it."""
        return shlex.split(self._find(r"^\s+(curl .*)$"))

    @property
    def token(self) -> str:
        return self._find(r"Authorization: Bearer ([\w.-]+)")

    def _find(self, pattern: str) -> str:
        match = re.search(pattern, self.banner, re.MULTILINE)
        assert match, self.banner
        return match[1]

    def call(self) -> str:
        """The body that the printed call brings: by curl as printed, or read out and sent where there is none."""
        if shutil.which("curl"):
            return subprocess.run(self.curl, capture_output=True, text=True, timeout=60, check=True).stdout
        _, _, url, *rest = self.curl
        options = list(zip(rest[::2], rest[1::2], strict=True))
        headers = dict(value.split(": ", 1) for name, value in options if name == "-H")
        (body,) = [value for name, value in options if name == "-d"]
        request = urllib.request.Request(url, body.encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()

    def relevo(self, *args: str) -> subprocess.CompletedProcess[str]:
        return relevo(*args, folder=self.folder, environ=self.environ)

    def stderr(self) -> str:
        return self.stderr_path.read_text()


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Nothing of the real environment but what a process needs to run."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "COLUMNS": "80", **(extra or {})}


def relevo(*args: str, folder: Path, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [str(RELEVO), *args], cwd=folder, env=environment(environ), capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@contextmanager
def served(
    folder: Path, *args: str, environ: Mapping[str, str] | None = None, command: Sequence[str] = (str(RELEVO),)
) -> Iterator[Served]:
    """Serve in `folder` until the block ends; then SIGTERM, and the process must end by itself."""
    stderr_path = folder / "stderr.txt"
    started = time.monotonic()
    with stderr_path.open("w") as stderr:
        process = subprocess.Popen(
            [*command, "serve", "--port", "0", *args], cwd=folder, env=environment(environ),
            stdout=subprocess.PIPE, stderr=stderr, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    assert process.stdout
    try:
        banner = ""
        while "curl " not in banner:
            line = process.stdout.readline()
            assert line, f"it ended before it was ready:\n{banner}\n{stderr_path.read_text()}"
            banner += line
        ready_s = time.monotonic() - started
        yield Served(process, folder, banner, ready_s, environ or {}, stderr_path)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        finally:
            process.kill()
            process.wait()
