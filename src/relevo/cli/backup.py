"""`relevo backup` and `relevo restore`: the database as one file, taken while the server runs."""

from pathlib import Path

import click
import msgspec

from relevo.cli.common import FOUND_PROBLEMS, config_option, examples, fail, json_option, load_or_exit
from relevo.core.clock import SystemClock
from relevo.core.ledger import StoreUnavailable
from relevo.setup import Setup
from relevo.store.backup import BadBackup, back_up
from relevo.store.backup import restore as put_back
from relevo.store.base import StoreError
from relevo.store.opening import SQLITE, sqlite_path


@click.command(epilog=examples("relevo backup /backups/relevo-2030-01-31.db"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@config_option
@json_option
def backup(file: Path, config: str | None, *, force: bool, as_json: bool) -> None:
    """Copy the database to FILE: one moment of it, whole and on the disk, while the server runs."""
    setup = load_or_exit(config)
    _sqlite_only(setup, f"pg_dump --format=custom --file={file} <your database>")
    try:
        size = back_up(_database(setup), file, force=force)
    except StoreError as error:
        fail(str(error))
    if as_json:
        click.echo(msgspec.json.encode({"file": str(file), "bytes": size}).decode())
    else:
        click.echo(f"{file}: {size} bytes. Put it back with: relevo restore {file}")


@click.command(epilog=examples("relevo restore /backups/relevo-2030-01-31.db"))
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@json_option
def restore(file: Path, config: str | None, *, as_json: bool) -> None:
    """Put the backup FILE in the place of the database, which is kept aside. The server must not be running.

    The backup's books are verified first: where they do not add up, nothing is replaced (exit code 1).
    """
    setup = load_or_exit(config)
    _sqlite_only(setup, f"pg_restore --clean --dbname=<your database> {file}, then relevo ledger verify")
    try:
        done = put_back(file, _database(setup), SystemClock())
    except BadBackup as error:
        fail(f"{error}. The database stays as it is", FOUND_PROBLEMS)
    except (StoreError, StoreUnavailable) as error:
        fail(str(error))
    if as_json:
        aside = str(done.aside) if done.aside else None
        shown = {
            "accounts": done.audit.accounts,
            "entries": done.audit.entries,
            "swept": done.swept,
            "aside": aside,
        }
        click.echo(msgspec.json.encode(shown).decode())
        return
    click.echo(f"restored {done.audit.accounts} accounts and {done.audit.entries} entries; the books add up")
    if done.swept:
        were = "hold that was" if done.swept == 1 else "holds that were"
        click.echo(f"{done.swept} {were} open in the backup: released")
    if done.aside:
        click.echo(f"the database that was there is now {done.aside}")


def _database(setup: Setup) -> Path:
    return sqlite_path(setup.config.file.store.url, setup.data_dir)


def _sqlite_only(setup: Setup, instead: str) -> None:
    if not setup.config.file.store.url.startswith(SQLITE):
        fail(f"the store is PostgreSQL, which has its own tools: {instead}")
