"""The refusals of the shop.

DomainError (wallets)
├── UnknownCoin
├── PriceUnavailable      no price, too old, or suspended
├── SalesStopped          .retry_after_seconds
├── BelowMinimum          .minimum
├── AboveMaximum          .maximum
├── AmountOffStep         .step
├── TooManyHeld           too many of the customer's orders wait for staff
├── OrderNotCancellable   claimed for settlement, held, or closed
├── OrderNotHeld          staff have decided already
├── OwnOrder              staff do not decide about their own orders
├── SalesNotStopped       there is no stop that staff could end
└── AllowanceTooLarge     .most
"""

from decimal import Decimal

from wallets.exceptions import DomainError


class UnknownCoin(DomainError):
    message = "This cryptocurrency is not sold here."


class PriceUnavailable(DomainError):
    message = "There is no current price for this cryptocurrency. Try again soon."


class SalesStopped(DomainError):
    def __init__(self, *, retry_after_seconds: int) -> None:
        super().__init__("Sales of this cryptocurrency have stopped for today. Try again later.")
        self.retry_after_seconds = retry_after_seconds


class BelowMinimum(DomainError):
    def __init__(self, *, minimum: Decimal) -> None:
        super().__init__(f"The smallest order is {minimum.normalize():f} coins.")
        self.minimum = minimum


class AboveMaximum(DomainError):
    def __init__(self, *, maximum: Decimal) -> None:
        super().__init__(f"The largest order is {maximum.normalize():f} coins.")
        self.maximum = maximum


class AmountOffStep(DomainError):
    def __init__(self, *, step: Decimal) -> None:
        super().__init__(f"Amounts of this coin are multiples of {step.normalize():f}.")
        self.step = step


class TooManyHeld(DomainError):
    message = "Several of your orders wait for a review already. Try again when they are decided."


class OrderNotCancellable(DomainError):
    message = "The order can no longer be cancelled."


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
