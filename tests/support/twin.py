"""The in-memory twin of the ledger: the same promises, kept the plain way.

Nothing is put off here: every charge is taken from the grants at once, in spend order. It shares no arithmetic
with the product, so that where the two agree, both are likely to be right.
"""

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime

from relevo.core.ledger import (
    Act,
    ActRefused,
    Balance,
    Block,
    Bucket,
    Closed,
    Closing,
    Done,
    Grant,
    HoldOrder,
    Refund,
    Refused,
    Reserved,
    Revoke,
    Terms,
)
from relevo.core.types import Principal
from support.clock import FakeClock

_PRIORITY = {"monthly": 10, "signup": 20, "bonus": 20, "purchase": 30}
_DAY_MS = 86_400_000


@dataclass
class TwinGrant:
    number: int
    kind: str
    left: int
    expires_ms: int | None
    key: str | None

    def order(self) -> tuple[float, int, int]:
        return (float("inf") if self.expires_ms is None else self.expires_ms, _PRIORITY[self.kind], self.number)


@dataclass
class TwinHold:
    account: "TwinAccount"
    amount: int
    expires_ms: int
    state: str = "open"
    charged: int = 0
    available: int | None = None


@dataclass
class TwinAccount:
    grants: list[TwinGrant] = field(default_factory=list)
    debt: int = 0
    held: int = 0
    posted: int = 0
    granted: int = 0
    person: bool = False
    blocked: bool = False
    month: int = 0
    day: int = 0
    spent: int = 0
    movements: list[tuple[str, int]] = field(default_factory=list)

    @property
    def balance(self) -> int:
        return sum(grant.left for grant in self.grants) - self.debt

    @property
    def available(self) -> int:
        return self.balance - self.held

    def in_order(self) -> list[TwinGrant]:
        return sorted(self.grants, key=TwinGrant.order)

    def move(self, kind: str, amount: int) -> None:
        self.movements.append((kind, amount))

    def spend(self, amount: int) -> None:
        for grant in self.in_order():
            taken = min(grant.left, amount)
            grant.left -= taken
            amount -= taken
        self.debt += amount

    def add(self, kind: str, amount: int, expires_ms: int | None, key: str | None = None) -> None:
        self.move(kind, amount)
        paid = min(self.debt, amount)
        self.debt -= paid
        number = max((grant.number for grant in self.grants), default=0) + 1
        self.grants.append(TwinGrant(number, kind, amount - paid, expires_ms, key))

    def expire(self, now_ms: int) -> None:
        under_hold = self.held
        for grant in self.in_order():
            kept = min(grant.left, under_hold)
            under_hold -= kept
            if grant.expires_ms is not None and grant.expires_ms <= now_ms and grant.left > kept:
                self.move("expire", kept - grant.left)
                grant.left = kept


