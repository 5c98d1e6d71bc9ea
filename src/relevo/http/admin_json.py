"""What operators read as JSON: the same shapes from the admin API and from the commands' `--json`."""

from collections.abc import Sequence
from typing import Any, Final

from relevo.core.api_keys import ApiKey
from relevo.core.ledger import Entry, Grant
from relevo.core.money import NANO_USD_PER_USD
from relevo.core.report import Report
from relevo.http.chat_answer import moment
from relevo.ledger.pricing import credits_of
from relevo.service.office import Ordered, name_of
from relevo.service.targets import TargetState

_GRANTS: Final = ("signup", "monthly", "bonus", "purchase")


def ordered_json(ordered: Ordered, grant: Grant | None = None) -> dict[str, Any]:
    """An act: by how much it moved the balance, and the balance before and after."""
    done = ordered.done
    bucket = {"bucket": grant.kind, "expires_at": moment(grant.expires_at_ms)} if grant else {}
    return {
        "user": ordered.user,
        "amount": credits_of(done.moved_micro),
        **bucket,
        "before": credits_of(done.before_micro),
        "after": credits_of(done.after_micro),
        "key": ordered.key,
        "replayed": done.replayed,
        "new": done.new_account,
    }


def target_json(state: TargetState) -> dict[str, Any]:
    """A target: whether it is left alone, until when and why, and how it did lately."""
    look = state.look
    return {
        "provider": state.provider,
        "model": state.upstream_model,
        "state": look.state,
        "until": moment(state.until_ms),
        "reason": look.reason,
        "in_flight": look.in_flight,
        "limit": look.limit,
        "calls": look.calls,
        "answered": look.answered,
        "first_token_ms": None if look.first_token_s is None else round(look.first_token_s * 1000),
        "failure_rate": round(look.failure_rate, 3),
    }


def history_json(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """What happened to an account, newest first."""
    return [
        {
            "seq": entry.seq,
            "at": moment(entry.at_ms),
            "kind": entry.kind,
            "amount": credits_of(entry.amount_micro),
            "balance": credits_of(entry.balance_micro),
            "request_id": entry.hold_id,
            "key": entry.act_key,
            "actor": entry.actor,
            "reason": entry.reason,
        }
        for entry in entries
    ]


def api_key_json(key: ApiKey) -> dict[str, Any]:
    """A key without itself."""
    return {
        "id": key.id,
        "owner": name_of(key.owner),
        "name": key.name,
        "tasks": key.tasks,
        "last4": key.last4,
        "created_at": moment(key.created_ms),
        "expires_at": moment(key.expires_ms),
        "revoked_at": moment(key.revoked_ms),
    }


def report_json(report: Report, usd_per_credit: float) -> dict[str, Any]:
    """What was sold and what it cost. `margin_usd`: sold less cost and written off, of known costs only."""
    tasks = [
        {
            "task": task.task,
            "answers": task.answers,
            "credits_sold": credits_of(task.sold_micro),
            "sold_usd": _usd(task.sold_micro * usd_per_credit * 1000),
            "cost_usd": _usd(task.cost_nano_usd),
            "written_off_usd": _usd(task.written_off_nano_usd),
            "margin_usd": _usd(
                task.sold_micro * usd_per_credit * 1000 - task.cost_nano_usd - task.written_off_nano_usd
            ),
            "answers_of_unknown_cost": task.unknown_cost,
        }
        for task in report.tasks
    ]
    moved = report.moved_micro
    return {
        "since": moment(report.since_ms),
        "until": moment(report.until_ms),
        "usd_per_credit": usd_per_credit,
        "tasks": tasks,
        "granted": {kind: credits_of(moved.get(kind, 0)) for kind in _GRANTS},
        "expired": credits_of(-moved.get("expire", 0)),
        "revoked": credits_of(-moved.get("revoke", 0)),
        "refunded": credits_of(-moved.get("refund", 0)),
    }


def _usd(nano_usd: float) -> float:
    """With six decimals: of a millionth of a dollar."""
    return round(nano_usd / NANO_USD_PER_USD, 6)
