from typing import Any

from django.contrib.auth.management.commands import changepassword

from wallets.models import SecurityEventKind, User
from wallets.services.credentials import end_sessions
from wallets.services.security_log import record_event


class Command(changepassword.Command):
    """Django's own command, which here also ends all tokens issued before."""

    def handle(self, *args: Any, **options: Any) -> Any:
        done = super().handle(*args, **options)
        end_sessions(username=options["username"])
        record_event(SecurityEventKind.PASSWORD_CHANGED, user=User.objects.get_by_natural_key(options["username"]))
        return done
