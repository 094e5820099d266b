"""The refusals of settlement, and their reasons.

DomainError (wallets)
└── InterventionRefused   the decision would contradict the venue, or buy or refund on a guess

AskBeyondPriceBound       caught within settlement, which parks the batch
"""

from wallets.exceptions import DomainError


class InterventionRefused(DomainError):
    message = "That cannot be done now."


class AskBeyondPriceBound(Exception):
    """The lowest ask is above the price bound: the orders' charges plus MAX_LOSS. Nothing was sent."""
