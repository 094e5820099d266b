"""The refusals of settlement, and their reasons.

DomainError (wallets)
└── InterventionRefused   the decision would contradict the venue, or buy or refund on a guess

Caught within settlement. The batch waits, and is refunded after SETTLING_LIMIT:
AskBeyondPriceBound       the market has moved
UnusableRules (venues)
└── TopUpTooDear          the venue's filters force too large a purchase; a pool is refunded at once
"""

from settlement.venues.protocol import UnusableRules
from wallets.exceptions import DomainError


class InterventionRefused(DomainError):
    message = "That cannot be done now."


class AskBeyondPriceBound(Exception):
    """The lowest ask is above the price bound: the orders' charges plus MAX_LOSS. Nothing was sent."""


class TopUpTooDear(UnusableRules):
    """The venue's minimum, notional, step or tick would make the purchase dearer than the fence allows.

    Nothing was sent.
    """
