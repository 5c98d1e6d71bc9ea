"""kill -9 on PostgreSQL: as test_kill.py, where holds of the dead wait for their time."""

import random
import time
from pathlib import Path

import pytest
from test_kill import AT_PROVIDER, DRAINING, strike

from support.postgres import PASSWORD, PostgresServer
from support.soak import seeds

pytestmark = pytest.mark.slow
POINTS = ("statement", "durable", "connect", "settle", "answer", *AT_PROVIDER, DRAINING)


@pytest.mark.parametrize("seed", seeds(1))
@pytest.mark.parametrize("point", POINTS)
async def test_no_money_is_lost_or_taken_twice_on_postgres(
    tmp_path: Path, postgres: PostgresServer, database: str, point: str, seed: int
) -> None:
    """Whatever the point: what was acknowledged is charged once, the rest is free."""

    def time_passes() -> None:
        """New connections find the clock half a minute on."""
        later_ms = int((time.time() + 40) * 1000)
        postgres.execute(f"ALTER DATABASE {database} SET relevo.now_ms = '{later_ms}'")

    store = f'[store]\nurl = "{postgres.url(database).replace(PASSWORD, "${PG_PASSWORD}")}"\n'
    (tmp_path / ".env").write_text(f"PG_PASSWORD={PASSWORD}\n")
    dice = random.Random(f"postgres {point} {seed}")  # noqa: S311
    await strike(tmp_path, point, dice, store, time_passes)
