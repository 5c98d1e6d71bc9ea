"""Every fault of the table, over real sockets: what was expected is what is seen, and the page says so."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from relevo.service import exchange
from relevo.testing import FAULTS
from support.fault_play import play
from support.fault_rows_content import CONTENT
from support.fault_rows_elsewhere import ELSEWHERE
from support.fault_rows_refusals import ACCENTS, POOR, REFUSALS, WAITS
from support.fault_rows_wire import WIRE
from support.fault_table import WAYS, Row, Way, page

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "faults.md"
NUMBERS = {*range(1, 32), 34, 35, 36, *range(56, 63), 64, 65, 66, 71, 72}
NOT_IN_THE_TABLE = {
    "reasoning", "slow", "endless", "tls", "no-http", "bad-request", "rate-limited", "rate-limited-ms",
}  # fmt: skip
"""Good answers, and what is (nearly) the same to relevo as its neighbour in the table."""
CLASSES = {
    *("retry-after seconds", "503", "503 burst", "timeout", "refused connection", "DNS failure", "silent provider"),
    *("silent after headers", "cut mid-stream", "stalled mid-stream", "malformed chunk", "context overflow"),
    *("error inside a 200, before content", "error inside a 200, after content", "auth failure", "60 s outage"),
    *("clean end without terminator", "429 storm"),
}
INTRO = """\
# Reference: what relevo does when a provider fails

Each fault is played to a whole relevo over real sockets, credits on; what is seen must be what is expected, and
this page is written from it (`tests/faults/test_fault_table.py`). There are two targets: **a** has the fault, **b** is
well. Deadlines are scaled down there; the defaults are in the [configuration](../guide/configuration.md), the codes
in the [reference](api.md#codes-of-attempts).

**call**: `plain`; `streamed` (`stream: true`); `unstreamed`: plain, to a target with `stream_upstream = false`.
**requests**: how many reached a and b. **credits**: what the caller was charged; an answer costs 20, or where tokens
are metered, one for each token. **the house** bears what a failed try may have cost. After every fault the books add up and no hold is open. Numbers are those of our own list
of faults; those that are not here are not about providers.
"""
ROWS = (*WIRE, *CONTENT, *WAITS, *REFUSALS, *ACCENTS, *POOR)


async def check(rows: Sequence[Row], ways: Sequence[Way], folder: Path) -> None:
    wrong = [
        f"{one.row.number} {one.row.fault}, {one.way}:\n  expected {one.row.seen[one.way]}\n  seen     {facts}"
        for one, facts in await play(rows, ways, folder)
        if facts != one.row.seen[one.way]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(WIRE, id="wire", marks=pytest.mark.slow),
        pytest.param(CONTENT, id="content"),
        pytest.param(WAITS, id="waits", marks=pytest.mark.slow),
        pytest.param(REFUSALS, id="refusals"),
    ],
)
async def test_every_fault_is_seen_as_expected(
    rows: Sequence[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the caller got, every try by its code, requests to each target, the charge; and the books at rest."""
    monkeypatch.setattr(exchange, "REPLY_BYTES_MAX", 2_000_000)
    await check(rows, WAYS, tmp_path)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rows", [ACCENTS, POOR], ids=["bad keys", "empty accounts"])
async def test_refused_keys_are_seen_as_expected(rows: Sequence[Row], way: Way, tmp_path: Path) -> None:
    """The same for providers by their names: each says it in its own words."""
    await check(rows, [way], tmp_path)


def test_the_page_says_what_is_seen() -> None:
    """`docs/reference/faults.md` is these rows, which the tests above compare with what happens.

    `RELEVO_WRITE_SNAPSHOTS=1` writes it; the difference is to be read before it is committed.
    """
    found = page(INTRO, ROWS, ELSEWHERE)
    if os.environ.get("RELEVO_WRITE_SNAPSHOTS"):
        PAGE.write_text(found)
    assert found == PAGE.read_text()


def test_every_fault_of_ours_is_in_the_table() -> None:
    """No number is missing, and whatever has a test elsewhere names one that exists."""
    assert {entry.number for entry in (*ROWS, *ELSEWHERE)} == {0, *NUMBERS}
    assert {entry.bench for entry in (*ROWS, *ELSEWHERE)} == {"", *CLASSES}
    for entry in ELSEWHERE:
        for test in entry.tests:
            path, _, name = test.partition("::")
            assert f"def {name}(" in (TESTS / path).read_text(), test


def test_every_fault_of_the_catalogue_is_played() -> None:
    """What users can play in their own tests, relevo has stood itself."""
    plays = [play for row in ROWS for play in (row.play if isinstance(row.play, tuple) else [row.play])]
    assert set(FAULTS) - {play for play in plays if isinstance(play, str)} == NOT_IN_THE_TABLE
