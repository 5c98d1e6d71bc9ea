"""How much of a test that has no end is done: a little in `make test`, as much as is asked for in `make soak`."""

import os

FACTOR = float(os.environ.get("RELEVO_SOAK", "1"))
"""Set by scripts/soak.py."""


def examples(usual: int) -> int:
    """How many examples or rounds to run, where `make test` runs `usual`."""
    return max(1, round(usual * FACTOR))
