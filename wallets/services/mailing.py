"""Sends e-mails from a worker, after the change that causes them has committed.

A job holds what a mail needs encrypted, because an address is personal data. Tokens are made when the mail is sent, so
neither the queue nor any other table holds one. A mail may be sent twice.
"""

import json
import logging
import smtplib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Case, Q, When

from wallets.models import User
from wallets.runtime.encryption import decrypt, encrypt
from wallets.runtime.jobs import defer_job
from wallets.services.mail_texts import MAIL_TEXTS, MailKind
from wallets.services.mailed_tokens import Purpose, make_mailed_token, state_of

logger = logging.getLogger(__name__)

MAIL_TASK: Final = "wallets.send_mail"
MAIL_QUEUE: Final = "mail"

_MOST_ACCOUNTS: Final = 5
"""Accounts of one address that are told how to choose a new password."""

_ALSO_DISABLED: Final = frozenset({MailKind.BREAK_GLASS, MailKind.BREAK_GLASS_DONE})
"""E-mails that users get who are disabled: somebody may have disabled them so that they do not know."""

_REFUSED_FOR_GOOD: Final = range(500, 600)
"""Codes of a mail server after which it is no use to try again (RFC 5321, section 4.2.1)."""
_NO_MAILBOX: Final = 553
"""What a mail server says about a mailbox whose name it does not allow."""


class MailDelayed(OSError):
    """The mail server refuses an e-mail for now. The message names no address."""


def is_mail_sent() -> bool:
    """Say whether e-mails reach anybody: production without a mail server drops them."""
    return not settings.EMAIL_BACKEND.endswith(".dummy.EmailBackend")


def mail_later(kind: MailKind, *, to: str, user_id: int | None = None, **details: str) -> None:
    """Enqueue an e-mail to an address in the current database transaction; nothing if the address is empty.

    Without `user_id`, a mail about a new password goes to each account that has the address. So the work of this call
    does not depend on whether there is one.
    """
    if to:
        _enqueue(kind, {"to": to, "user_id": user_id, "details": details})


def mail_proof_later(*, user: User, email: str) -> None:
    """Enqueue an e-mail with a token that proves the address, in the current database transaction.

    It is sent only while the account is as `user` was read: whoever asked may have lost the account since.
    """
    if email:
        letter = {"to": email, "user_id": user.pk, "details": {}, "state": state_of(user)}
        _enqueue(MailKind.VERIFY, letter)


def _enqueue(kind: MailKind, letter: Mapping[str, object]) -> None:
    defer_job(task=MAIL_TASK, queue=MAIL_QUEUE, kind=kind.value, sealed=encrypt(json.dumps(letter)))


def notify(kind: MailKind, *, user: User, **details: str) -> None:
    """Enqueue an e-mail about the account to its owner's proven address, if there is one."""
    mail_later(kind, to=user.verified_email, user_id=user.pk, **details)


def make_reset_link(*, user: User, now: datetime) -> str:
    """Return what an e-mail about a new password would hold, where no e-mail is sent: whoever has it chooses one."""
    return _link(MailKind.RESET, user, user.mail_address, now)["link"]


def send(*, kind: str, sealed: str, now: datetime) -> None:
    """Send the e-mails that a job is for. Nobody who is unknown gets one, and few do who are disabled.

    If one of several fails, the others and this one get jobs of their own, so that none is sent again. Raises
    Undecryptable, MailDelayed, and errors of the connection to the mail server.
    """
    letter: dict[str, Any] = json.loads(decrypt(sealed))
    readers = _readers_of(letter, kind=MailKind(kind))
    for number, user in enumerate(readers):
        try:
            _send_one(MailKind(kind), user, letter, now)
        except OSError:  # also those of the protocol, and MailDelayed
            if number == 0:
                raise
            for left in readers[number:]:
                mail_later(MailKind(kind), to=letter["to"], user_id=left.pk, **letter["details"])
            return


def _send_one(kind: MailKind, user: User, letter: Mapping[str, Any], now: datetime) -> None:
    """Send an e-mail about one account. Nothing is sent, and it is logged, if the server refuses it for good."""
    subject, text = MAIL_TEXTS[kind]
    # Never to an address as a stranger typed it: two that look alike to a database may be two mailboxes.
    to = user.mail_address if kind == MailKind.RESET else letter["to"]
    filled_in = text.format(username=user.get_username(), **letter["details"], **_link(kind, user, to, now))
    codes = _codes_of_refusal(subject, filled_in, to)
    if codes and all(code in _REFUSED_FOR_GOOD for code in codes):
        logger.warning("the mail server refuses an e-mail (%s) to user %s for good: %s", kind, user.pk, codes)
    elif codes:
        raise MailDelayed(f"the mail server does not take an e-mail ({kind}) to user {user.pk} now: {codes}")


def _codes_of_refusal(subject: str, text: str, to: str) -> list[int]:
    """Send an e-mail, and return the codes of the mail server's refusal; none if it took the e-mail.

    The server's own words are left out: they name the address, which belongs in no log.
    """
    try:
        send_mail(subject, text, None, [to])
    except smtplib.SMTPRecipientsRefused as error:
        return [code for code, _ in error.recipients.values()]
    except smtplib.SMTPDataError as error:
        return [error.smtp_code]
    except ValueError:  # Django cannot write the address into a header, and says so with the address
        return [_NO_MAILBOX]
    return []


def find_accounts(*, email: str) -> list[User]:
    """Return the first active accounts that have the address, in any case of its letters.

    Those that have proven it come first: anybody can open accounts with somebody else's address.
    """
    is_unproven = Case(When(verified_email="", then=1), default=0)
    at_home = Q(verified_email="") | Q(verified_email__iexact=email)
    found = User.objects.filter(at_home, email__iexact=email, is_active=True).order_by(is_unproven, "pk")
    found = found[:_MOST_ACCOUNTS]
    return [user for user in found if user.mail_address.lower() == email.lower()]


def _readers_of(letter: Mapping[str, Any], *, kind: MailKind) -> list[User]:
    if letter["user_id"] is None:
        return find_accounts(email=letter["to"])
    users = [user for user in User.objects.filter(pk=letter["user_id"]) if user.is_active or kind in _ALSO_DISABLED]
    return [user for user in users if "state" not in letter or letter["state"] == state_of(user)]


def _link(kind: str, user: User, email: str, now: datetime) -> dict[str, str]:
    """Return the link of a mail, and how long it works, by the names that the text has for them."""
    mail = settings.MAIL
    if kind == MailKind.RESET:
        lifetime = timedelta(minutes=mail.reset_minutes)
        link = _address_of(Purpose.RESET_PASSWORD, user, email, now, lifetime)
        return {"link": link, "minutes": str(mail.reset_minutes)}
    if kind == MailKind.VERIFY:
        lifetime = timedelta(hours=mail.verify_hours)
        link = _address_of(Purpose.VERIFY_EMAIL, user, email, now, lifetime)
        return {"link": link, "hours": str(mail.verify_hours)}
    return {}


def _address_of(purpose: Purpose, user: User, email: str, now: datetime, lifetime: timedelta) -> str:
    """Return the address of a page with a token behind the #, which browsers send to nobody; else the token alone."""
    token = make_mailed_token(purpose=purpose, user=user, email=email, now=now, lifetime=lifetime)
    page = settings.MAIL.link_url.rstrip("/")
    return f"{page}/{purpose}#token={quote(token, safe=':')}" if page else token
