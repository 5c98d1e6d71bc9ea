"""Tables for people. Off a terminal nothing is shortened and nothing wraps."""

import shutil
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_OFF_TERMINAL_WIDTH = 10_000


def console() -> Console:
    """Standard output, as wide as the terminal, or as wide as it takes."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else _OFF_TERMINAL_WIDTH
    return Console(width=width, highlight=False, soft_wrap=not terminal)


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
    console().print(table)
