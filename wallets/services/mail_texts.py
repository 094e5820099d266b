"""What the e-mails say. A text holds no password and no code, and of a token only where its reader needs it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class MailKind(StrEnum):
    """What an e-mail is about. The names never change, because jobs outlive deployments."""

    RESET = "reset"
    VERIFY = "verify"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  the name of an event
    EMAIL_CHANGED = "email_changed"
    NEW_DEVICE = "new_device"
    SECOND_FACTOR_ON = "second_factor_on"
    SECOND_FACTOR_OFF = "second_factor_off"
    RECOVERY_CODE_USED = "recovery_code_used"
    OTP_FAILED = "otp_failed"
    BREAK_GLASS = "break_glass"
    BREAK_GLASS_DONE = "break_glass_done"
    PAYEE_ADDED = "payee_added"
    PAYEE_REMOVED = "payee_removed"


class MailText(NamedTuple):
    """A subject, and a text with places for `username` and the details of its kind."""

    subject: str
    text: str


_WARNING: Final = "If this was not you, ask for a new password at once, and write to us."

MAIL_TEXTS: Final[Mapping[MailKind, MailText]] = {
    MailKind.RESET: MailText(
        "Your new password",
        "Somebody asked for a new password of the account {username}. This lets you choose one, once and within"
        " {minutes} minutes:\n\n{link}\n\nIf it was not you, do nothing: your password stays as it is.",
    ),
    MailKind.VERIFY: MailText(
        "Please confirm your e-mail address",
        "This confirms that you read the e-mails of the account {username}. It works once and within {hours} hours:"
        "\n\n{link}\n\nIf you have no such account, do nothing.",
    ),
    MailKind.PASSWORD_CHANGED: MailText(
        "Your password was changed",
        "The password of your account {username} was changed, and everybody was signed out. " + _WARNING,
    ),
    MailKind.EMAIL_CHANGED: MailText(
        "Your e-mail address was changed",
        "The account {username} has another e-mail address now, and nothing more is sent to this one. "
        "If this was not you, write to us at once.",
    ),
    MailKind.NEW_DEVICE: MailText(
        "Somebody signed in on a new device",
        "Somebody signed in to your account {username} on a device or at an address that it has not been used with"
        " lately.\n\nTime: {at}\nAddress: {address}\nDevice: {device}\n\n" + _WARNING,
    ),
    MailKind.SECOND_FACTOR_ON: MailText(
        "Your second factor was turned on",
        "From now on your account {username} asks for a one-time code. " + _WARNING,
    ),
    MailKind.SECOND_FACTOR_OFF: MailText(
        "Your second factor was turned off",
        "Your account {username} no longer asks for a one-time code. " + _WARNING,
    ),
    MailKind.RECOVERY_CODE_USED: MailText(
        "A recovery code was used",
        "A recovery code of your account {username} was used instead of a one-time code; {left} are left. " + _WARNING,
    ),
    MailKind.OTP_FAILED: MailText(
        "Somebody typed wrong one-time codes",
        "Somebody who knows the password of your account {username} typed five wrong one-time codes. " + _WARNING,
    ),
    MailKind.BREAK_GLASS: MailText(
        "Somebody asks for the powers of a superuser",
        "You get this because your account {username} is staff. Somebody on the server asks to make {name} a"
        " superuser.\n\nReason: {reason}\nEarliest effect: {at}\n\nUntil then you can revoke it in the admin, under"
        " Break-glass requests. If you do not know of it, do so at once.",
    ),
    MailKind.BREAK_GLASS_DONE: MailText(
        "Somebody is a superuser now",
        "You get this because your account {username} is staff. {name} is a superuser now, by a break-glass request."
        " If you did not expect it, speak with the other staff at once.",
    ),
    MailKind.PAYEE_ADDED: MailText(
        "A payee was added",
        "The bank account {account} was added to the payees of your account {username}. " + _WARNING,
    ),
    MailKind.PAYEE_REMOVED: MailText(
        "A payee was removed",
        "The bank account {account} was removed from the payees of your account {username}. " + _WARNING,
    ),
}
