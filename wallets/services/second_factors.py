"""Turns second factors on and off, and checks their codes: each works once, and guessing is limited."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

import pyotp
from django.conf import settings
from django.db import transaction

from wallets.exceptions import (
    InvalidCredentials,
    NotFound,
    OtpInvalid,
    OtpRequired,
    RateLimited,
    SecondFactorMissing,
    SecondFactorOn,
)
from wallets.models import RecoveryCode, SecondFactor, SecurityEventKind, User
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.accounts import has_second_factor
from wallets.services.holds import note_credential_change
from wallets.services.mail_texts import MailKind
from wallets.services.mailing import notify
from wallets.services.security_log import record_event, record_failed_sign_in

_ISSUER: Final = "Crypto Exchange"
_STEP_SECONDS: Final = 30
_NEIGHBOURS: Final = (0, -1, 1)
"""Time steps that are tried: a device's clock may differ by one (RFC 6238, section 5.2)."""
_CODES: Final = 10
_CODE_BYTES: Final = 10
_FAILURES_AT_ONCE: Final = 5
_FIRST_WAIT: Final = timedelta(minutes=15)
_LONGEST_WAIT: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """A new secret in Base32, and the same as a URI that authenticator apps read from a QR code."""

    secret: str
    uri: str


class _Outcome(Enum):
    OFF = auto()
    RIGHT = auto()
    WRONG = auto()


def enrol(*, user: User, password: str, now: datetime) -> Enrolment:
    """Begin a second factor for whoever knows the password: a stolen token is not enough to lock the owner out.

    Raises InvalidCredentials, HashingBusy, SecondFactorOn.
    """
    if not user.check_password(password):
        record_failed_sign_in(name=user.get_username())
        raise InvalidCredentials
    return begin_second_factor(user=user, now=now)


@retried_on_conflict
@transaction.atomic(durable=True)
def begin_second_factor(*, user: User, now: datetime) -> Enrolment:
    """Give the user a new secret, which is not asked for before `confirm_second_factor`. Raises SecondFactorOn.

    Over the network users `enrol`.
    """
    factor = _lock(user)
    if factor and factor.confirmed_at:
        raise SecondFactorOn
    secret = pyotp.random_base32()
    SecondFactor.objects.update_or_create(
        user=user, defaults={"secret": secret, "created_at": now, "last_step": 0, "failures": 0, "failed_at": None}
    )
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.get_username(), issuer_name=_ISSUER)
    return Enrolment(secret=secret, uri=uri)


@retried_on_conflict
@transaction.atomic(durable=True)
def confirm_second_factor(*, user: User, code: str, now: datetime) -> list[str]:
    """Turn the second factor on, and return the recovery codes, which are shown this once.

    Wrong codes are not counted: whoever confirms a secret has it. Raises OtpInvalid, SecondFactorOn; NotFound if it was
    not begun.
    """
    factor = _lock(user)
    if factor is None:
        raise NotFound
    if factor.confirmed_at:
        raise SecondFactorOn
    step = _find_step(factor, _as_typed(code), now)
    if step is None:
        raise OtpInvalid
    codes = [_new_code() for _ in range(_CODES)]
    SecondFactor.objects.filter(pk=factor.pk).update(confirmed_at=now, last_step=step)
    RecoveryCode.objects.bulk_create(RecoveryCode(factor=factor, digest=_digest(factor, each)) for each in codes)
    note_credential_change(user=user, now=now)
    record_event(SecurityEventKind.SECOND_FACTOR_ON, user=user)
    notify(MailKind.SECOND_FACTOR_ON, user=user)
    return codes


def end_second_factor(*, user: User, code: str, now: datetime) -> None:
    """Turn the second factor off, by one of its codes. Raises OtpInvalid, RateLimited; NotFound if it is off."""
    outcome = _try(user=user, code=code, now=now, ends=True)
    if outcome is _Outcome.OFF:
        raise NotFound
    if outcome is _Outcome.WRONG:
        raise OtpInvalid


def ensure_otp(*, customer: User, code: str | None, now: datetime) -> None:
    """Check and use up a one-time code or a recovery code, unless the customer's second factor is off.

    Call it before the database transaction of the act that it protects: the code stays used, and a wrong one stays
    counted, whatever comes of the act. Raises OtpRequired without a code, OtpInvalid also for a code that was used, and
    RateLimited after five wrong ones.
    """
    if code is None:
        if has_second_factor(user_id=customer.pk):
            raise OtpRequired
    elif _try(user=customer, code=code, now=now) is _Outcome.WRONG:
        raise OtpInvalid


