"""The commands over the books, as an operator runs them beside a running server."""

import json
import re
import sqlite3
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.process import Served, relevo, served

pytestmark = pytest.mark.slow
DEMO = """
[server]
port = 0
[admin]
port = 0
[credits]
signup = 100
"""
TASK = """
[providers.local]
dialect = "openai_chat"
base_url = "http://127.0.0.1:9/v1"
[tasks.T]
credits = 5
targets = [{ provider = "local", model = "m" }]
[tasks.U]
credits = 1
targets = [{ provider = "local", model = "m" }]
"""
TWO_ISSUERS = "".join(
    f'[auth.issuers.{name}]\nissuer = "https://{name}.example"\nsecret = "${{APP}}"\n' for name in ("app", "shop")
)
ENV = {"APP": "an-invented-secret-of-an-app-0123456789"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "relevo.toml").write_text(DEMO + TASK)
    with served(tmp_path) as running:
        yield running


def ok(folder: Path, *args: str, code: int = 0) -> str:
    """What a command printed; its exit code is part of its contract."""
    done = relevo(*args, folder=folder, environ=ENV)
    assert done.returncode == code, f"{args}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr if code else done.stdout


def read(folder: Path, *args: str) -> Any:
    return json.loads(ok(folder, *args, "--json"))


