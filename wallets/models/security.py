"""The security log: who signed in and out, from where, and who was given which power."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from wallets.models.accounts import User


class SecurityEventKind(models.TextChoices):
    """What happened to an account."""

    REGISTERED = "registered"
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    REFRESH_REUSED = "refresh_reused"  # a refresh token came back after it was replaced: two parties hold it
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  a kind, no password
    DISABLED = "disabled"
    ENABLED = "enabled"
    FROZEN = "frozen"
    UNFROZEN = "unfrozen"
    PERMISSIONS_CHANGED = "permissions_changed"
    STAFF_AT_NEW_ADDRESS = "staff_at_new_address"


class SecurityRealm(models.TextChoices):
    """Where it happened: in the customers' API, in the staff's admin, or by a command on a server."""

    API = "api"
    ADMIN = "admin"
    COMMAND = "command"


class SecurityEvent(models.Model):
    """An entry of the security log. Append-only: the database refuses changes, and deletions before 30 days are over.

    `name_hash` stands for a username that no account has: people type passwords into the wrong field. The same name
    has the same hash, so a series of attempts can be recognised.
    """

    at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=32, choices=SecurityEventKind.choices)
    realm = models.CharField(max_length=16, choices=SecurityRealm.choices)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    actor = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    name_hash = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    network = models.CharField(max_length=64, blank=True)
    details = models.JSONField(default=dict, blank=True)

    class Meta:
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
        return f"{self.kind} {self.pk}"
