"""Second factors: one-time codes by time (RFC 6238), and codes for whoever has lost the device."""

from django.db import models
from django.db.models import Q

from wallets.models.accounts import User
from wallets.models.encrypted import EncryptedText


class SecondFactor(models.Model):
    """The secret that a customer's device makes one-time codes of. It is asked for once it is confirmed.

    `last_step` is the time step of the last code that was accepted: no code of this step or an earlier one works again.
    `failures` counts wrong codes since then; `failed_at` is the time of the last of them.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="second_factor")
    secret = EncryptedText()
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_step = models.PositiveBigIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(failures=0, failed_at=None) | Q(failures__gt=0, failed_at__isnull=False),
                name="failures_have_the_time_of_the_last",
            ),
        ]

    def __str__(self) -> str:
        return f"second factor of user {self.user_id}"


class RecoveryCode(models.Model):
    """The digest of a code that works once instead of a one-time code."""

    factor = models.ForeignKey(SecondFactor, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["factor", "digest"], name="recovery_codes_differ"),
            models.CheckConstraint(condition=Q(digest__regex="^[0-9a-f]{64}$"), name="a_recovery_code_is_hashed"),
        ]

    def __str__(self) -> str:
        return f"recovery code {self.pk}"