def ensure_otp_of_staff(*, staff: User, code: str | None, now: datetime) -> bool:
    """Check a code as `ensure_otp` does, and raise SecondFactorMissing if this server wants staff to have one.

    Return whether a code was asked for.
    """
    is_on = has_second_factor(user_id=staff.pk)
    if settings.SIGN_IN.staff_second_factor and not is_on:
        raise SecondFactorMissing
    ensure_otp(customer=staff, code=code, now=now)
    return is_on


@retried_on_conflict
@transaction.atomic(durable=True)
def _try(*, user: User, code: str, now: datetime, ends: bool = False) -> _Outcome:
    """Use a code up, and turn the second factor off if it `ends`. Raising would take back what was counted."""
    factor = _lock(user)
    if factor is None or not factor.confirmed_at:
        return _Outcome.OFF
    if not _accept(factor, code, now):
        return _Outcome.WRONG
    if ends:
        factor.delete()
        note_credential_change(user=user, now=now)
        record_event(SecurityEventKind.SECOND_FACTOR_OFF, user=user)
        notify(MailKind.SECOND_FACTOR_OFF, user=user)
    return _Outcome.RIGHT


def _lock(user: User) -> SecondFactor | None:
    """Lock the user's second factor: of two who bring one code at once, one waits and finds it used."""
    return SecondFactor.objects.select_for_update(no_key=True, of=("self",)).filter(user=user).first()


def _accept(factor: SecondFactor, code: str, now: datetime) -> bool:
    """Use up a code of the locked factor, or count a failure, and say which. Raises RateLimited."""
    _ensure_not_waiting(factor, now)
    typed = _as_typed(code)
    step = _find_step(factor, typed, now)
    if step is not None:
        factor.last_step = step
    elif not _use_recovery_code(factor, typed, now):
        _count_failure(factor, now)
        return False
    factor.failures, factor.failed_at = 0, None
    factor.save(update_fields=["last_step", "failures", "failed_at"])
    return True


def _as_typed(code: str) -> str:
    """Return a code without the blanks and dashes that make it easier to read."""
    return code.replace(" ", "").replace("-", "")


def _find_step(factor: SecondFactor, code: str, now: datetime) -> int | None:
    """Return the time step of a one-time code that has not been used, or None."""
    totp, current = pyotp.TOTP(factor.secret, interval=_STEP_SECONDS), int(now.timestamp()) // _STEP_SECONDS
    typed = code.encode("utf-8", "surrogatepass")
    for step in (current + neighbour for neighbour in _NEIGHBOURS):
        if step > factor.last_step and hmac.compare_digest(totp.generate_otp(step).encode(), typed):
            return step
    return None


def _use_recovery_code(factor: SecondFactor, code: str, now: datetime) -> bool:
    unused = factor.recovery_codes.filter(used_at=None)
    if not unused.filter(digest=_digest(factor, code)).update(used_at=now):
        return False
    record_event(SecurityEventKind.RECOVERY_CODE_USED, user=factor.user)
    notify(MailKind.RECOVERY_CODE_USED, user=factor.user, left=str(unused.count()))
    return True


def _count_failure(factor: SecondFactor, now: datetime) -> None:
    factor.failures += 1
    factor.failed_at = now
    factor.save(update_fields=["failures", "failed_at"])
    record_event(SecurityEventKind.OTP_FAILED, user=factor.user)
    if factor.failures % _FAILURES_AT_ONCE == 0:
        notify(MailKind.OTP_FAILED, user=factor.user)


def _ensure_not_waiting(factor: SecondFactor, now: datetime) -> None:
    """Raise RateLimited while nobody may try: after five failures 15 minutes, after the next five 30, then an hour."""
    rounds, rest = divmod(factor.failures, _FAILURES_AT_ONCE)
    if not rounds or rest or factor.failed_at is None:
        return
    wait = min(_FIRST_WAIT * 2 ** min(rounds - 1, 8), _LONGEST_WAIT)
    left = (factor.failed_at + wait - now).total_seconds()
    if left > 0:
        raise RateLimited(limit="otp", retry_after_seconds=int(left) + 1)


def _new_code() -> str:
    """Return 80 random bits as four groups of five characters, which are typed in any case."""
    text = secrets.token_hex(_CODE_BYTES)
    return "-".join(text[start : start + 5] for start in range(0, len(text), 5))


def _digest(factor: SecondFactor, code: str) -> str:
    """Return the hash of a recovery code without dashes. Random codes of 80 bits need no slow hash."""
    salted = f"{factor.user_id}:{code.replace('-', '').lower()}"
    return hashlib.sha256(salted.encode("utf-8", "surrogatepass")).hexdigest()
