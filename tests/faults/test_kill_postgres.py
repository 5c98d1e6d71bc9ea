"""kill -9 on PostgreSQL: as test_kill.py, where holds of the dead wait for their time."""

import random
import time
from pathlib import Path

import psycopg
import pytest
from test_kill import AT_PROVIDER, DRAINING, strike

from support.soak import seeds

pytestmark = pytest.mark.slow
POINTS = ("statement", "durable", "connect", "settle", "answer", *AT_PROVIDER, DRAINING)


@pytest.mark.parametrize("seed", seeds(1))
@pytest.mark.parametrize("point", POINTS)
async def test_no_money_is_lost_or_taken_twice_on_postgres(
    tmp_path: Path, database: str, point: str, seed: int
) -> None:
    """Whatever the point: what was acknowledged is charged once, the rest is free."""

    def time_passes() -> None:
        """New connections find the clock half a minute on."""
        later_ms = str(int((time.time() + 40) * 1000))
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE \"{database_name(database)}\" SET relevo.now_ms = '{later_ms}'")

    store = f'[store]\nurl = "{database}"\n'
    dice = random.Random(f"postgres {point} {seed}")  # noqa: S311
    await strike(tmp_path, point, dice, store, time_passes)


def database_name(url: str) -> str:
    return (
        url.rpartition("/postgres")[0].rpartition("/")[2]
        if "/postgres?" in url
        else url.split("?", maxsplit=1)[0].rpartition("/")[2]
    )
