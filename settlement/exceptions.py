"""What settlement refuses, and why.

DomainError (wallets)
└── InterventionRefused   it would contradict the exchange, or buy or refund on a guess
"""

from wallets.exceptions import DomainError


class InterventionRefused(DomainError):
    message = "That cannot be done now."
