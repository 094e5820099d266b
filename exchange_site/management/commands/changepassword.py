from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.db.models import F

from wallets.models import User


class Command(changepassword.Command):
    """Django's own, which also ends every token handed out before."""

    def handle(self, *args: Any, **options: Any) -> Any:
        done = super().handle(*args, **options)
        name = options["username"]
        User.objects.filter(username=name).update(token_version=F("token_version") + 1)
        return done
