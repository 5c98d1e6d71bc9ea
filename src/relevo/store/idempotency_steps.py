"""The transactions behind `Idempotency-Key`: one call, one charge, one answer for as many tries as there are."""

from collections.abc import Sequence
from typing import Any

from relevo.core.ledger import Claim, Claimed, KeptAnswer
from relevo.store.base import Many, Q, Steps


def claim(now_ms: int, wanted: Claim) -> Steps[Claimed]:
    """Take a key for a request, or tell what became of the request that took it first."""
    values = {
        **_key(wanted), "body_hash": wanted.body_hash, "request_id": wanted.request_id, "node": wanted.node,
        "expires_ms": now_ms + wanted.ttl_ms, "now_ms": now_ms,
    }  # fmt: skip
    if (yield Q("claim_key", values)):
        return Claimed(state="new")
    rows = yield Q("claim_of", _key(wanted))
    if not rows:  # freed between the two steps: the caller comes again
        return Claimed(state="in_flight")
    body_hash, request_id, answer, charged, available = rows[0]
    if bytes(body_hash) != wanted.body_hash:
        return Claimed(state="mismatch")
    if answer is None:
        # A try whose outcome was lost with its connection finds its own claim.
        return Claimed(state="new" if request_id == wanted.request_id else "in_flight")
    return Claimed(
        state="answered",
        sealed=bytes(answer),
        request_id=request_id,
        charged_micro=charged,
        available_micro=available,
    )


def keep_answer(now_ms: int, kept: KeptAnswer) -> Q:
    """The step that keeps an answer; it gives a row, or none where the claim was lost."""
    values = {"answer": kept.sealed, "request_id": kept.request_id, "expires_ms": now_ms + kept.ttl_ms}
    return Q("keep_answer", {**_key(kept), **values})


def keep(now_ms: int, kept: KeptAnswer) -> Steps[None]:
    """Keep an answer that no hold belongs to."""
    yield keep_answer(now_ms, kept)


def free(_now_ms: int, wanted: Claim) -> Steps[None]:
    """Give a key back: its request brought no whole answer."""
    yield Q("free_claim", {**_key(wanted), "request_id": wanted.request_id})


def renew(now_ms: int, claims: Sequence[Claim]) -> Steps[None]:
    """A sign of life for running claims."""
    rows = [{**_key(c), "request_id": c.request_id, "expires_ms": now_ms + c.ttl_ms} for c in claims]
    yield Many("renew_claim", rows)


def forget(now_ms: int, node: str, *, alone: bool) -> Steps[None]:
    """Delete what is past its time, and the claims of processes that are known to be dead."""
    yield Q("delete_due_keys", {"now_ms": now_ms, "node": node})
    if alone:
        yield Q("free_claims_of_others", {"node": node})


def _key(of: Claim | KeptAnswer) -> dict[str, Any]:
    return {"issuer": of.owner.issuer, "subject": of.owner.subject, "key_hash": of.key_hash}
