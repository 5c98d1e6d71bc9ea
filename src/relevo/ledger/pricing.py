"""From what a provider costs to what a caller pays. Integers only; every division says how it rounds."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from relevo.core.ledger import MICRO_MAX, MICRO_PER_CREDIT
from relevo.core.money import NANO_USD_PER_USD

_MILLION: Final = 1_000_000


def micro(credits: float | str) -> int:
    """Credits as written in a file or a body to micro-credits, by decimal arithmetic."""
    return int((Decimal(str(credits)) * MICRO_PER_CREDIT).to_integral_value(ROUND_HALF_EVEN))


def exact_micro(text: str) -> int:
    """Credits that somebody orders to micro-credits: what cannot be counted is refused, never rounded.

    Raises:
        ValueError: It is no number of credits with at most 6 decimals.
    """
    try:
        amount = Decimal(text) * MICRO_PER_CREDIT
    except ArithmeticError:
        raise ValueError(text) from None
    if not amount.is_finite() or amount != amount.to_integral_value() or abs(amount) > MICRO_MAX:
        raise ValueError(text)
    return int(amount)


def credits_of(amount_micro: int) -> float | int:
    """Micro-credits as JSON shows them: a number of credits with at most 6 decimals."""
    whole, rest = divmod(amount_micro, MICRO_PER_CREDIT)
    return whole if not rest else amount_micro / MICRO_PER_CREDIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What an answer of one task costs its caller."""

    fixed_micro: int | None
    """Price of one answer whoever gives it. None: tokens are metered."""
    nano_usd_per_credit: int
    markup_millionths: int = _MILLION
    min_micro: int = 0
    """Least price of a metered answer."""
    clamp: bool = False
    """Cut the length of answers to what the account allows."""

    def price_micro(self, cost_nano_usd: int) -> int:
        """What the caller pays for an answer that cost us this. Rounded up to a micro-credit."""
        if self.fixed_micro is not None:
            return self.fixed_micro
        metered = -(-cost_nano_usd * self.markup_millionths // self.nano_usd_per_credit)
        return max(metered, self.min_micro)

    def budget_nano_usd(self, amount_micro: int) -> int:
        """The most that an answer may cost us so that its metered price stays within an amount. Rounded down."""
        if not self.markup_millionths:
            return MICRO_MAX  # whatever it costs us, it is given away
        return amount_micro * self.nano_usd_per_credit // self.markup_millionths


def make_tariff(
    *,
    credits: float | None,
    markup: float,
    min_credits: float,
    clamp: bool,
    usd_per_credit: float,
) -> Tariff:
    """A tariff from the configuration's numbers."""
    return Tariff(
        fixed_micro=None if credits is None else micro(credits),
        nano_usd_per_credit=int(Decimal(str(usd_per_credit)) * NANO_USD_PER_USD),
        markup_millionths=int(Decimal(str(markup)) * _MILLION),
        min_micro=micro(min_credits),
        clamp=clamp,
    )
