"""The price of a target: the file's row, zero for servers on this machine, or unknown."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from relevo.config.schema import PriceRow
from relevo.core.money import Price, nano_usd
from relevo.core.net import is_loopback
from relevo.core.types import Completion, Target
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

    def cost_nano_usd(self, target: Target, completion: Completion) -> int | None:
        """What this answer cost. None: the price is unknown."""
        price = self.of(target)
        if price is None:
            return None
        usage = completion.usage
        return price.cost_nano_usd(
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            output_tokens=usage.output_tokens,
        )


def _price(row: PriceRow) -> Price:
    return Price(
        input_nano_usd_per_mtok=nano_usd(row.input),
        output_nano_usd_per_mtok=nano_usd(row.output),
        cached_input_nano_usd_per_mtok=None if row.cached_input is None else nano_usd(row.cached_input),
    )
