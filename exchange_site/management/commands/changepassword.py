from typing import Any

from django.contrib.auth.management.commands import changepassword

from wallets.services.credentials import end_sessions


class Command(changepassword.Command):
    """Django's own command, which here also ends all tokens issued before."""

    def handle(self, *args: Any, **options: Any) -> Any:
        done = super().handle(*args, **options)
        end_sessions(username=options["username"])
        return done
