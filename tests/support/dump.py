"""The books as tests look at them, straight from the tables."""

from typing import Any

from relevo.store.sqlite import SqliteReader

HOLDS = "SELECT a.subject, h.id, h.charged_micro, h.state FROM hold AS h JOIN account AS a ON a.id = h.account_id"
COSTS = "SELECT hold_id, number, nano_usd, borne_by, estimated FROM cost"


async def dump(store: Any) -> tuple[list[Any], list[Any]]:
    """Holds as (user, id, charged, state), and costs."""
    if isinstance(store, SqliteReader):
        return list(store._connection.execute(HOLDS)), list(store._connection.execute(COSTS))
    async with store._connection(5) as connection:
        holds = await (await connection.execute(HOLDS)).fetchall()
        return holds, await (await connection.execute(COSTS)).fetchall()
