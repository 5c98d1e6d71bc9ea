"""Adds up what an operator wants to know: sold, spent, written off, given, expired."""

from relevo.core.report import Report, TaskReport
from relevo.store.base import Q, Steps


def report(now_ms: int, length_ms: int, *, sold: bool) -> Steps[Report]:
    """The stretch of this length up to now. `sold`: credits are on, so holds tell it, and else the record."""
    since = {"since_ms": now_ms - length_ms}
    rows = yield Q("report_holds" if sold else "report_record", since)
    moved = yield Q("report_moved", since)
    return Report(
        since_ms=now_ms - length_ms,
        until_ms=now_ms,
        tasks=[
            TaskReport(
                task=row[0],
                answers=int(row[1]),
                sold_micro=int(row[2]),
                cost_nano_usd=int(row[3]),
                written_off_nano_usd=int(row[4]),
                unknown_cost=int(row[5]),
            )
            for row in rows
        ],
        moved_micro={kind: int(amount) for kind, amount in moved},
    )
