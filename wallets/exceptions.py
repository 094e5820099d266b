"""The refusals of the money side.

    DomainError
    ├── InvalidCredentials    sign-in failed; one message for every reason
    ├── TokenInvalid          a token that is unknown, expired or revoked
    ├── UsernameTaken, UsernameNotAllowed: reserved, of several scripts, or like another name
    ├── WeakPassword          .messages .field
    ├── OtpRequired, OtpInvalid: no code was given, or one that is wrong, too old, or was used
    ├── SecondFactorMissing, SecondFactorOn: the admin opens with one, and another one begins without
    ├── AccountFrozen
    ├── NoMail                nobody would get the e-mail that staff want to send
    ├── NotPermitted, MayNotDecide: an act about staff is for superusers, and a decision for those with the right
    ├── CannotClose           .obstacles: what has to be settled before an account is closed
    ├── OwnAccount            staff do not decide about their own account
    ├── ProposalRefused       a deed of staff that cannot be done, or no longer
    ├── ProposalClosed        somebody has decided about it, or its time is over
    ├── NeedsAnotherPerson    the author and the beneficiary do not decide about a proposal
    ├── NotFitForStaff        staff have no money here, and an e-mail address of their own
    ├── BreakGlassRefused     powers are given in the admin as long as two superusers can
    ├── DepositsClosed        customers cannot deposit by themselves here
    ├── DepositDiffers        .earlier .amount
    ├── DepositDecided        the money has its customer, or is back with its sender
    ├── ReturnRefused         the bank took back what this deposit does not have
    ├── ReturnDiffers, ReturnDecided: one of this name was taken otherwise, or it is not taken, or is won back already
    ├── CustomerOwes, OwesLess: .amount, .owed
    ├── NotCorrectable        a movement of an order or an attempt, one that is corrected, or one of another way
    ├── StatementRefused, StatementDecided: it is none, contradicts itself or the last one, or has been decided about
    ├── OnePersonTwice        a decision needs another person to approve it
    ├── InsufficientFunds     .balance .amount
    ├── FundsOnHold           .available .amount
    ├── PayeeOnHold, CredentialHold: .until
    ├── NoPayee, AddressNotProven: nobody to pay the money to, or nobody to tell of it
    ├── TooManyPayees         .most
    ├── PayoutNotCancellable, PayoutDecided, PayoutInDoubt: it is in another state by now, or may be
    ├── PayoutRefused, ExportRefused: it must not leave now, for a reason that staff read
    ├── IdempotencyKeyReused, InvalidCursor
    ├── NotAcceptable         .offered: the media types of which the caller accepts none
    ├── NotFound              no such record, or somebody else's
    ├── RateLimited           .limit .retry_after_seconds
    ├── HashingBusy           as many passwords are hashed as this process may hash at once
    └── Busy                  three tries met a conflict: try again later

Errors carry data and a sentence for the customer; `wallets.problems` maps them to HTTP.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal


class DomainError(Exception):
    """The refusal of a request that was understood; nothing has changed."""

    message = "The request was refused."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)


class InvalidCredentials(DomainError):
    message = "No active account matches this username and password."


class TokenInvalid(DomainError):
    message = "The token is invalid, expired or revoked."


class UsernameTaken(DomainError):
    message = "This username is taken."


class UsernameNotAllowed(DomainError):
    message = "This username is reserved, mixes scripts, or looks like another one."


class WeakPassword(DomainError):
    message = "The password is too weak."

    def __init__(self, messages: list[str], *, field: str = "password") -> None:
        super().__init__(" ".join(messages))
        self.messages = messages
        self.field = field


class OtpRequired(DomainError):
    message = "A one-time code is needed: send it as otp."


class OtpInvalid(DomainError):
    message = "The one-time code is wrong, too old, or was used before."


class SecondFactorMissing(DomainError):
    message = "Staff need a second factor here. Turn it on by the API first: see Second factors in docs/operations.md."


class SecondFactorOn(DomainError):
    message = "The second factor is on. Turn it off first."


class AccountFrozen(DomainError):
    message = "The account is frozen."


class NoMail(DomainError):
    message = "The account has no e-mail address, is disabled, or this server sends no e-mails."


class NotPermitted(DomainError):
    message = "Only superusers do this for staff."


class OwnAccount(DomainError):
    message = "Nobody decides about their own account. Ask somebody else."


class CannotClose(DomainError):
    def __init__(self, *, obstacles: list[str]) -> None:
        super().__init__("The account cannot be closed. " + " ".join(obstacles))
        self.obstacles = obstacles


class ProposalRefused(DomainError):
    message = "This cannot be done now."


class ProposalClosed(DomainError):
    message = "Somebody has decided about this proposal, or its time is over."


class NeedsAnotherPerson(DomainError):
    message = "Somebody else has to decide: neither the author of a proposal nor the customer who gains by it."


class MayNotDecide(DomainError):
    message = "Only active staff whose role lets them decide may do that. Superusers may where it is about powers."


class NotFitForStaff(DomainError):
    message = "Staff have no money here, and a proven e-mail address of their own."


class BreakGlassRefused(DomainError):
    message = "A break-glass request is not possible here."


class DepositsClosed(DomainError):
    message = "Customers cannot deposit by themselves here."


class DepositDiffers(DomainError):
    def __init__(self, *, earlier: Decimal, amount: Decimal) -> None:
        super().__init__(f"This payment was received before with {earlier:.2f} USD, and now with {amount:.2f} USD.")
        self.earlier = earlier
        self.amount = amount


class DepositDecided(DomainError):
    def __init__(self, *, state: str) -> None:
        super().__init__(f"Somebody has decided about this deposit: it is {state.lower()}.")


class ReturnRefused(DomainError):
    message = "This deposit cannot be taken back."


class ReturnDiffers(DomainError):
    message = "This reference was taken back before, with another amount or of another deposit."


class ReturnDecided(DomainError):
    def __init__(self, *, state: str) -> None:
        super().__init__(f"Nothing is to be done about this return: it is {state.lower()}.")


class CustomerOwes(DomainError):
    def __init__(self, *, amount: Decimal) -> None:
        super().__init__(f"The customer owes {amount:.2f} USD, and stays frozen until that is paid or written off.")
        self.amount = amount


class OwesLess(DomainError):
    def __init__(self, *, owed: Decimal) -> None:
        super().__init__(f"The customer owes {owed:.2f} USD.")
        self.owed = owed


class NotCorrectable(DomainError):
    message = "Only deposits, withdrawals and goodwill are corrected, each once, and never a movement of an order."


class StatementRefused(DomainError):
    message = "The file is no bank statement."


class StatementDecided(DomainError):
    def __init__(self, *, state: str) -> None:
        super().__init__(f"Nothing is to be decided about this statement: it is {state.lower()}.")


class OnePersonTwice(DomainError):
    message = "Nobody approves their own decision. Ask somebody else."


class InsufficientFunds(DomainError):
    def __init__(self, *, balance: Decimal, amount: Decimal) -> None:
        super().__init__(f"The wallet holds {balance:.2f} USD; {amount:.2f} USD are needed.")
        self.balance = balance
        self.amount = amount


class FundsOnHold(DomainError):
    def __init__(self, *, available: Decimal, amount: Decimal) -> None:
        super().__init__(f"{available:.2f} USD can be paid out now; {amount:.2f} USD are needed. The rest is on hold.")
        self.available = available
        self.amount = amount


class _OnHold(DomainError):
    def __init__(self, *, until: datetime) -> None:
        super().__init__(self.message.format(until=until.strftime("%Y-%m-%dT%H:%M:%SZ")))
        self.until = until


class PayeeOnHold(_OnHold):
    message = "The payee is new. It can be used from {until} on."


class CredentialHold(_OnHold):
    message = "A password, second factor, e-mail address or payee has changed. Payouts go on from {until} on."


class AddressNotProven(DomainError):
    message = "Prove your e-mail address first: changes of payees and payouts are told to it."


class NoPayee(DomainError):
    message = "There is nobody to pay out to. Add a payee first."


class TooManyPayees(DomainError):
    def __init__(self, *, most: int) -> None:
        super().__init__(f"There may be at most {most} payees. Remove one first.")
        self.most = most


class PayoutNotCancellable(DomainError):
    def __init__(self, *, state: str) -> None:
        super().__init__(f"The payout can no longer be cancelled: it is {state.lower()}.")


class PayoutInDoubt(DomainError):
    message = "Whether this payout has left is not known until the bank's statements are read. Try again later."


class PayoutDecided(DomainError):
    def __init__(self, *, state: str) -> None:
        super().__init__(f"The payout is in another state by now: it is {state.lower()}.")


class PayoutRefused(DomainError):
    message = "The payout must not leave."


class ExportRefused(DomainError):
    message = "No payout may be exported now."


class IdempotencyKeyReused(DomainError):
    message = "This idempotency key was used with another request."


class InvalidCursor(DomainError):
    message = "The cursor is not one of this list with these filters."


class NotAcceptable(DomainError):
    def __init__(self, *, offered: Sequence[str]) -> None:
        super().__init__(f"This is offered as {' and '.join(offered)}, and Accept allows neither.")
        self.offered = offered


class NotFound(DomainError):
    message = "There is nothing here."


class RateLimited(DomainError):
    def __init__(self, *, limit: str, retry_after_seconds: int) -> None:
        super().__init__(f"Too many calls ({limit}). Try again in {retry_after_seconds} s.")
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds


class HashingBusy(DomainError):
    message = "Too many sign-ins at this moment. Try again."


class Busy(DomainError):
    message = "The account is busy with another request. Try again."
