"""`relevo credits import` from the app's own PostgreSQL, read as it stands."""

import json
from pathlib import Path

import pytest

from support.process import relevo

postgres = pytest.importorskip("support.postgres", reason="there is no PostgreSQL for tests here")
pytestmark = pytest.mark.slow


def test_a_table_of_postgresql_becomes_grants_once(tmp_path: Path) -> None:
    """Numbers of any SQL type; NULL is nothing; a name with a schema; the app's table stays as it is."""
    with postgres.running_server() as server, server.database() as name:
        server.execute(
            "CREATE TABLE user_credits (user_id uuid PRIMARY KEY, monthly int, purchased numeric(12, 2), bonus bigint,"
            " total numeric GENERATED ALWAYS AS (monthly + purchased + bonus) STORED)",
            name,
        )
        server.execute(
            "INSERT INTO user_credits VALUES ('00000000-0000-0000-0000-000000000001', 10, 20.25, 3),"
            " ('00000000-0000-0000-0000-000000000002', 0, NULL, -4)",
            name,
        )
        url = server.url(name)
        for expected in ((3, 0), (0, 3)):
            done = relevo("credits", "import", url, "--table", "public.user_credits", "--json", folder=tmp_path)
            assert done.returncode == 1  # the second line has a bonus below 0
            told = json.loads(done.stdout)
            assert (told["grants"], told["imported_before"]) == expected
            assert told["problems"] == ["line 2: local:00000000-0000-0000-0000-000000000002: bonus is -4"]
            assert postgres.PASSWORD not in done.stdout + done.stderr
        user = "00000000-0000-0000-0000-000000000001"
        shown = json.loads(relevo("credits", "show", user, "--json", folder=tmp_path).stdout)
        assert shown["balance"] == 33.25
        missing = relevo("credits", "import", url, "--table", "nothing", folder=tmp_path)
        assert missing.returncode == 2
        assert "nothing" in missing.stderr
        assert server.execute("SELECT count(*) FROM user_credits", name) == [(2,)]
