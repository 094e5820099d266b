"""Sign-in with a username and password, for the API and the admin."""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from exchange_site.seeding.published import ADMIN_PASSWORD, ADMIN_USERNAME
from wallets.models import User


class RefusePublishedPassword(ModelBackend):
    """Django's own check, but in production no staff sign in with the seeded password, whatever their name."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Return the user if the password is theirs, else None. The work is the same for every refusal."""
        user = super().authenticate(request, username=username, password=password, **kwargs)
        assert user is None or isinstance(user, User)
        may_be_seeded = user is not None and (user.is_staff or user.username == ADMIN_USERNAME)
        is_published = may_be_seeded and password == ADMIN_PASSWORD
        return None if is_published and not settings.DEBUG else user
