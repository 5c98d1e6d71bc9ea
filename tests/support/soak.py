"""How much of a test that has no end is done: a little in `make test`, as much as is asked for in `make soak`.

scripts/soak.py sets the variables, piece by piece, and keeps note of what is done.
"""

import os
import sys


def examples(usual: int) -> int:
    """How many examples or rounds to run, where `make test` runs `usual`."""
    return int(os.environ.get("RELEVO_SOAK_ROUNDS", usual))


def seeds(usual: int) -> range:
    """Which seeds to run, where `make test` runs the first `usual` ones."""
    first = int(os.environ.get("RELEVO_SOAK_FROM", "0"))
    return range(first, first + int(os.environ.get("RELEVO_SOAK_ROUNDS", usual)))


def soaking() -> bool:
    """Whether this is `make soak`: then a test that has a full length runs in it."""
    return "RELEVO_SOAK_ROUNDS" in os.environ


def tell(figures: str) -> None:
    """What was measured: `make soak` shows it."""
    sys.stdout.write(f"figures: {figures}\n")
