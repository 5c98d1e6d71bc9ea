"""By what the health of a target is remembered."""

from dataclasses import dataclass
from typing import Final

TARGETS_MAX: Final = 10_000
"""Targets remembered at a time; those that were not called for longest are forgotten, which bounds memory."""


@dataclass(frozen=True, slots=True)
class TargetKey:
    """A model of a provider behind one key. A changed key or address is another target, and starts afresh."""

    provider: str
    upstream_model: str
    credential: str
    """A short digest of address and key, made by the caller: no secret."""
