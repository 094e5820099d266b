"""Django's development server, which shows its error pages only to this machine and private networks.

It is Django's own and not that of staticfiles, because WhiteNoise serves the static files.
"""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands.runserver import Command as DevelopmentServer

from exchange_site.configuration.addresses import is_private


class Command(DevelopmentServer):
    addr: str

    def run(self, **options: Any) -> None:
        """Serve. Raises CommandError while DEBUG is on and the address is that of every network."""
        if settings.DEBUG and not is_private(self.addr):
            raise CommandError("DEBUG is on: name an address of this machine or a private network, or set DEBUG=False.")
        super().run(**options)