def credits_over_http(server: Served, credential: str) -> Any:
    request = urllib.request.Request(
        server.url + "/api/ai/credits", headers={"authorization": f"Bearer {credential}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def test_every_command_works_while_the_server_runs(server: Served, tmp_path: Path) -> None:
    """Each is seen by the server at once, and the server's own work by each; the books add up after all of it."""
    assert credits_over_http(server, server.token)["balance"] == 100  # the signup grant of ana
    granted = read(
        tmp_path, "credits", "grant", "ana", "50", "--bucket", "purchase", "--key", "k1", "--reason", "r"
    )
    assert (granted["before"], granted["after"], granted["key"]) == (100, 150, "k1")
    assert "nothing was changed now" in ok(
        tmp_path, "credits", "grant", "ana", "50", "--bucket", "purchase", "--key", "k1"
    )
    assert "used for something else" in ok(tmp_path, "credits", "grant", "ana", "51", "--key", "k1", code=1)
    ok(tmp_path, "credits", "grant", "ana", "7", "--expires", "30d")
    ok(tmp_path, "credits", "grant", "ana", "7", "--expires", "30d", "--key", "k2", code=2)
    assert "only 157 credits" in ok(tmp_path, "credits", "revoke", "ana", "1000", code=1)
    ok(tmp_path, "credits", "revoke", "ana", "2")
    ok(tmp_path, "credits", "refund", "ana", "k1")
    assert credits_over_http(server, server.token)["balance"] == 105
    shown = read(tmp_path, "credits", "show", "local:ana")
    assert [(row["kind"], row["remaining"]) for row in shown["buckets"]] == [("bonus", 5), ("signup", 100)]
    history = [json.loads(line) for line in ok(tmp_path, "credits", "history", "ana", "--json").splitlines()]
    assert [row["kind"] for row in history] == ["refund", "revoke", "bonus", "purchase", "signup"]
    assert [row["actor"].partition(":")[0] for row in history] == ["cli"] * 4 + ["relevo"]
    for name in ("show", "history"):
        assert "there is no account of local:nobody" in ok(tmp_path, "credits", name, "nobody", code=1)

    key = ok(tmp_path, "keys", "create", "--owner", "ana", "--name", "n", "--task", "U", "--expires", "90d").strip()
    assert re.fullmatch(r"rv-[\w-]{43}", key)
    assert credits_over_http(server, key)["balance"] == 105
    (row,) = read(tmp_path, "keys", "list")
    assert (row["owner"], row["tasks"], row["last4"]) == ("local:ana", ["U"], key[-4:])
    assert key not in ok(tmp_path, "keys", "list")
    assert ok(tmp_path, "keys", "revoke", row["id"]) == f"{row['id']} is revoked\n"
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        credits_over_http(server, key)
    refused.value.close()
    for refused_twice in range(2):
        assert "nothing is left to take" in ok(tmp_path, "credits", "refund", "ana", "k1", code=1), refused_twice
    assert "local:eve (new account): +5 credits" in ok(tmp_path, "credits", "grant", "eve", "5")
    assert "local:eve: +5 credits" in ok(tmp_path, "credits", "grant", "eve", "5")
    assert "local:mal (new account) is blocked" in ok(tmp_path, "users", "block", "mal", "--reason", "spam")
    assert re.search(r" block .* act_\S+ .* cli:\S+ +spam", ok(tmp_path, "credits", "history", "mal"))
    assert read(tmp_path, "users", "unblock", "mal")["new"] is False
    for order in (("revoke", "nobody", "1"), ("refund", "nobody", "k1")):
        assert "there is no account of local:nobody" in ok(tmp_path, "credits", *order, code=1)
    ok(tmp_path, "keys", "create", "--owner", "ana", "--task", "NO", code=1)
    ok(tmp_path, "keys", "revoke", "key_no", code=1)

    assert "ana is blocked" in ok(tmp_path, "users", "block", "ana", "--reason", "abuse")
    assert json.loads(server.call())["code"] == "user_blocked"
    ok(tmp_path, "users", "unblock", "ana")
    assert json.loads(server.call())["code"] == "all_providers_failed"
    assert read(tmp_path, "report")["granted"]["signup"] == 100
    verified = read(tmp_path, "ledger", "verify")
    assert (verified["ok"], verified["accounts"], verified["open_holds"]) == (True, 3, 0)
    assert "all adds up" in ok(tmp_path, "ledger", "verify")


def test_the_admin_token_opens_the_admin_api(server: Served, tmp_path: Path) -> None:
    """Made on first use, the same again, another after --rotate; mode 0600."""
    token = ok(tmp_path, "admin", "token").strip()
    assert ok(tmp_path, "admin", "token").strip() == token
    url = server.metrics_url.removesuffix("/metrics") + "/admin/api/report"
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert json.loads(answer.read())["usd_per_credit"] == 0.001
    assert ok(tmp_path, "admin", "token", "--rotate").strip() != token
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(request, timeout=20)
    refused.value.close()
    assert (tmp_path / "relevo-admin.token").stat().st_mode & 0o777 == 0o600


def test_a_backup_under_load_restores_to_books_that_add_up(tmp_path: Path) -> None:
    """I-18: taken while grants and calls run; restore refuses a running server, sweeps holds, keeps the old one."""
    (tmp_path / "relevo.toml").write_text(DEMO + TASK)
    stop = threading.Event()
    with served(tmp_path) as server:
        credits_over_http(server, server.token)

        def load() -> None:
            while not stop.is_set():
                server.call()

        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for number in range(3):
                ok(tmp_path, "credits", "grant", f"user{number}", "5")
                ok(tmp_path, "backup", f"copy{number}.db")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert "--force" in ok(tmp_path, "backup", "copy0.db", code=2)
        ok(tmp_path, "backup", "copy0.db", "--force")
        assert "is using it" in ok(tmp_path, "restore", "copy1.db", code=2)
    copy = sqlite3.connect(tmp_path / "copy1.db")  # a hold that was open when the backup was taken
    copy.execute(
        "INSERT INTO hold (id, account_id, task, amount_micro, state, cost_guess_nano_usd, node, expires_ms, opened_ms)"
        " VALUES ('req_open', 1, 'T', 5000000, 'open', 7, 'node_x', 1, 1)"
    )
    copy.execute("UPDATE account SET held_micro = held_micro + 5000000 WHERE id = 1")
    copy.commit()
    copy.close()
    ok(tmp_path, "credits", "grant", "later", "5")
    done = read(tmp_path, "restore", "copy1.db")
    assert done["accounts"] == 3  # ana, user0, user1
    assert 1 <= done["swept"] <= 3  # the one above, and those of calls that ran while the copy was made
    verified = read(tmp_path, "ledger", "verify")
    assert (verified["ok"], verified["open_holds"], verified["accounts"]) == (True, 0, 3)
    assert Path(done["aside"]).is_file()
    ok(tmp_path, "credits", "show", "later", code=1)
    ok(tmp_path, "restore", done["aside"])  # and back again
    assert read(tmp_path, "credits", "show", "later")["balance"] == 5
    with served(tmp_path) as server:
        assert credits_over_http(server, server.token)["balance"] == 100


def test_a_backup_whose_books_do_not_add_up_replaces_nothing(tmp_path: Path) -> None:
    """Nor does half a file, or no database at all; verify finds the difference, with whose it is."""
    (tmp_path / "relevo.toml").write_text(DEMO + TASK)
    assert "no database yet" in ok(tmp_path, "ledger", "verify", code=2)
    assert "no database yet" in ok(tmp_path, "backup", "b.db", code=2)
    ok(tmp_path, "credits", "grant", "ana", "5")
    ok(tmp_path, "backup", "good.db")
    ok(tmp_path, "backup", "bad.db")
    bad = sqlite3.connect(tmp_path / "bad.db")
    bad.execute("UPDATE account SET balance_micro = 9000000")
    bad.commit()
    bad.close()
    (tmp_path / "half.db").write_bytes((tmp_path / "good.db").read_bytes()[:9000])
    (tmp_path / "none.db").write_text("this is no database")
    for name, why in (("bad.db", "do not add up"), ("half.db", "is damaged"), ("none.db", "is no SQLite database")):
        assert why in ok(tmp_path, "restore", name, code=1)
    ok(tmp_path, "restore", "nowhere.db", code=2)
    assert "is the database itself" in ok(tmp_path, "restore", "relevo.db", code=2)
    assert "there is no folder" in ok(tmp_path, "backup", "nowhere/b.db", code=2)
    assert "is a folder" in ok(tmp_path, "backup", ".", code=2)
    assert read(tmp_path, "credits", "show", "ana")["balance"] == 5
    assert [path.name for path in tmp_path.glob("*.part*")] == []
    ok(tmp_path, "restore", "good.db")
    (tmp_path / "relevo.db").write_bytes((tmp_path / "bad.db").read_bytes())
    found = ok(tmp_path, "ledger", "verify", code=1)
    assert "DIFFERENCE: local:ana: balance is 9000000, should be 5000000" in found
    shown = json.loads(relevo("ledger", "verify", "--json", folder=tmp_path).stdout)
    assert (shown["ok"], len(shown["differences"])) == (False, found.count("DIFFERENCE"))
    assert shown["differences"][-1]["what"] == "users and house together"


CSV = "user_id,monthly,purchased,bonus,plan\nana,10,20,0.5,pro\nbob,x,5,,free\n,1,1,1,\nana,9,9,9,pro\nzoe,0,-1,,\neva,,3,\n"


def test_an_apps_own_table_becomes_grants_once(server: Served, tmp_path: Path) -> None:
    """A rehearsal writes nothing; bad lines are named, all others count; a repeat after mending adds what was lost."""
    (tmp_path / "credits.csv").write_text(CSV)
    rehearsed = ok(tmp_path, "credits", "import", "credits.csv", "--dry-run", code=1)
    assert "5 grants would be made (credits: monthly 10, purchase 28, bonus 0.5)" in rehearsed
    assert read(tmp_path, "ledger", "verify")["entries"] == 0
    first = ok(tmp_path, "credits", "import", "credits.csv", code=1)
    for line in (
        "line 3: local:bob: monthly is 'x'", "line 4: no user", "line 5: local:ana stands in line 2 already",
        "line 6: local:zoe: purchased is '-1'", "5 grants made",
    ):  # fmt: skip
        assert line in first
    (tmp_path / "credits.csv").write_text("user_id,monthly,purchased,bonus\nana,10,20,0.5\nbob,1,5,\neva,,3,\n")
    again = read(tmp_path, "credits", "import", "credits.csv")
    assert (again["grants"], again["imported_before"], again["granted"]) == (1, 5, {"monthly": 1})
    assert read(tmp_path, "credits", "show", "ana")["balance"] == 30.5
    entry = json.loads(ok(tmp_path, "credits", "history", "eva", "--json"))
    assert (entry["key"], entry["kind"]) == ("import:user_credits:local:eva:purchased", "purchase")
    (tmp_path / "odd.csv").write_text("uid,paid\nana,1\n")
    assert 'no column "user_id": there are uid, paid' in ok(tmp_path, "credits", "import", "odd.csv", code=2)
    named = ("--user-column", "uid", "--column", "purchased=paid", "--table", "other")
    assert read(tmp_path, "credits", "import", "odd.csv", *named)["grants"] == 1
    ok(tmp_path, "credits", "import", "nowhere.csv", code=2)
    assert "the app's database" in ok(tmp_path, "credits", "import", "postgresql://127.0.0.1:9/x", code=2)


def test_with_several_issuers_a_plain_sub_is_not_guessed(tmp_path: Path) -> None:
    """The rows are named; `row:sub` is one of them; a colon of another kind belongs to the sub."""
    (tmp_path / "relevo.toml").write_text(DEMO + TASK + TWO_ISSUERS)
    assert "write app:ana or shop:ana" in ok(tmp_path, "credits", "grant", "ana", "5", code=2)
    assert read(tmp_path, "credits", "grant", "shop:a:b", "5")["user"] == "shop:a:b"
    assert "there is no issuer row x: there are app, shop" in ok(tmp_path, "credits", "show", "x:ana", code=2)
    (tmp_path / "c.csv").write_text("user_id,purchased\nana,5\n")
    assert "--issuer app or --issuer shop" in ok(tmp_path, "credits", "import", "c.csv", code=2)
    assert read(tmp_path, "credits", "import", "c.csv", "--issuer", "app")["grants"] == 1
    assert read(tmp_path, "credits", "show", "app:ana")["balance"] == 5


def test_reading_makes_no_database(tmp_path: Path) -> None:
    """Nor does an order that needs something to be there; what is empty says so."""
    (tmp_path / "relevo.toml").write_text(DEMO + TASK)
    for command in (
        ("credits", "show", "ana"), ("credits", "history", "ana"), ("credits", "revoke", "ana", "1"),
        ("credits", "refund", "ana", "k"), ("keys", "list"), ("keys", "revoke", "key_x"), ("users", "unblock", "ana"),
    ):  # fmt: skip
        assert "there is no database yet" in ok(tmp_path, *command, code=2)
    assert not (tmp_path / "relevo.db").exists()
    ok(tmp_path, "keys", "create", "--owner", "ana")
    assert ok(tmp_path, "keys", "list", "--owner", "eve") == "No key yet.\n"
    assert ok(tmp_path, "credits", "history", "ana") == "No movement yet.\n"
    assert read(tmp_path, "keys", "list", "--owner", "eve") == []


def test_what_is_typed_wrong_is_exit_code_two(tmp_path: Path) -> None:
    """And makes no account."""
    (tmp_path / "relevo.toml").write_text(DEMO + TASK)
    for amount in ("0", "-5", "x", "nan", "1e999", "0.0000001"):
        ok(tmp_path, "credits", "grant", "--", "ana", amount, code=2)
    ok(tmp_path, "credits", "grant", "ana", "5", "--expires", "tomorrow", code=2)
    assert "expired already" in ok(tmp_path, "credits", "grant", "ana", "5", "--expires", "2001-01-01", code=1)
    ok(tmp_path, "credits", "show", "ana", code=1)
    for group in ("credits", "users", "keys", "ledger", "admin", "backup", "restore", "report"):
        assert "Examples" in ok(tmp_path, group, "--help")
