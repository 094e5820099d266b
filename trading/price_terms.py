"""The terms of a price rule: what a customer pays for a coin that costs so much at the venue, and the order's fee."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from django.conf import settings

from trading.rounding import fee_for, price_for, subtotal_for, subtotal_within

DEFAULT_SPREAD_RATE: Final = Decimal("0.005")
"""The spread of the rule for all coins that `migrate` makes if none is in force. It has no fee."""

_STEP_OF_RATES: Final = Decimal("0.00000001")
_HUNDRED: Final = Decimal("100.00")


@dataclass(frozen=True, kw_only=True)
class PriceTerms:
    """The spread and the fee of a rule. Rates are shares; the limits of the fee are US dollars."""

    rule_id: int | None
    spread_rate: Decimal
    fee_rate: Decimal
    fee_minimum: Decimal
    fee_maximum: Decimal | None

    @property
    def covers_commission(self) -> bool:
        """Say whether a coin may be sold at its market price: there is a rule, and its spread covers the commission."""
        return self.rule_id is not None and self.spread_rate >= least_spread_rate()

    def price(self, *, market_price: Decimal, taker_rate: Decimal) -> Decimal:
        """Return the customer's price. Without a rule it is the market price: only a fixed price is sold at it."""
        if self.rule_id is None:
            return market_price
        return price_for(market_price=market_price, spread_rate=self.spread_rate, taker_rate=taker_rate)

    def fee(self, *, subtotal: Decimal) -> Decimal:
        """Return the fee of an order, in US dollars."""
        return fee_for(subtotal=subtotal, rate=self.fee_rate, minimum=self.fee_minimum, maximum=self.fee_maximum)

    def subtotal_within(self, *, total: Decimal) -> Decimal:
        """Return the largest subtotal that is not more than `total` US dollars together with its fee."""
        return subtotal_within(total=total, rate=self.fee_rate, minimum=self.fee_minimum, maximum=self.fee_maximum)


NO_RULE: Final = PriceTerms(
    rule_id=None,
    spread_rate=Decimal(0),
    fee_rate=Decimal(0),
    fee_minimum=Decimal(0),
    fee_maximum=None,
)
"""The terms of a fixed price without a rule of its own: neither spread nor fee. A market price is not sold by them."""


def taker_rate_of(*, is_fixed: bool) -> Decimal:
    """Return the commission that a price has to cover: the venue's, or none, because a fixed price covers it."""
    return Decimal(0) if is_fixed else settings.VENUE.taker_rate


def least_spread_rate() -> Decimal:
    """Return the spread below which a purchase may cost more than a market price brings: the first venue's commission.

    Prices contain that commission, whichever venue a coin is bought at. So at a further venue with a higher commission
    the spread has to cover the difference too.
    """
    first = settings.VENUE.taker_rate
    highest = max((venue.taker_rate for venue in settings.FURTHER_VENUES.values()), default=first)
    if highest <= first:
        return first
    return max(first, ((1 - first) / (1 - highest) - 1).quantize(_STEP_OF_RATES, ROUND_CEILING))


def cost_of_hundred(terms: PriceTerms, *, is_fixed: bool) -> tuple[Decimal, Decimal]:
    """Return the subtotal and the fee of an order of coins that are worth 100 US dollars at their market price."""
    price = terms.price(market_price=_HUNDRED, taker_rate=taker_rate_of(is_fixed=is_fixed))
    subtotal = subtotal_for(amount=Decimal(1), price=price)
    return subtotal, terms.fee(subtotal=subtotal)
