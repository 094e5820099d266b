import getpass
from typing import Any

from django.conf import settings
from django.contrib.auth.management.commands import changepassword
from django.core.management.base import CommandError

from exchange_site.seeding.published import is_published
from wallets.models import SecurityEventKind, User
from wallets.services.security_log import record_event


class Command(changepassword.Command):
    """Django's own command, for staff alone, which also records the new password in the security log.

    Where powers need two persons, as in production, nobody chooses another one's password: only that of the
    development data, which is public, is replaced.
    """

    def handle(self, *args: Any, **options: Any) -> Any:
        options["username"] = options["username"] or getpass.getuser()  # Django's default
        for user in User.objects.spelt(options["username"]):
            if not user.is_staff:
                raise CommandError("This is a customer, who chooses a new password by a link: send it in the admin.")
            if settings.PROPOSALS.needs_two(kind="powers", amount=None) and not is_published(user):
                raise CommandError("Here staff choose their passwords by a link: send it in the admin.")
        done = super().handle(*args, **options)
        record_event(SecurityEventKind.PASSWORD_CHANGED, user=User.objects.get_by_natural_key(options["username"]))
        return done
