"""The refusals of settlement, and their reasons.

DomainError (wallets)
├── InterventionRefused    the decision would contradict the venue, or buy or refund on a guess
├── BadDays                the days of a report that are none, in the wrong order, not here yet, or too many
├── MoveRefused            an opening or a move of the venue's account that cannot be booked
├── NotAnUnknownOrder      only orders that we do not know are adopted
└── UnknownOrderUndecided  an order that we do not know is adopted or not ours, never only closed

Caught within settlement. The batch waits, and is refunded after SETTLING_LIMIT:
AskBeyondPriceBound       the market has moved
NoAsk (venues)
└── AskNotBelieved        the ask is far from the last price
UnusableRules (venues)
└── TopUpTooDear          the venue's filters force too large a purchase; a pool is refunded at once

Caught within settlement, which sends the attempt later:
SendingStopped            the database may have forgotten purchases
"""

from settlement.venues.protocol import NoAsk, UnusableRules
from wallets.exceptions import DomainError


class InterventionRefused(DomainError):
    message = "That cannot be done now."


class BadDays(DomainError):
    message = "These are no days of a report."


class MoveRefused(DomainError):
    message = "This cannot be booked."


class NotAnUnknownOrder(DomainError):
    message = "Only an order that we do not know can be adopted, or be not ours."


class UnknownOrderUndecided(DomainError):
    message = "An order that we do not know cannot only be closed: adopt it, or say that it is not ours."


class AskBeyondPriceBound(Exception):
    """The lowest ask is above the price bound: the orders' charges plus MAX_LOSS. Nothing was sent."""


class AskNotBelieved(NoAsk):
    """The ask is further from the last price than PRICE_DEVIATION_LIMIT. Nothing was sent."""


class TopUpTooDear(UnusableRules):
    """The venue's minimum, notional, step or tick would make the purchase dearer than the fence allows.

    Nothing was sent.
    """


class SendingStopped(Exception):
    """The database may have forgotten purchases, so nothing is sent. `is_stopped`: until after_restore has run."""

    def __init__(self, *, is_stopped: bool) -> None:
        super().__init__("the database is in doubt")
        self.is_stopped = is_stopped
