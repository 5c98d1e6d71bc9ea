"""The numbers by which the health of targets is judged. Each has its reason; some are the operator's to set."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from relevo.core.errors import Harm

_DOUBLINGS_MAX = 16
"""Beyond this every ladder has long reached its top; a power of it is still a small number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a target is left alone, and for how long. Times are seconds."""

    failures: int = 2
    """So many failures in a row open a breaker. One may be chance; a third caller need not find out again."""
    failure_share: float = 0.5
    """Or this share of the calls of a minute: a target that answers every other call is no help either."""
    calls_min: int = 5
    """Fewer calls a minute than this have no share worth the name."""
    open_s: float = 10
    """The first opening; each call that fails again doubles it. Of 15 calls in a minute's outage, 4 s apart and
    refused at once, four reach the dead target: two open the breaker, and one follows each of two openings."""
    open_s_max: float = 25
    """With a call every 4 s, a target is in use again within 30 s of its recovery."""
    open_jitter_s: float = 1
    """Added at random to every opening, so that several servers do not come back in the same instant."""
    refused_s: float = 60
    """The first opening of a refused key or of a missing model: only a person can repair these, none in seconds."""
    refused_s_max: float = 600
    """Whoever pays their bill or renews a key is served again within ten minutes, without a restart."""
    cooldown_s: float = 1
    """After a 429 that names no moment; doubled with each one in a row."""
    cooldown_s_max: float = 20
    """The longest such wait: the limits of providers refill within a minute."""
    retry_after_s_max: float = 3600
    """A provider's own moment is believed up to this: one slip of a provider must not end a target for days."""
    probe_s: float = 5
    """Between two free probes of an open target: with a call every 4 s it is back within 10 s of its recovery."""
    ceiling: int = 1000
    """Calls at a time to one target, where `ceilings` says nothing else."""
    ceilings: Mapping[str, int] = field(default_factory=dict)
    """Calls at a time to each target of a provider, by its name."""

    def opening_s(self, harm: Harm, nth: int) -> float:
        """How long the `nth` opening of an outage (1 is the first) lasts, without its jitter."""
        first_s, longest_s = (
            (self.open_s, self.open_s_max) if harm is Harm.FAILURE else (self.refused_s, self.refused_s_max)
        )
        return min(longest_s, first_s * 2.0 ** min(nth - 1, _DOUBLINGS_MAX))

    def backoff_s(self, nth: int) -> float:
        """The longest wait after the `nth` 429 in a row (1 is the first) that names no moment."""
        return min(self.cooldown_s_max, self.cooldown_s * 2.0 ** min(nth - 1, _DOUBLINGS_MAX))

    def ceiling_of(self, provider: str) -> int:
        """Calls at a time to one target of a provider."""
        return self.ceilings.get(provider, self.ceiling)
