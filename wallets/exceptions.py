"""The refusals of the money side.

    DomainError
    ├── InvalidCredentials    sign-in failed; the same for every reason
    ├── TokenInvalid          a token that does not, or no longer, open anything
    ├── UsernameTaken
    ├── WeakPassword          .messages
    ├── AccountFrozen
    ├── DepositsClosed        customers may not credit themselves here
    ├── InsufficientFunds     .balance .amount
    ├── IdempotencyKeyReused  the key made something else
    ├── InvalidCursor
    ├── NotFound              not there, or somebody else's
    ├── RateLimited           .limit .retry_after_seconds
    └── Busy                  held elsewhere for too long: try again

Errors carry data and a sentence for the customer; how they travel over HTTP is not their concern.
"""

from decimal import Decimal


class DomainError(Exception):
    """A request that is understood and refused; nothing has changed."""

    message = "The request was refused."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)


class InvalidCredentials(DomainError):
    message = "No active account matches this username and password."


class TokenInvalid(DomainError):
    message = "The token is invalid, expired or revoked."


class UsernameTaken(DomainError):
    message = "This username is taken."


class WeakPassword(DomainError):
    message = "The password is too weak."

    def __init__(self, messages: list[str]) -> None:
        super().__init__(" ".join(messages))
        self.messages = messages


class AccountFrozen(DomainError):
    message = "The account is frozen."


class DepositsClosed(DomainError):
    message = "Customers cannot deposit by themselves here."


class InsufficientFunds(DomainError):
    def __init__(self, *, balance: Decimal, amount: Decimal) -> None:
        super().__init__(f"The wallet holds {balance:.2f} USD; {amount:.2f} USD are needed.")
        self.balance = balance
        self.amount = amount


class IdempotencyKeyReused(DomainError):
    message = "This idempotency key was used with another request."


class InvalidCursor(DomainError):
    message = "The cursor is not one of this list with these filters."


class NotFound(DomainError):
    message = "There is nothing here."


class RateLimited(DomainError):
    def __init__(self, *, limit: str, retry_after_seconds: int) -> None:
        super().__init__(f"Too many calls ({limit}). Try again in {retry_after_seconds} s.")
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds


class Busy(DomainError):
    message = "The account is busy with another request. Try again."
