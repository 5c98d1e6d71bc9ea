"""What the report counts: sold, spent, written off, and what nobody knows the cost of."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from relevo.core.ledger import Act, Closing, Cost, Grant, HoldOrder, Revoke, Terms
from relevo.core.record import Attempt
from relevo.core.report import TaskReport
from relevo.core.types import Principal
from relevo.http.admin_json import report_json
from relevo.ledger.pricing import make_tariff
from relevo.service.payment import Payment
from relevo.store.base import Tx
from relevo.store.ledger import StoredLedger
from relevo.store.report import report
from relevo.store.sqlite import SqliteStore
from support.clock import FakeClock

ANA = Principal("app", "ana", "machine")
CREDIT = 1_000_000
DAY_MS = 86_400_000


def cost(nano_usd: int, borne_by: str = "caller", number: int = 1) -> Cost:
    return Cost(number=number, provider="p", upstream_model="m", nano_usd=nano_usd, borne_by=borne_by)  # type: ignore[arg-type]


async def call(ledger: StoredLedger, task: str, name: str, charge: int, costs: Sequence[Cost]) -> None:
    order = HoldOrder(id=name, task=task, amount_micro=20 * CREDIT, node="n", ttl_ms=60_000)
    await ledger.reserve(ANA, order, Terms())
    await ledger.close(name, Closing(charge_micro=charge, costs=costs), Terms())


async def test_each_answer_is_counted_once_and_an_unknown_cost_apart(tmp_path: Path) -> None:
    """Sold, free, unknown, failed; what is older than the stretch is not in it."""
    clock = FakeClock()
    store = SqliteStore(tmp_path / "relevo.db", clock)
    ledger = StoredLedger(store)
    grant = Grant(kind="purchase", amount_micro=100 * CREDIT)
    await ledger.act(Act(key="old", actor="t", reason="", owner=ANA, change=grant), Terms())
    await call(ledger, "T", "before", 5 * CREDIT, [cost(1)])
    clock.pass_s(2 * 86_400)
    await call(ledger, "T", "sold", 5 * CREDIT, [cost(1_000_000), cost(200_000, "house", 2)])
    await call(ledger, "T", "unknown", 5 * CREDIT, [])
    await call(ledger, "T", "failed", 0, [cost(300_000, "house")])
    await call(ledger, "FREE", "gift", 0, [cost(7)])
    await call(ledger, "FREE", "nothing", 0, [])
    await ledger.act(Act(key="r", actor="t", reason="", owner=ANA, change=Revoke(amount_micro=CREDIT)), Terms())

    made = await store.read(Tx(partial(report, length_ms=DAY_MS, sold=True)))
    assert made.tasks == [
        TaskReport(task="FREE", answers=1, sold_micro=0, cost_nano_usd=7, written_off_nano_usd=0, unknown_cost=0),
        TaskReport(
            task="T", answers=2, sold_micro=10 * CREDIT, cost_nano_usd=1_000_000, written_off_nano_usd=500_000,
            unknown_cost=1,
        ),
    ]  # fmt: skip
    assert made.moved_micro == {"charge": -10 * CREDIT, "revoke": -CREDIT}
    shown = report_json(made, 0.001)
    assert shown["tasks"][1]["margin_usd"] == 0.0085  # 10 credits at 0.001, less 0.001 and 0.0005
    assert (shown["revoked"], shown["granted"]["purchase"]) == (1, 0)
    await store.aclose()


def test_an_answer_of_unknown_price_leaves_no_cost() -> None:
    """And one that costs nothing leaves a cost of 0."""
    tariff = make_tariff(credits=5, markup=1, min_credits=0, clamp=False, usd_per_credit=0.001)
    payment = Payment(None, None, tariff, ("req", 5), lambda _target: 9)  # type: ignore[arg-type]

    def costs(outcome: str, nano_usd: int | None) -> list[tuple[int, str]]:
        attempt = Attempt(
            number=1, provider="p", upstream_model="m", outcome=outcome, cost_nano_usd=nano_usd, phase="body"  # type: ignore[arg-type]
        )  # fmt: skip
        return [
            (made.nano_usd, made.borne_by)
            for made in payment._costs([attempt], attempt if outcome == "ok" else None)
        ]

    assert costs("ok", None) == []
    assert costs("ok", 0) == [(0, "caller")]
    assert costs("ok", 12) == [(12, "caller")]
    assert costs("failed", None) == [(9, "house")]
