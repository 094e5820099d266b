"""What settlement refuses, and why.

DomainError (wallets)
└── BatchNotRetryable   not parked, or something of it may have been bought unseen
"""

from wallets.exceptions import DomainError


class BatchNotRetryable(DomainError):
    message = "This batch cannot be retried."
