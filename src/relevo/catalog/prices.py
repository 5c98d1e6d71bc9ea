"""The price of a target: the file's row, zero for servers on this machine, or unknown."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from relevo.config.schema import PriceRow
from relevo.core.money import Price, nano_usd
from relevo.core.net import is_loopback
from relevo.core.types import Completion, Target, Usage
from relevo.providers.registry import Provider

FREE = Price(input_nano_usd_per_mtok=0, output_nano_usd_per_mtok=0)


class PriceTable:
    """Prices by target. An unknown price stays unknown: it is never taken for zero."""

    def __init__(self, rows: Mapping[str, PriceRow], providers: Mapping[str, Provider]) -> None:
        self._rows = {name: _price(row) for name, row in rows.items()}
        self._local = {
            name for name, provider in providers.items() if is_loopback(urlsplit(provider.base_url).hostname or "")
        }

    def of(self, target: Target) -> Price | None:
        """The price of a target. None: unknown."""
        known = self._rows.get(target.name)
        if known is None and target.provider in self._local:
            return FREE
        return known

    def cost_nano_usd(self, target: Target, used: Completion | Usage, *, images: int = 0) -> int | None:
        """What this answer cost, with the fees for the request's pictures. None: the price is unknown."""
        price = self.of(target)
        if price is None:
            return None
        usage = used.usage if isinstance(used, Completion) else used
        return price.cost_nano_usd(usage, images=images)


def _price(row: PriceRow) -> Price:
    return Price(
        input_nano_usd_per_mtok=nano_usd(row.input),
        output_nano_usd_per_mtok=nano_usd(row.output),
        cached_input_nano_usd_per_mtok=_optional(row.cached_input),
        cache_write_nano_usd_per_mtok=_optional(row.cache_write),
        audio_input_nano_usd_per_mtok=_optional(row.audio_input),
        reasoning_nano_usd_per_mtok=_optional(row.reasoning),
        audio_output_nano_usd_per_mtok=_optional(row.audio_output),
        image_nano_usd=nano_usd(row.per_image or 0),
        minute_nano_usd=nano_usd(row.per_minute or 0),
    )


def _optional(usd: float | None) -> int | None:
    return None if usd is None else nano_usd(usd)
