"""The same as `ledger_steps.reserve` and `.close` in one guarded statement each, for ordinary cases.

For a backend on which each step is a journey over the network. The guards leave everything out of the ordinary
to the steps: a new account, a grant that expires, a user who is blocked, too little money, a hold that was
closed before.
"""

from relevo.core.ledger import Closed, Closing, HoldOrder, Refused, Reserved, Row, Terms
from relevo.core.types import Principal
from relevo.store.base import Q


def reserve(owner: Principal, order: HoldOrder, terms: Terms) -> Q | None:
    """One statement that sets credits aside. None: this order needs the steps."""
    if order.floor_micro is not None:
        return None
    return Q(
        "quick_reserve",
        {
            "issuer": owner.issuer, "subject": owner.subject, "person": int(owner.kind == "user"), "id": order.id,
            "task": order.task, "amount_micro": order.amount_micro, "node": order.node, "ttl_ms": order.ttl_ms,
            "cost_guess_nano_usd": order.cost_guess_nano_usd, "daily_limit_micro": terms.daily_limit_micro,
        },
    )  # fmt: skip


def reserved(row: Row) -> Reserved | Refused:
    """The result of `reserve` from its row."""
    return Reserved(amount_micro=row[0], available_micro=row[1])


def close(hold_id: str, closing: Closing) -> Q | None:
    """One statement that ends a hold. None: this closing needs the steps."""
    if closing.answer is not None or not closing.charge_micro or len(closing.costs) > 1:
        return None
    cost = closing.costs[0] if closing.costs else None
    return Q(
        "quick_close",
        {
            "id": hold_id, "charge_micro": closing.charge_micro,
            "number": cost.number if cost else None,
            "provider": cost.provider if cost else None,
            "upstream_model": cost.upstream_model if cost else None,
            "nano_usd": cost.nano_usd if cost else None,
            "borne_by": cost.borne_by if cost else None,
            "estimated": int(cost.estimated) if cost else None,
        },
    )  # fmt: skip


def closed(row: Row) -> Closed | None:
    """The result of `close` from its row."""
    return Closed(state="settled", charged_micro=row[0], available_micro=row[1])
