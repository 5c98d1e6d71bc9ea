"""What every store can do: run a transaction written as steps.

A transaction is a generator: it yields named statements and is sent their rows. So the rules stand once, in
plain Python, and each backend only runs them, SQLite in its writer thread, PostgreSQL over its connections.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from relevo.core.ledger import Row

T = TypeVar("T")


class Q(NamedTuple):
    """A statement by its name in the SQL files, and its values."""

    name: str
    values: Mapping[str, Any] = {}


class Many(NamedTuple):
    """One statement for many rows of values; it gives no rows back."""

    name: str
    rows: Sequence[Mapping[str, Any]]


Steps = Generator[Q | Many, list[Row], T]


@dataclass(frozen=True, slots=True)
class Tx(Generic[T]):
    """A transaction: all of its steps are durable together, or none is."""

    steps: Callable[[int], Steps[T]]
    """Begins anew with each try, with the moment in milliseconds since 1970 by the store's clock."""
    quick: Q | None = None
    """One guarded statement that does the same where nothing is out of the ordinary, for a backend on which each
    step is a journey. It gives one row, or none where the steps must be taken."""
    of_row: Callable[[Row], T] | None = None
    """The result of `quick` from its row."""


class StoreError(Exception):
    """The database cannot be used. The message says why and what to do."""


class Store(Protocol):
    """One database."""

    async def start(self) -> None:
        """Connect, and bring the schema up to date. Raises `StoreError`."""

    async def write(self, tx: Tx[T]) -> T:
        """Run a transaction; it is durable when this returns. Cancelling the caller does not undo it.

        Raises:
            StoreUnavailable: It did not happen, or nobody knows whether it did: it may be repeated.
        """

    async def read(self, tx: Tx[T]) -> T:
        """Run steps that only read. Raises `StoreUnavailable`."""

    @property
    def healthy(self) -> bool:
        """Whether the last write succeeded."""

    async def aclose(self) -> None:
        """Finish what was asked for, then close."""
