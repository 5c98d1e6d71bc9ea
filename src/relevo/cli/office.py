"""What the commands over the books share: opening them, refusals, and how amounts and moments are read."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

import click

from relevo.cli.common import FOUND_PROBLEMS, duration_s, fail, load_or_exit
from relevo.core.clock import SystemClock
from relevo.core.ledger import ActRefused, StoreUnavailable
from relevo.ledger.pricing import exact_micro
from relevo.service.office import Office, UnknownTasks, UserUnclear
from relevo.setup import Setup
from relevo.store.base import StoreError
from relevo.store.opening import make_reader, make_store
from relevo.wiring import make_office

T = TypeVar("T")
_UNITS: Final = "smhd"


def in_office(config: str | None, work: Callable[[Office], Awaitable[T]], *, make: bool = False) -> T:
    """Do something with the books, while a server may use them, too. What is refused is exit code 1.

    Args:
        config: The file.
        work: What is to be done.
        make: A database that is not there is made: only where something new is to be written.
    """
    setup = load_or_exit(config)
    try:
        return asyncio.run(_in_office(setup, work, make=make))
    except (ActRefused, UnknownTasks) as refused:
        fail(str(refused), FOUND_PROBLEMS)
    except (StoreError, StoreUnavailable, UserUnclear, OSError) as error:
        fail(str(error))


async def _in_office(setup: Setup, work: Callable[[Office], Awaitable[T]], *, make: bool) -> T:
    clock = SystemClock()
    if not make:
        reader = make_reader(setup.config.file.store.url, setup.data_dir, clock)
        try:
            await reader.start()
        finally:
            await reader.aclose()
    store = make_store(setup.config.file.store.url, setup.data_dir, clock)
    try:
        await store.start()
        return await work(make_office(setup, store, clock))
    finally:
        await store.aclose()


def actor() -> str:
    """Who is at the command line, for the books."""
    try:
        return f"cli:{os.environ.get('SUDO_USER') or getpass.getuser()}"
    except (KeyError, OSError):  # a container may run as a user without a name
        return f"cli:{os.getuid()}"


def amount_micro(text: str) -> int:
    """Credits as somebody writes them, to micro-credits."""
    try:
        amount = exact_micro(text)
    except ValueError:
        amount = 0
    if amount <= 0:
        raise click.BadParameter(f"{text!r} is no amount: write credits above 0, with at most 6 decimals")
    return amount


def moment_ms(text: str | None) -> int | None:
    """`30d` or `12h` from now, or a day (`2030-01-31`: to its end, UTC) or moment, as milliseconds since 1970."""
    if text is None:
        return None
    if text[-1:] in _UNITS and text[:-1].replace(".", "", 1).isdecimal():
        return int((SystemClock().wall_s() + duration_s(text)) * 1000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time: write 30d, 2030-01-31 or 2030-01-31T12:00Z") from None
    if len(text) == len("2030-01-31"):
        moment = moment.replace(hour=23, minute=59, second=59)
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


def is_relative(text: str | None) -> bool:
    """Whether a time means another moment when it is written again."""
    return text is not None and text[-1:] in _UNITS
