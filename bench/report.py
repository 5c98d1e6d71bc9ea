"""Rounds become medians, medians become a table and a JSON document."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateways import Gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One gateway in one round, or the medians of its rounds."""

    cpu_us: float
    """CPU time of the gateway per request, user and system."""
    per_s: float
    p50_ms: float
    p99_ms: float
    idle_rss_mb: float
    start_ms: float
    """From the start of the program to its first whole answer."""
    others_share: float
    """The part of the machine that other programs and the hypervisor had during the load."""


def medians(rounds: Sequence[Round]) -> Round:
    """The median of every figure by itself."""
    names = [field.name for field in dataclasses.fields(Round)]
    return Round(**{name: statistics.median(getattr(one, name) for one in rounds) for name in names})


def table(gateways: Sequence[Gateway], rounds: Mapping[str, Sequence[Round]]) -> str:
    """The comparison as plain text; the first gateway is the yardstick."""
    head = ("", "µs CPU/req", "(min-max)", "x nginx", "req/s", "core %", "p50 ms", "p99 ms", "RSS MB", "start ms")
    unit = medians(rounds[gateways[0].name]).cpu_us
    rows = [head, *(_row(gateway.title, rounds[gateway.name], unit) for gateway in gateways)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    )


def _row(title: str, rounds: Sequence[Round], unit_us: float) -> tuple[str, ...]:
    middle = medians(rounds)
    cpu = [one.cpu_us for one in rounds]
    return (
        title,
        f"{middle.cpu_us:.1f}",
        f"({min(cpu):.1f}-{max(cpu):.1f})",
        f"{middle.cpu_us / unit_us:.1f}",
        f"{middle.per_s:.0f}",
        f"{middle.per_s * middle.cpu_us / 1e4:.0f}",
        f"{middle.p50_ms:.2f}",
        f"{middle.p99_ms:.2f}",
        f"{middle.idle_rss_mb:.0f}",
        f"{middle.start_ms:.0f}",
    )


def added_us(rounds: Mapping[str, Sequence[Round]], name: str) -> list[float]:
    """CPU time that a row adds to relevo's first, by round: neighbours in time are alike disturbed."""
    pairs = zip(rounds["relevo"], rounds[name], strict=True)
    return [with_it.cpu_us - without.cpu_us for without, with_it in pairs]


def added_p99_ms(rounds: Mapping[str, Sequence[Round]], name: str) -> float:
    """What a row adds to the p99 of relevo's first, at full load."""
    return medians(rounds[name]).p99_ms - medians(rounds["relevo"]).p99_ms


def others_share(rounds: Mapping[str, Sequence[Round]]) -> float:
    """The part of the machine that others had in the worst round."""
    return max(one.others_share for several in rounds.values() for one in several)


def document(rounds: Mapping[str, Sequence[Round]], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that was measured, for programs."""
    unit = medians(rounds["nginx"]).cpu_us
    return {
        "facts": dict(facts),
        "gateways": {
            name: {
                "median": dataclasses.asdict(medians(several)),
                "times_nginx": medians(several).cpu_us / unit,
                "rounds": [dataclasses.asdict(one) for one in several],
            }
            for name, several in rounds.items()
        },
        "record_cpu_us": statistics.median(added_us(rounds, "relevo_record")),
        "credits_cpu_us": statistics.median(added_us(rounds, "relevo_credits")),
        "postgres_cpu_us": statistics.median(added_us(rounds, "relevo_postgres")),
    }
