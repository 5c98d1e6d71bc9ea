"""Builds what requests need of one configuration from what lives as long as the process."""

from dataclasses import dataclass

from relevo.config.schema import Task as TaskSection
from relevo.core.clock import Clock
from relevo.core.ids import node_id
from relevo.core.ledger import Terms
from relevo.core.limits import Limiter, UserLimits
from relevo.core.types import Call, Target
from relevo.ledger.pricing import Tariff, make_tariff, micro
from relevo.ledger.wallet import Wallet
from relevo.routing.estimate import cost_max_nano_usd
from relevo.service.limits import MemoryLimiter
from relevo.service.payment import Cashier
from relevo.setup import Setup
from relevo.store.base import Store, StoreError
from relevo.store.ledger import StoredLedger
from relevo.store.opening import make_store
from relevo.store.shared_limiter import SharedLimiter
from relevo.store.sqlite import SqliteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The store, and what keeps count in it."""

    store: Store
    ledger: StoredLedger
    wallet: Wallet
    limiter: Limiter
    usable_for_credits: bool
    """False: another server uses the same SQLite file, so neither knows whose holds are of the dead."""


def open_books(setup: Setup, clock: Clock) -> Books:
    """Open the store of a configuration.

    Raises:
        StoreError: It cannot be used, or another server keeps its credits in this file.
    """
    store = make_store(setup.config.file.store.url, setup.data_dir, clock)
    ledger = StoredLedger(store)
    node = node_id()
    if not isinstance(store, SqliteStore):  # made to be shared: nobody is ever known to be alone
        shared = SharedLimiter(store, node)
        wallet = Wallet(ledger, ledger, clock, node, alone=False, beats=[shared])
        return Books(store=store, ledger=ledger, wallet=wallet, limiter=shared, usable_for_credits=True)
    alone = store.claim_alone()
    if not alone and credits_enabled(setup):
        raise StoreError(
            f"{setup.config.store_name}: another relevo keeps its credits here; several processes share"
            ' PostgreSQL ([store] url = "postgresql://…"), or give this one a data_dir of its own'
        )
    wallet = Wallet(ledger, ledger, clock, node, alone=alone)
    return Books(
        store=store, ledger=ledger, wallet=wallet, limiter=MemoryLimiter(clock, ledger), usable_for_credits=alone
    )


def credits_enabled(setup: Setup) -> bool:
    """Whether answers are paid for."""
    section = setup.config.file.credits
    return section is not None and section.enabled


def make_cashier(setup: Setup, wallet: Wallet) -> Cashier | None:
    """Who takes the money. None: credits are off."""
    section = setup.config.file.credits
    if section is None or not section.enabled:
        return None

    def cost_max(call: Call, target: Target) -> int | None:
        price = setup.prices.of(target)
        return None if price is None else cost_max_nano_usd(price, call, target)

    return Cashier(
        wallet=wallet,
        tariffs={name: _tariff(task, section.usd_per_credit) for name, task in setup.config.tasks.items()},
        terms=Terms(
            signup_micro=micro(section.signup),
            monthly_micro=micro(section.monthly),
            daily_limit_micro=micro(setup.config.file.limits.user_credits_per_day),
        ),
        cost_max=cost_max,
        topup_url=section.topup_url,
    )


def user_limits(setup: Setup) -> UserLimits:
    """What one user may do."""
    limits = setup.config.file.limits
    return UserLimits(requests_per_minute=limits.user_requests_per_minute, concurrency=limits.user_concurrency)


def _tariff(task: TaskSection, usd_per_credit: float) -> Tariff:
    return make_tariff(
        credits=task.credits,
        markup=task.markup,
        min_credits=task.min_credits,
        clamp=task.clamp,
        usd_per_credit=usd_per_credit,
    )
