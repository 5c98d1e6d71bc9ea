"""The built-in price table: a file of plain rows that is searched, not loaded.

`make prices` writes the file. Each row stands on a line of its own and is found by its name in the bytes of the
file, so that a gateway of five targets decodes five rows and keeps nothing of the rest.
"""

import re
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from relevo.config.schema import PriceRow
from relevo.providers.rows import find_row

_FILE: Final = Path(__file__).with_name("prices.json")
_HEAD: Final = re.compile(rb'"date": "(\d{4}-\d\d-\d\d)"')


class TierRow(PriceRow, frozen=True):
    """Prices of requests longer than a bound."""

    over: Annotated[int, Meta(ge=0)] = 0
    """Input tokens above which these prices hold, for all tokens of the request."""


class TableRow(PriceRow, frozen=True):
    """A row of the built-in table."""

    tiers: tuple[TierRow, ...] = ()
    """Prices of longer requests, the shortest bound first."""
    source: str | None = None
    """The page and the day of a row of our own. None: it comes from the package that the table was made from."""


_decode: Final = msgspec.json.Decoder(TableRow).decode


def read_row(provider: str, model: str) -> tuple[TableRow, str] | None:
    """The row of a built-in provider's model, and the table's date. None: the table does not know it.

    Reads the file (a fraction of a millisecond): ask once and keep the answer.
    """
    data = _FILE.read_bytes()
    row = find_row(data, provider, model)
    return None if row is None else (_decode(row), table_date(data))


def table_date(data: bytes) -> str:
    """The day whose prices a table holds, as YYYY-MM-DD."""
    found = _HEAD.search(data)
    return found.group(1).decode() if found else "undated"