class Twin:
    """All accounts of a store."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.accounts: dict[Principal, TwinAccount] = {}
        self.holds: dict[str, TwinHold] = {}
        self.acts: dict[str, tuple[Act, Done]] = {}

    @property
    def now_ms(self) -> int:
        return int(self._clock.wall_s() * 1000)

    def _account(self, owner: Principal) -> TwinAccount:
        return self.accounts.setdefault(owner, TwinAccount())

    def _up_to_date(self, owner: Principal, terms: Terms, *, person: bool) -> TwinAccount:
        account = self._account(owner)
        # An account is looked at when a grant of it is due, when a month begins, or when its person first comes.
        account.expire(self.now_ms)
        if person or account.person:
            if not account.person and terms.signup_micro:
                account.add("signup", terms.signup_micro, None)
            moment = datetime.fromtimestamp(self.now_ms / 1000, UTC)
            month = moment.year * 12 + moment.month
            if terms.monthly_micro and month > account.month:
                begins = datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1, tzinfo=UTC)
                account.add("monthly", terms.monthly_micro, int(begins.timestamp() * 1000))
                account.month = month
            account.person = True
        return account

    def reserve(self, owner: Principal, order: HoldOrder, terms: Terms) -> Reserved | Refused:
        if order.id in self.holds:
            hold = self.holds[order.id]
            available = hold.account.available if hold.available is None else hold.available
            return Reserved(amount_micro=hold.amount, available_micro=available)
        account = self._up_to_date(owner, terms, person=owner.kind == "user")
        if account.blocked:
            return Refused(why="blocked")
        amount = order.amount_micro
        if order.floor_micro is not None and account.available < amount:
            amount = max(min(order.floor_micro, amount), account.available)
        if amount and account.available < amount:
            return Refused(why="insufficient", required_micro=amount, available_micro=account.available)
        today = self.now_ms // _DAY_MS
        spent = account.spent if account.day == today else 0
        if terms.daily_limit_micro and spent + account.held + amount > terms.daily_limit_micro:
            return Refused(why="daily_limit", required_micro=amount, resets_at_ms=(today + 1) * _DAY_MS)
        account.held += amount
        self.holds[order.id] = TwinHold(account, amount, self.now_ms + order.ttl_ms)
        return Reserved(amount_micro=amount, available_micro=account.available)

    def close(self, hold_id: str, closing: Closing, terms: Terms) -> Closed:
        hold = self.holds[hold_id]
        if hold.state in ("settled", "released"):
            return Closed(state=hold.state, charged_micro=hold.charged, available_micro=hold.available or 0)  # type: ignore[arg-type]
        account = hold.account
        owner = next(owner for owner, known in self.accounts.items() if known is account)
        self._up_to_date(owner, terms, person=False)
        if hold.state == "open":
            account.held -= hold.amount
        charge = closing.charge_micro
        if charge:
            account.spend(charge)
            account.move("charge", -charge)
            today = self.now_ms // _DAY_MS
            account.spent = charge + (account.spent if account.day == today else 0)
            account.day = today
        hold.state = "settled" if charge else "released"
        hold.charged, hold.available = charge, account.available
        return Closed(state=hold.state, charged_micro=charge, available_micro=account.available)  # type: ignore[arg-type]

    def expire_due(self, live: tuple[str, ...]) -> int:
        due = [
            (hold_id, hold)
            for hold_id, hold in self.holds.items()
            if hold.state == "open" and hold.expires_ms <= self.now_ms and hold_id not in live
        ]
        for _, hold in due:
            hold.account.held -= hold.amount
            hold.state, hold.available = "expired", hold.account.available
        return len(due)

    def balance(self, owner: Principal, terms: Terms) -> Balance:
        account = self._up_to_date(owner, terms, person=owner.kind == "user")
        moment = datetime.fromtimestamp(self.now_ms / 1000, UTC)
        begins = datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1, tzinfo=UTC)
        return Balance(
            balance_micro=account.balance,
            held_micro=account.held,
            buckets=tuple(
                Bucket(kind=grant.kind, remaining_micro=grant.left, expires_at_ms=grant.expires_ms)  # type: ignore[arg-type]
                for grant in account.in_order()
                if grant.left
            ),
            resets_at_ms=int(begins.timestamp() * 1000) if terms.monthly_micro and account.person else None,
            blocked=account.blocked,
        )

    def act(self, act: Act, terms: Terms) -> Done:
        if act.key in self.acts:
            earlier, done = self.acts[act.key]
            if (earlier.owner, earlier.change) != (act.owner, act.change):
                raise ActRefused(act.key)
            return Done(
                moved_micro=done.moved_micro,
                before_micro=done.before_micro,
                after_micro=done.after_micro,
                replayed=True,
            )
        new = act.owner not in self.accounts
        if new and isinstance(act.change, Revoke | Refund):
            raise ActRefused(act.key)
        unchanged = copy.deepcopy(self._account(act.owner))
        account = self._up_to_date(act.owner, terms, person=False)
        before = account.balance
        try:
            self._change(account, act)
        except ActRefused:  # a refused act leaves everything as it was, what was due included
            account.__dict__.update(unchanged.__dict__)
            if new:
                del self.accounts[act.owner]
            raise
        done = Done(
            moved_micro=account.balance - before, before_micro=before, after_micro=account.balance, new_account=new
        )
        self.acts[act.key] = (act, done)
        return done

    def _change(self, account: TwinAccount, act: Act) -> None:
        match act.change:
            case Block(blocked=blocked):
                account.blocked = blocked
            case Grant(kind=kind, amount_micro=amount, expires_at_ms=expires_ms):
                if amount <= 0 or (expires_ms is not None and expires_ms <= self.now_ms):
                    raise ActRefused(act.key)
                account.add(kind, amount, expires_ms, act.key)
            case Revoke(amount_micro=amount):
                if amount <= 0 or amount > account.available:
                    raise ActRefused(act.key)
                account.spend(amount)
                account.move("revoke", -amount)
            case Refund(grant_key=key):
                found = [grant for grant in account.grants if grant.key == key]
                if not found:
                    raise ActRefused(act.key)
                taken = min(found[0].left, max(0, account.available))
                if not taken:
                    raise ActRefused(act.key)
                found[0].left -= taken
                account.move("refund", -taken)
