"""Maps the errors of the money side to problems over HTTP."""

from functools import partial
from typing import Final

from wallets import exceptions
from wallets.web import problems
from wallets.web.problems import (
    BUSY,
    HASHING_BUSY,
    NOT_ALLOWED,
    NOT_FOUND,
    VALIDATION_ERROR,
    ProblemKind,
    Problems,
    declare_answers,
)

PROBLEMS: Final[Problems] = {
    **problems.PROBLEMS,
    exceptions.InsufficientFunds: ProblemKind(
        400, "insufficient_funds", "Insufficient funds", "The wallet holds 5.00 USD; 12.00 USD are needed."
    ),
    exceptions.InvalidCursor: ProblemKind(
        400, "invalid_cursor", "Invalid cursor", "The cursor is not one of this list with these filters."
    ),
    exceptions.InvalidCredentials: ProblemKind(
        401, "invalid_credentials", "Invalid credentials", "No active account matches this username and password."
    ),
    exceptions.TokenInvalid: ProblemKind(
        401, "token_invalid", "Invalid token", "The token is invalid, expired or revoked."
    ),
    exceptions.OtpRequired: ProblemKind(
        401, "otp_required", "One-time code required", "A one-time code is needed: send it as otp."
    ),
    exceptions.SecondFactorOn: NOT_ALLOWED,
    exceptions.AccountFrozen: ProblemKind(403, "account_frozen", "Account frozen", "The account is frozen."),
    exceptions.DepositsClosed: NOT_ALLOWED,
    exceptions.AddressNotProven: NOT_ALLOWED,
    exceptions.FundsOnHold: ProblemKind(
        403,
        "funds_on_hold",
        "Funds on hold",
        "5.00 USD can be paid out now; 12.00 USD are needed. The rest is on hold.",
    ),
    exceptions.PayeeOnHold: ProblemKind(
        403, "payee_on_hold", "Payee on hold", "The payee is new. It can be used from 2026-02-01T12:00:00Z on."
    ),
    exceptions.CredentialHold: ProblemKind(
        403,
        "credential_hold",
        "On hold after a change",
        "A password, second factor, e-mail address or payee has changed. Payouts go on from 2026-02-01T12:00:00Z on.",
    ),
    exceptions.TooManyPayees: ProblemKind(
        403, "limit_exceeded", "Limit exceeded", "There may be at most 10 payees. Remove one first."
    ),
    exceptions.NotFound: NOT_FOUND,
    exceptions.NotAcceptable: ProblemKind(
        406,
        "not_acceptable",
        "Not acceptable",
        "This is offered as application/json and text/csv, and Accept allows neither.",
    ),
    exceptions.UsernameTaken: ProblemKind(409, "username_taken", "Username taken", "This username is taken."),
    exceptions.PayoutNotCancellable: ProblemKind(
        409, "payout_not_cancellable", "Payout not cancellable", "The payout can no longer be cancelled: it is sent."
    ),
    exceptions.PayoutInDoubt: ProblemKind(409, "payout_in_doubt", "Payout in doubt", exceptions.PayoutInDoubt.message),
    exceptions.Busy: BUSY,
    exceptions.IdempotencyKeyReused: ProblemKind(
        422,
        "idempotency_key_reused",
        "Idempotency key reused",
        "This idempotency key was used with another request.",
    ),
    exceptions.UsernameNotAllowed: ProblemKind(
        422,
        "username_not_allowed",
        "Username not allowed",
        "This username is reserved, mixes scripts, or looks like another one.",
    ),
    exceptions.OtpInvalid: ProblemKind(
        422, "otp_invalid", "One-time code invalid", "The one-time code is wrong, too old, or was used before."
    ),
    exceptions.NoPayee: ProblemKind(422, "no_payee", "No payee", "There is nobody to pay out to. Add a payee first."),
    exceptions.WeakPassword: VALIDATION_ERROR,
    exceptions.HashingBusy: HASHING_BUSY,
    exceptions.RateLimited: ProblemKind(
        429, "rate_limited", "Too many requests", "Too many calls (user). Try again in 17 s."
    ),
}

answers = partial(declare_answers, PROBLEMS)
"""Declares the answers of an operation: first its successes by status, then its refusals."""
