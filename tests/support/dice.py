"""Chance that a test can repeat."""

from random import Random


def dice(seed: int) -> Random:
    """The same numbers for the same seed."""
    return Random(seed)  # noqa: S311 - no secret is made of it
