"""Users and their sign-ins."""

import uuid

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower

from wallets.runtime import clock
from wallets.runtime.hashing import hashing_slot


class User(AbstractUser):
    """A customer or a member of staff."""

    date_joined = models.DateTimeField("date joined", default=clock.now)
    # Incremented to make all earlier tokens of the user invalid.
    token_version = models.PositiveIntegerField(default=0)

    class Meta:
        permissions = [("freeze_user", "Can freeze and unfreeze customers")]
        constraints = [
            models.UniqueConstraint(Lower("username"), name="usernames_differ_by_more_than_case"),
        ]

    def check_password(self, raw_password: str | None) -> bool:
        """Say whether the password is right; a right one whose hash is outdated is hashed anew. Raises HashingBusy."""
        with hashing_slot():
            return check_password(raw_password, self.password, self._renew_hash)

    def _renew_hash(self, raw_password: str) -> None:
        """Replace the hash unless the password was changed meanwhile: the old one must not come back."""
        renewed = make_password(raw_password)
        if User.objects.filter(pk=self.pk, password=self.password).update(password=renewed):
            self.password = renewed


class TokenFamily(models.Model):
    """One sign-in with its chain of refresh tokens; only the newest token is valid.

    A second use of an older token shows that two parties hold it, so the family ends
    (RFC 9700, section 4.14.2, refresh token rotation).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    current_jti = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "token families"

    def __str__(self) -> str:
        return str(self.id)


class KnownAddress(models.Model):
    """An address where an account has signed in: an IPv4 address, or an IPv6 /64 network."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="known_addresses", db_index=False)
    address = models.CharField(max_length=64)
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "known addresses"
        constraints = [
            models.UniqueConstraint(fields=["user", "address"], name="one_row_per_user_and_address"),
        ]

    def __str__(self) -> str:
        return self.address
