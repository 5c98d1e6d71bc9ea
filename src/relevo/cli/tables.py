"""Tables for people. Off a terminal nothing is shortened and nothing wraps."""

import shutil
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_OFF_TERMINAL_WIDTH = 10_000


def width() -> int:
    """Columns to write in: those of the terminal; off a terminal, as many as it takes."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _OFF_TERMINAL_WIDTH


def show(*renderables: Table | Text) -> None:
    """Print to standard output, without the spaces that fill up lines."""
    terminal = sys.stdout.isatty()
    console = Console(width=width(), highlight=False, soft_wrap=not terminal)
    with console.capture() as captured:
        for renderable in renderables:
            console.print(renderable)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def printable(text: str) -> str:
    """A text that cannot command the terminal, whoever wrote it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, right: Sequence[str] = ()) -> None:
    """Print rows under headings; columns named in `right` are aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*[cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row])
    show(table)
