"""Sends e-mails from a worker, after the change that causes them has committed.

A job holds what a mail needs encrypted, because an address is personal data. Tokens are made when the mail is sent, so
neither the queue nor any other table holds one. A mail may be sent twice.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from django.conf import settings
from django.core.mail import send_mail

from wallets.models import User
from wallets.runtime.encryption import decrypt, encrypt
from wallets.runtime.jobs import defer_job
from wallets.services.mail_texts import MAIL_TEXTS, MailKind
from wallets.services.mailed_tokens import Purpose, make_mailed_token

MAIL_TASK: Final = "wallets.send_mail"
MAIL_QUEUE: Final = "mail"

_MOST_ACCOUNTS: Final = 5
"""Accounts of one address that are told how to choose a new password."""


def is_mail_sent() -> bool:
    """Say whether e-mails reach anybody: production without a mail server drops them."""
    return not settings.EMAIL_BACKEND.endswith(".dummy.EmailBackend")


def mail_later(kind: MailKind, *, to: str, user_id: int | None = None, **details: str) -> None:
    """Enqueue an e-mail to an address in the current database transaction; nothing if the address is empty.

    Without `user_id`, a mail about a new password goes to each account that has the address. So the work of this call
    does not depend on whether there is one.
    """
    if to:
        sealed = encrypt(json.dumps({"to": to, "user_id": user_id, "details": details}))
        defer_job(task=MAIL_TASK, queue=MAIL_QUEUE, kind=kind.value, sealed=sealed)


def notify(kind: MailKind, *, user: User, **details: str) -> None:
    """Enqueue an e-mail about the account to its owner's proven address, if there is one."""
    mail_later(kind, to=user.verified_email, user_id=user.pk, **details)


def make_reset_link(*, user: User, now: datetime) -> str:
    """Return what an e-mail about a new password would hold, where no e-mail is sent: whoever has it chooses one."""
    return _link(MailKind.RESET, user, user.mail_address, now)["link"]


def send(*, kind: str, sealed: str, now: datetime) -> None:
    """Send the e-mails that a job is for. Nobody who is unknown or disabled gets one.

    Raises Undecryptable, and the errors of the mail server.
    """
    letter: dict[str, Any] = json.loads(decrypt(sealed))
    subject, text = MAIL_TEXTS[MailKind(kind)]
    for user in _readers_of(letter):
        # Never to an address as a stranger typed it: two that look alike to a database may be two mailboxes.
        to = user.mail_address if kind == MailKind.RESET else letter["to"]
        filled_in = text.format(username=user.get_username(), **letter["details"], **_link(kind, user, to, now))
        send_mail(subject, filled_in, None, [to])


def find_accounts(*, email: str) -> list[User]:
    """Return the first active accounts that have the address, in any case of its letters."""
    found = User.objects.filter(email__iexact=email, is_active=True).order_by("pk")[:_MOST_ACCOUNTS]
    return [user for user in found if user.mail_address.lower() == email.lower()]


def _readers_of(letter: dict[str, Any]) -> Iterator[User]:
    if letter["user_id"] is None:
        yield from find_accounts(email=letter["to"])
    else:
        yield from User.objects.filter(pk=letter["user_id"], is_active=True)


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
