"""The refusals of the shop.

DomainError (wallets)
├── UnknownCoin
├── PriceUnavailable      no price, too old, or suspended
├── SalesStopped          .retry_after_seconds
├── BelowMinimum          .minimum
├── AboveMaximum          .maximum
├── AmountOffStep         .step
├── PriceAboveMax         .price, above the most that the customer wants to pay for a coin
├── QuoteInvalid          altered, or another customer's
├── QuoteExpired
├── QuoteUsed             an order has used it
├── QuoteWithdrawn        the coin is not sold now, or its market price has risen too far
├── TooManyHeld           too many of the customer's orders wait for staff
├── OrderNotCancellable   claimed for settlement, held, or closed
├── NoBid                 nobody knows what a coin brings at its venue now
├── OrderNotHeld          staff have decided already
├── OwnOrder              staff do not decide about their own orders
├── SalesNotStopped       there is no stop that staff could end
├── AllowanceTooLarge     .most
├── RuleInThePast         a price rule begins now or later
├── SpreadTooSmall        .least, which the spread has to be
├── OwnRuleTooSmall       .rule_id, which a market price of its coin could not be sold by
└── NoRuleForMarketPrice  a coin with a market price needs a rule in force
"""

from decimal import Decimal

from wallets.exceptions import DomainError
from wallets.money import without_zeros


class UnknownCoin(DomainError):
    message = "This cryptocurrency is not sold here."


class PriceUnavailable(DomainError):
    message = "There is no current price for this cryptocurrency. Try again soon."


class SalesStopped(DomainError):
    def __init__(self, *, retry_after_seconds: int) -> None:
        super().__init__(
            "Sales of this cryptocurrency have stopped, or not so much of it is sold now. Try again later."
        )
        self.retry_after_seconds = retry_after_seconds


class BelowMinimum(DomainError):
    def __init__(self, *, minimum: Decimal) -> None:
        super().__init__(f"The smallest order is {without_zeros(minimum):f} coins.")
        self.minimum = minimum


class AboveMaximum(DomainError):
    def __init__(self, *, maximum: Decimal) -> None:
        super().__init__(f"The largest order is {without_zeros(maximum):f} coins.")
        self.maximum = maximum


class AmountOffStep(DomainError):
    def __init__(self, *, step: Decimal) -> None:
        super().__init__(f"Amounts of this coin are multiples of {without_zeros(step):f}.")
        self.step = step


class PriceAboveMax(DomainError):
    def __init__(self, *, price: Decimal) -> None:
        super().__init__(f"One coin costs {without_zeros(price):f} US dollars now, more than the given maximum.")
        self.price = price


class QuoteInvalid(DomainError):
    message = "This quote is not one of yours. Ask for a new one."


class QuoteExpired(DomainError):
    message = "This quote has expired. Ask for a new one."


class QuoteUsed(DomainError):
    message = "An order has used this quote already. Ask for a new one."


class QuoteWithdrawn(DomainError):
    message = "This quote is withdrawn, because the coin is not sold now or its price has moved too far."


class TooManyHeld(DomainError):
    message = "Several of your orders wait for a review already. Try again when they are decided."


class OrderNotCancellable(DomainError):
    message = "The order can no longer be cancelled."


class NoBid(DomainError):
    message = "There is no bid for this coin that is new enough."


class OrderNotHeld(DomainError):
    message = "This order is not held: somebody has decided."


class OwnOrder(DomainError):
    message = "Nobody decides about their own order. Ask somebody else."


class SalesNotStopped(DomainError):
    message = "Sales are not stopped, or no longer."


class AllowanceTooLarge(DomainError):
    def __init__(self, *, most: Decimal) -> None:
        super().__init__(f"The further loss is above zero, and at most {most} US dollars at a time.")
        self.most = most


class RuleInThePast(DomainError):
    message = "A price rule begins now or later."


class SpreadTooSmall(DomainError):
    def __init__(self, *, least: Decimal) -> None:
        super().__init__(f"The spread must be at least {least.normalize():f}, which covers the venues' commission.")
        self.least = least


class OwnRuleTooSmall(DomainError):
    def __init__(self, *, rule_id: int, least: Decimal) -> None:
        super().__init__(
            f"The spread of price rule {rule_id} of this coin is below {least.normalize():f},"
            " which covers the venues' commission on a market price. Make another rule for the coin first."
        )
        self.rule_id = rule_id


class NoRuleForMarketPrice(DomainError):
    message = "No price rule holds for a coin with a market price. Make a rule for the coin, or for all coins, first."
