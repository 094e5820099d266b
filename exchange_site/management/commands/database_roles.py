from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, ProgrammingError

from exchange_site.database.owner import OwnerCommand, has_owner
from exchange_site.database.roles import RoleRefused, set_timeouts, set_up_application_role


class Command(OwnerCommand):
    help = (
        "Make the role of web and worker in Postgres, and bring its password, timeouts and privileges up to date."
        " Runs as POSTGRES_OWNER_USER; without one, the role only gets its timeouts. Safe to run again."
    )
    requires_system_checks = ()

    def handle(self, *_: Any, **options: Any) -> None:
        database = settings.DATABASES[DEFAULT_DB_ALIAS]
        role, password = str(database["USER"]), str(database["PASSWORD"])
        try:
            if has_owner():
                changes = set_up_application_role(name=role, password=password)
            else:
                changes = list(set_timeouts(name=role))
        except (RoleRefused, ProgrammingError) as error:
            raise CommandError(str(error)) from error
        for change in changes if options["verbosity"] > 1 else ():
            self.stdout.write(change)
        if options["verbosity"]:
            self.stdout.write(f"The role {role} is up to date: {len(changes)} changes.")
