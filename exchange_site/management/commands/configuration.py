from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from exchange_site.configuration.documents import render_example, render_page

PAGE = Path(settings.BASE_DIR) / "docs" / "configuration.md"
EXAMPLE = Path(settings.BASE_DIR) / "config.example.env"


class Command(BaseCommand):
    help = "Write config.example.env and the tables of docs/configuration.md from the typed groups of variables."

    def handle(self, *_: Any, **__: Any) -> None:
        PAGE.write_text(render_page(PAGE.read_text()))
        EXAMPLE.write_text(render_example())
        self.stdout.write(f"Wrote {PAGE} and {EXAMPLE}.")
