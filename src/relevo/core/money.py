"""Money is an integer with a unit. Provider costs are nano-USD (10⁻⁹ $); every division says how it rounds."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

NANO_USD_PER_USD: Final = 1_000_000_000
_TOKENS_PER_MTOK: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one model costs, in nano-USD per million tokens."""

    input_nano_usd_per_mtok: int
    output_nano_usd_per_mtok: int
    cached_input_nano_usd_per_mtok: int | None = None
    """Input tokens served from the provider's cache. None: they cost as much as any input token."""

    def cost_nano_usd(self, *, input_tokens: int, cached_input_tokens: int, output_tokens: int) -> int:
        """The cost of one answer. Rounded up once, so that many small calls are never undercharged.

        Args:
            input_tokens: All input tokens, those read from the cache included.
            cached_input_tokens: The part of `input_tokens` that came from the cache.
            output_tokens: All output tokens, reasoning included.
        """
        cached_price = self.cached_input_nano_usd_per_mtok
        if cached_price is None:
            cached_price = self.input_nano_usd_per_mtok
        total = (
            (input_tokens - cached_input_tokens) * self.input_nano_usd_per_mtok
            + cached_input_tokens * cached_price
            + output_tokens * self.output_nano_usd_per_mtok
        )
        return -(-total // _TOKENS_PER_MTOK)


def nano_usd(usd: float | str) -> int:
    """Dollars as written in a file to nano-USD, by decimal arithmetic: 0.07 is 70,000,000, not 69,999,999."""
    return int(Decimal(str(usd)) * NANO_USD_PER_USD)
