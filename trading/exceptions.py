"""The refusals of the shop.

DomainError (wallets)
├── UnknownCoin
├── PriceUnavailable      no price, too old, or suspended
├── BelowMinimum          .minimum
├── AboveMaximum          .maximum
├── OrderNotCancellable   claimed for settlement, held, or closed
└── OrderNotHeld          staff have decided already
"""

from decimal import Decimal

from wallets.exceptions import DomainError


class UnknownCoin(DomainError):
    message = "This cryptocurrency is not sold here."


class PriceUnavailable(DomainError):
    message = "There is no current price for this cryptocurrency. Try again soon."


class BelowMinimum(DomainError):
    def __init__(self, *, minimum: Decimal) -> None:
        super().__init__(f"The smallest order is {minimum.normalize():f} coins.")
        self.minimum = minimum


class AboveMaximum(DomainError):
    def __init__(self, *, maximum: Decimal) -> None:
        super().__init__(f"The largest order is {maximum.normalize():f} coins.")
        self.maximum = maximum


class OrderNotCancellable(DomainError):
    message = "The order can no longer be cancelled."


class OrderNotHeld(DomainError):
    message = "This order is not held: somebody has decided."
