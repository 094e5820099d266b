import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.core.management.base import CommandError

from wallets.models import SecurityEventKind, User
from wallets.services.security_log import record_event


class Command(changepassword.Command):
    """Django's own command, for staff alone, which also records the new password in the security log."""

    def handle(self, *args: Any, **options: Any) -> Any:
        options["username"] = options["username"] or getpass.getuser()  # Django's default
        for user in User.objects.spelt(options["username"]):
            if not user.is_staff:
                raise CommandError("This is a customer, who chooses a new password by a link: send it in the admin.")
        done = super().handle(*args, **options)
        record_event(SecurityEventKind.PASSWORD_CHANGED, user=User.objects.get_by_natural_key(options["username"]))
        return done
