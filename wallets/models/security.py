"""The security log: who signed in and out, from where, and who was given which power."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from wallets.models.accounts import User


class SecurityEventKind(models.TextChoices):
    """What happened to an account."""

    REGISTERED = "registered", "registered"
    SIGNED_IN = "signed_in", "signed in"
    SIGN_IN_FAILED = "sign_in_failed", "sign-in failed"
    SIGNED_OUT = "signed_out", "signed out"
    REFRESH_REUSED = "refresh_reused", "refresh token used twice"  # two parties hold it: one may have stolen it
    PASSWORD_CHANGED = "password_changed", "password changed"
    DISABLED = "disabled", "disabled"
    ENABLED = "enabled", "enabled"
    FROZEN = "frozen", "frozen"
    UNFROZEN = "unfrozen", "unfrozen"
    PERMISSIONS_CHANGED = "permissions_changed", "permissions changed"
    STAFF_AT_NEW_ADDRESS = "staff_at_new_address", "staff at a new address"
    EMAIL_VERIFIED = "email_verified", "e-mail address confirmed"
    EMAIL_CHANGED = "email_changed", "e-mail address changed"
    RESET_SENT = "reset_sent", "link for a new password sent by staff"
    SESSION_ENDED = "session_ended", "session ended by its owner"
    NEW_DEVICE = "new_device", "signed in on a new device"
    SECOND_FACTOR_ON = "second_factor_on", "second factor turned on"
    SECOND_FACTOR_OFF = "second_factor_off", "second factor turned off"
    RECOVERY_CODE_USED = "recovery_code_used", "recovery code used"
    OTP_FAILED = "otp_failed", "wrong one-time code"
    PAYEE_ADDED = "payee_added", "payee added"
    PAYEE_REMOVED = "payee_removed", "payee removed"


class SecurityRealm(models.TextChoices):
    """Where it happened: in the customers' API, in the staff's admin, or by a command on a server."""

    API = "api", "API"
    ADMIN = "admin", "admin"
    COMMAND = "command", "command"


class SecurityEvent(models.Model):
    """An entry of the security log. Append-only: the database refuses changes, and deletions before 30 days are over.

    `name_hash` stands for a username that no account has: people type passwords into the wrong field. The same name
    has the same hash, so a series of attempts can be recognised.
    """

    at = models.DateTimeField("time", db_default=Now())
    kind = models.CharField(max_length=32, choices=SecurityEventKind.choices)
    realm = models.CharField(max_length=16, choices=SecurityRealm.choices)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    actor = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    name_hash = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    network = models.CharField(max_length=64, blank=True)
    details = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = "entry of the security log"
        verbose_name_plural = "entries of the security log"
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=SecurityEventKind.values), name="kind_of_security_event_is_known"
            ),
            models.CheckConstraint(
                condition=Q(realm__in=SecurityRealm.values), name="realm_of_security_event_is_known"
            ),
            models.CheckConstraint(condition=Q(user=None) | Q(name_hash=""), name="name_of_an_account_is_not_hashed"),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="security_event_of_user", condition=~Q(user=None)),
            models.Index(fields=["actor", "-id"], name="security_event_by_actor", condition=~Q(actor=None)),
            models.Index(fields=["network", "-at"], name="security_event_of_network", condition=~Q(network="")),
            models.Index(fields=["address"], name="security_event_at_address", condition=~Q(address="")),
            models.Index(fields=["name_hash"], name="security_event_by_name", condition=~Q(name_hash="")),
            models.Index(fields=["at"], name="security_event_by_time"),
        ]

    def __str__(self) -> str:
        return f"entry {self.pk}: {self.get_kind_display()}"
