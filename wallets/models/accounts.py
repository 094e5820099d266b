"""Users and their sign-ins."""

import uuid
from collections.abc import Collection
from typing import Any, ClassVar, Self

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractUser, Permission, UserManager
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Upper
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property

from wallets.runtime import clock
from wallets.runtime.hashing import hashing_slot
from wallets.usernames import LONGEST_KEY, accept_username, is_storable, key_of, skeleton_of


class UsernameKeyField(models.CharField):  # type: ignore[type-arg]  # of texts
    """A text computed from the username when a user is added or renamed; else it stays as it is.

    Null marks a user from the time before this field who shares the text with somebody: such users keep their names,
    can be saved, and sign in by their exact name.
    """

    def derive(self, username: str) -> str | None:
        """Return the field's value for a username."""
        return key_of(username)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: FBT001  Django's signature
        username = vars(model_instance).get("username")
        if username is not None and (add or username != getattr(model_instance, "stored_username", None)):
            setattr(model_instance, self.attname, self.derive(username))
        return super().pre_save(model_instance, add)


class UsernameSkeletonField(UsernameKeyField):
    """Like UsernameKeyField, for the text that look-alikes of a username have in common."""

    def derive(self, username: str) -> str | None:
        return skeleton_of(username)


class Users(UserManager["User"]):
    """Finds a user by any spelling of the username."""

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the user of this exact name, else the user whose name has the same key. Raises User.DoesNotExist."""
        found = self.spelt(username or "")
        for user in sorted(found, key=lambda user: user.username != username):
            return user
        raise self.model.DoesNotExist

    def spelt(self, username: str) -> models.QuerySet["User"]:
        """Return the users of a name in any spelling: one, or two where one of them is from before keys."""
        if not is_storable(username):
            return self.none()
        key = key_of(username)
        # Without a key, not `username_key=None`: that would find every user who has none.
        same_key = Q() if key is None else Q(username_key=key)
        return self.filter(Q(username=username) | same_key)


class User(AbstractUser):
    """A customer or a member of staff."""

    date_joined = models.DateTimeField("date joined", default=clock.now)
    # Incremented to make all earlier tokens of the user invalid. A trigger increments it with every change of
    # `password` or `is_active`, wherever the change comes from, and never lets it decrease.
    token_version = models.PositiveIntegerField(default=0)
    # Counts how often the same password was hashed anew; such a change of `password` revokes nothing.
    password_renewals = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    # The name of the user in tokens (RFC 7519, section 4.1.2). After a restore, row numbers are given again.
    subject = models.UUIDField(unique=True, default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    # The address that the user has proven to read. It is empty, or the same as `email`, unless a command changed that.
    verified_email = models.EmailField(blank=True, default="", db_default="", editable=False)
    # When the password, second factor, e-mail address or payees last changed: nothing is paid out for a while.
    credentials_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    username_key = UsernameKeyField(max_length=LONGEST_KEY, null=True, editable=False)
    username_skeleton = UsernameSkeletonField(max_length=LONGEST_KEY, null=True, editable=False)

    stored_username: str | None = None
    """The username in the database, as far as this object knows."""

    objects: ClassVar[Users] = Users()

    class Meta:
        permissions = [
            ("freeze_user", "Can freeze and unfreeze customers"),
            ("export_customer", "Can export everything that is held about a customer"),
        ]
        constraints = [
            models.UniqueConstraint(Lower("username"), name="usernames_differ_by_more_than_case"),
            # With a condition, because Postgres then locks a user whose key changes no more strictly than for other
            # changes: inserts that refer to the user go on.
            models.UniqueConstraint(
                fields=["username_key"],
                condition=Q(username_key__isnull=False),
                name="usernames_have_different_keys",
            ),
            models.UniqueConstraint(
                fields=["username_skeleton"],
                condition=Q(username_skeleton__isnull=False),
                name="usernames_do_not_look_alike",
            ),
            # A link for a new password would open both accounts, and one person would be two.
            models.UniqueConstraint(
                Lower("verified_email"),
                condition=Q(is_staff=True) & ~Q(verified_email=""),
                name="staff_have_different_addresses",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(username_key=None) | Q(username_skeleton=None),
                name="users_with_an_unclear_name",
            ),
            models.Index(Upper("email"), name="users_by_email"),
            models.Index(fields=["id"], condition=Q(is_staff=True) | Q(is_superuser=True), name="users_who_are_staff"),
        ]

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any) -> Self:
        user = super().from_db(db, field_names, values, **kwargs)
        user.stored_username = vars(user).get("username")
        return user

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """Return the form in which Django stores the name of a user that it adds. Raises UsernameNotAllowed."""
        return accept_username(username, for_staff=True)

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Say whether the user has a permission, such as `wallets.freeze_user`.

        Superusers see everything, and give powers. Whatever else somebody does takes a role, of superusers too.
        """
        if self.is_superuser and not _is_of_superusers(perm):
            return self.is_active and perm in self.given_permissions
        return super().has_perm(perm, obj)

    @cached_property
    def given_permissions(self) -> frozenset[str]:
        """The permissions that the user has by groups or of their own, and not as a superuser."""
        held = Permission.objects.filter(Q(group__user=self) | Q(user=self))
        return frozenset(f"{app}.{name}" for app, name in held.values_list("content_type__app_label", "codename"))

    @property
    def mail_address(self) -> str:
        """The address to which links for new passwords go: the proven one, or the only one that was ever given."""
        return self.verified_email or self.email

    def clean(self) -> None:
        """Normalise the email address. Django would also normalise the username: that renames users when saved."""
        self.email = User.objects.normalize_email(self.email)

    def check_password(self, raw_password: str | None) -> bool:
        """Say whether the password is right; a right one whose hash is outdated is hashed anew. Raises HashingBusy."""
        with hashing_slot():
            return check_password(raw_password, self.password, self._renew_hash)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Bind the admin's sessions to the version of tokens too: they end for good when the user is disabled."""
        bound = f"{super()._get_session_auth_hash(secret)}:{self.token_version}"  # type: ignore[misc]  # Django's
        return salted_hmac("wallets.session", bound, secret=secret, algorithm="sha256").hexdigest()

    def _renew_hash(self, raw_password: str) -> None:
        """Replace the hash unless the password was changed meanwhile: the old one must not come back."""
        renewed = make_password(raw_password)
        changed = {"password": renewed, "password_renewals": F("password_renewals") + 1}
        if User.objects.filter(pk=self.pk, password=self.password).update(**changed):
            self.password = renewed


def _is_of_superusers(perm: str) -> bool:
    """Say whether superusers have a permission without a role: to see, and to change people and groups."""
    app, _, name = perm.partition(".")
    return name.startswith("view_") or app == "auth" or perm in {"wallets.add_user", "wallets.change_user"}


class TokenFamily(models.Model):
    """One sign-in with its chain of refresh tokens; only the newest token is valid, and for a moment its predecessor.

    A later use of an older token shows that two parties hold it, so the family ends
    (RFC 9700, section 4.14.2, refresh token rotation).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    current_jti = models.CharField(max_length=64)
    # The token that was replaced last, and when: from both the current token can be made again.
    replaced_jti = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  null: none replaced yet
    replaced_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    address = models.CharField(max_length=64, blank=True, default="", db_default="")
    # What the device says that it is: the header User-Agent.
    device = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        verbose_name_plural = "token families"
        constraints = [
            models.CheckConstraint(
                condition=Q(replaced_jti=None, replaced_at=None)
                | Q(replaced_jti__isnull=False, replaced_at__isnull=False),
                name="a_replaced_token_has_its_time",
            ),
        ]

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
