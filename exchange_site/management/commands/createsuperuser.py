from typing import Any

from django.conf import settings
from django.contrib.auth.management.commands import createsuperuser
from django.core.management.base import CommandError

from wallets.models import User
from wallets.services.security_log import NO_POWERS, record_power_changes


class Command(createsuperuser.Command):
    """Django's own command, which here also records the new powers in the security log.

    Where powers need two persons, as in production, it is refused.
    """

    def handle(self, *args: Any, **options: Any) -> Any:
        if settings.PROPOSALS.needs_two(kind="powers", amount=None):
            raise CommandError(
                "Here nobody makes a superuser alone. Use bootstrap_staff for the first two, and the admin after that."
            )
        known = set(User.objects.filter(is_superuser=True).values_list("pk", flat=True))
        done = super().handle(*args, **options)
        for user in User.objects.filter(is_superuser=True).exclude(pk__in=known):
            record_power_changes(user=user, before=NO_POWERS)
        return done
