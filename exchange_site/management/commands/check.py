from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.check import Command as DjangoCheck

from settlement.checks import VENUE_TAG, find_faults_of_venues


class Command(DjangoCheck):
    """Django's `check`. With `--tag venue` it also asks the venues, which the other checks never do."""

    def handle(self, *app_labels: Any, **options: Any) -> None:
        super().handle(*app_labels, **options)
        if VENUE_TAG in (options["tags"] or []) and not options["list_tags"] and (faults := find_faults_of_venues()):
            raise CommandError("\n".join(faults))
