"""The refusals of settlement, and their reasons.

DomainError (wallets)
└── InterventionRefused   it would contradict the venue, or buy or refund on a guess

AskBeyondPriceBound       between the steps of settlement only: it parks the batch
"""

from wallets.exceptions import DomainError


class InterventionRefused(DomainError):
    message = "That cannot be done now."


class AskBeyondPriceBound(Exception):
    """Even the lowest ask costs more than the orders paid and MAX_LOSS allows. Nothing was sent."""
