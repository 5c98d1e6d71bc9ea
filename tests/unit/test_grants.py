"""The arithmetic of grants: spend order, expiry beside holds, months."""

from hypothesis import given
from hypothesis import strategies as st

from relevo.core.grants import NEVER_MS, AccountRow, GrantRow, assign, month_of, next_month_ms, roll
from relevo.core.ledger import GrantKind, Terms

NOW_MS = 1_795_000_000_000
KINDS: list[GrantKind] = ["signup", "monthly", "bonus", "purchase"]
kinds = st.sampled_from(KINDS)
moments = st.none() | st.integers(NOW_MS - 5, NOW_MS + 5)


@st.composite
def grants(draw: st.DrawFn) -> list[GrantRow]:
    rows = draw(st.lists(st.tuples(kinds, st.integers(1, 50), moments), max_size=6))
    return [
        GrantRow(id=number, kind=kind, amount_micro=left, remaining_micro=left, expires_ms=expires)
        for number, (kind, left, expires) in enumerate(rows, start=1)
    ]


def account(rows: list[GrantRow], held: int = 0, unassigned: int = 0) -> AccountRow:
    return AccountRow(
        id=1, balance_micro=sum(row.remaining_micro for row in rows) - unassigned, held_micro=held,
        unassigned_micro=unassigned, due_ms=0, person=True, blocked=False, spent_day=0, spent_micro=0, entries=0,
        month=month_of(NOW_MS),
    )  # fmt: skip


@given(grants(), st.integers(0, 400))
def test_spending_goes_by_soonest_expiry_then_priority_then_age(rows: list[GrantRow], spent: int) -> None:
    """A credit at a time, always from the first grant that has one; what is left over is debt."""
    priority = {"monthly": 10, "signup": 20, "bonus": 20, "purchase": 30}
    left = {row.id: row.remaining_micro for row in rows}
    debt = 0
    for _ in range(spent):
        order = sorted(rows, key=lambda row: (row.expires_ms or NEVER_MS, priority[row.kind], row.id))
        first = next((row.id for row in order if left[row.id]), None)
        if first is None:
            debt += 1
        else:
            left[first] -= 1

    booked, unassigned = assign(rows, spent)

    assert {row.id: row.remaining_micro for row in booked} == left
    assert unassigned == debt


@given(grants(), st.integers(0, 400), st.integers(0, 100))
def test_expiry_takes_all_that_is_due_and_nothing_under_a_hold(
    rows: list[GrantRow], held: int, unassigned: int
) -> None:
    """Holds lie on the grants in spend order, each credit once; what is due and not under one goes, no more, no less."""
    before, _ = assign(rows, unassigned)
    rolled = roll(account(rows, held, unassigned), rows, Terms(), person=False, now_ms=NOW_MS)
    due = [row for row in before if row.expires_ms is not None and row.expires_ms <= NOW_MS]
    after = {row.id: row.remaining_micro for row in rolled.grants}

    was = sum(row.remaining_micro for row in due)
    assert sum(after[row.id] for row in due) == min(was, held)
    assert all(after[row.id] == row.remaining_micro for row in before if row not in due)
    assert rolled.account.balance_micro == sum(after.values()) - rolled.account.unassigned_micro
    assert sum(lost for _, lost in rolled.expired) == was - min(was, held)


def test_months_begin_where_calendars_say() -> None:
    """December is followed by January of the next year; a clock set back brings no second grant."""
    december = 1_798_000_000_000  # 2026-12-23
    terms = Terms(monthly_micro=5)
    assert month_of(next_month_ms(december)) == month_of(december) + 1
    first = roll(account([]), [], terms, person=True, now_ms=december)
    assert [row.expires_ms for row in first.new] == [next_month_ms(december)]
    assert roll(first.account, [], terms, person=True, now_ms=december - 40 * 86_400_000).new == ()
