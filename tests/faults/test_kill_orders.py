"""kill -9 while credits are ordered, paid for, backed up, or a database is brought to the current schema."""

import asyncio
import random
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import apsw
import pytest

from relevo.core.ledger import Terms
from relevo.core.types import Principal
from relevo.store.audit import Audit
from relevo.store.ledger import StoredLedger
from relevo.store.queries import migrations
from relevo.store.sqlite import SqliteStore
from support.books import TOPUP_SECRET, signed
from support.clock import FakeClock
from support.process import environment
from support.soak import seeds

pytestmark = pytest.mark.slow
CONFIG = """
[providers.a]
dialect = "openai_chat"
base_url = "http://127.0.0.1:9/v1"
[tasks.T]
credits = 20
targets = [{ provider = "a", model = "m" }]
[credits]
enabled = true
[topups.webhook]
secret = "${TOPUP_SECRET}"
"""
CREDIT = 1_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "relevo.toml").write_text(CONFIG)
    return tmp_path


def command(folder: Path, *args: str, point: str = "", number: int = 0) -> int:
    """Run a command to its end, or to its death."""
    doomed = str(Path(__file__).parent.parent / "support" / "doomed.py")
    script = [doomed, point, str(number)] if point else ["-m", "relevo"]
    with (folder / "err.txt").open("ab") as err:
        return subprocess.run(
            [sys.executable, *script, *args], cwd=folder, env=environment({"TOPUP_SECRET": TOPUP_SECRET}),
            stdout=subprocess.DEVNULL, stderr=err, stdin=subprocess.DEVNULL, timeout=60, check=False,
        ).returncode  # fmt: skip


def books(path: Path, user: str = "ana") -> tuple[Audit, int]:
    """The audit, and the user's balance in credits."""

    async def look() -> tuple[Audit, int]:
        store = SqliteStore(path, FakeClock(time.time()))
        ledger = StoredLedger(store)
        balance = await ledger.balance(Principal("local", user, "machine"), Terms())
        audit = await ledger.audit()
        await store.aclose()
        return audit, balance.balance_micro // CREDIT

    return asyncio.run(look())


@pytest.mark.parametrize("seed", seeds(1))
@pytest.mark.parametrize("point", ["statement", "commit", "durable", "write", "sync"])
def test_an_order_that_died_is_given_again_and_counts_once(folder: Path, point: str, seed: int) -> None:
    """`credits grant --key` dies anywhere: repeated, it has granted once."""
    dice = random.Random(f"{point} {seed}")  # noqa: S311
    reach = {"statement": 12, "commit": 1, "durable": 1, "write": 60, "sync": 12}[point]
    grant = ("credits", "grant", "ana", "100", "--key", "order-1")
    command(folder, *grant, point=point, number=dice.randint(1, reach))
    assert command(folder, *grant) == 0, (folder / "err.txt").read_text()
    audit, balance = books(folder / "relevo.db")
    assert audit.differences == ()
    assert balance == 100
    assert command(folder, "ledger", "verify") == 0


@pytest.mark.parametrize("seed", seeds(1))
@pytest.mark.parametrize("point", ["statement", "commit", "durable", "sync"])
def test_a_payment_that_was_told_to_a_dying_server_counts_once(folder: Path, point: str, seed: int) -> None:
    """The payer's server tells it until it hears 200: credited once, wherever the first server died."""
    dice = random.Random(f"{point} {seed}")  # noqa: S311
    doomed = str(Path(__file__).parent.parent / "support" / "doomed.py")
    payments = [f'{{"event_id":"mp-{n}","user":"ana","credits":50}}'.encode() for n in range(5)]
    for trap in ([doomed, point, str(dice.randint(1, 40))], ["-m", "relevo"]):
        with (folder / "out.txt").open("wb") as out, (folder / "err.txt").open("ab") as err:
            server = subprocess.Popen(
                [sys.executable, *trap, "serve", "--port", "0"], cwd=folder, stdout=out, stderr=err,
                env=environment({"TOPUP_SECRET": TOPUP_SECRET}), stdin=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            url = address(folder, server)
            payments = [body for body in payments if not url or not told(url, body)]
        finally:
            server.kill()
            server.wait()
    assert payments == [], "the second server was not doomed"
    audit, balance = books(folder / "relevo.db")
    assert audit.differences == ()
    assert balance == 250


def address(folder: Path, server: subprocess.Popen[bytes]) -> str | None:
    while True:
        found = re.search(r"(http://\S+)/api/ai/chat", (folder / "out.txt").read_text())
        if found or server.poll() is not None:
            return found[1] if found else None


def told(url: str, body: bytes) -> bool:
    """Whether the server said that it has the payment. It is told twice each time."""
    headers = {"content-type": "application/json", "x-relevo-signature": signed(body, TOPUP_SECRET)}
    try:
        for _ in range(2):
            request = urllib.request.Request(f"{url}/webhooks/topup", body, headers)
            with urllib.request.urlopen(request, timeout=20) as reply:
                assert reply.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


@pytest.mark.parametrize("seed", seeds(1))
@pytest.mark.parametrize("point", ["write", "sync"])
def test_a_backup_that_died_is_no_backup_and_the_next_one_is(folder: Path, point: str, seed: int) -> None:
    """What bears the backup's name is whole; the database is as it was."""
    dice = random.Random(f"{point} {seed}")  # noqa: S311
    assert command(folder, "credits", "grant", "ana", "100", "--key", "k") == 0
    died = command(folder, "backup", "copy.db", point=point, number=dice.randint(1, 12 if point == "write" else 3))
    if (folder / "copy.db").exists():
        assert books(folder / "copy.db")[1] == 100
    assert command(folder, "backup", "copy.db", "--force") == 0
    assert books(folder / "copy.db") == books(folder / "relevo.db")
    assert died in (0, -9)


@pytest.mark.parametrize("seed", seeds(1))
@pytest.mark.parametrize("point", ["write", "sync"])
def test_a_migration_that_died_is_done_by_the_next_start(folder: Path, point: str, seed: int) -> None:
    """A database of an earlier version, cut off on its way to the current schema, keeps its rows and gets there."""
    dice = random.Random(f"{point} {seed}")  # noqa: S311
    first = migrations("sqlite")[0][1]
    connection = apsw.Connection(str(folder / "relevo.db"))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(first)
    connection.execute(
        "INSERT INTO request (id, started_at_ms, issuer, subject, outcome, http_status, ms)"
        " VALUES ('r', 1, 'i', 's', 'ok', 200, 1)"
    )
    connection.execute("PRAGMA user_version=1")
    connection.close()
    command(folder, "credits", "show", "ana", point=point, number=dice.randint(1, 40 if point == "write" else 4))
    grant = ("credits", "grant", "ana", "1", "--key", "k")
    command(folder, *grant, point=point, number=dice.randint(1, 60 if point == "write" else 6))
    assert command(folder, *grant) == 0, (folder / "err.txt").read_text()
    audit, balance = books(folder / "relevo.db")
    assert (audit.differences, balance) == ((), 1)
    reader = apsw.Connection(str(folder / "relevo.db"))
    assert reader.execute("SELECT count(*) FROM request").get == 1
    reader.close()
