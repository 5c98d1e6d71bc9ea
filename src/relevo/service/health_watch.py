"""Owns the health of the targets in a running server, and lets operators know of it: log, metric, file, probes."""

import logging
from collections.abc import Callable
from pathlib import Path
from random import Random

from relevo.core.clock import Clock
from relevo.routing.health import Health, Look, Rules, TargetKey
from relevo.service.health_file import HealthFile
from relevo.service.probes import Probes
from relevo.service.targets import Board, Offer
from relevo.upstream.base import Transport

_log = logging.getLogger(__name__)


class HealthWatch:
    """Outlives reloads: a new configuration does not make a dead provider well."""

    def __init__(
        self,
        rules: Rules,
        offer: Callable[[], Offer],
        transport: Transport,
        clock: Clock,
        data_dir: Path,
        count_alarm: Callable[[str, str], None],
    ) -> None:
        """Nothing is known yet.

        Args:
            rules: The numbers.
            offer: The configuration in force.
            transport: For free probes.
            clock: For all moments.
            data_dir: Where other processes look for what is open.
            count_alarm: Hears of each outage of a key: provider and reason.
        """
        random = Random()  # noqa: S311 - jitter
        self.health = Health(rules, random, on_change=self._changed, on_alarm=self._alarmed)
        self.board = Board(self.health, clock, offer)
        self._clock = clock
        self._probes = Probes(self.health, transport, clock, lambda: offer().providers)
        self._file = HealthFile(data_dir, clock, self.board, _log.warning)
        self._count_alarm = count_alarm

    def use(self, rules: Rules) -> None:
        """The configuration was reloaded."""
        self.health.use(rules)
        self._file.changed()

    async def aclose(self) -> None:
        """End the probes, and take the file away."""
        await self._probes.aclose()
        await self._file.aclose()

    def _changed(self, key: TargetKey, look: Look) -> None:
        name = f"{key.provider}/{key.upstream_model}"
        if look.state == "open" and look.until_s is not None:
            wait_s = look.until_s - self._clock.now_s()
            _log.warning("%s is left alone for %.0f s: %s", name, wait_s, look.reason)
        elif look.state == "closed":
            _log.warning("%s answers again", name)
        if look.state != "closed":
            self._probes.wake()
        self._file.changed()

    def _alarmed(self, key: TargetKey, reason: str) -> None:
        advice = "until its key or its account is repaired, it is tried again after a minute, later every ten"
        _log.error("%s refuses all calls with its key (%s): %s", key.provider, reason, advice)
        self._count_alarm(key.provider, reason)
