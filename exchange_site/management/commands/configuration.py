from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from exchange_site.configuration.documents import render_example, render_page

PAGE = Path(settings.BASE_DIR) / "docs" / "configuration.md"
EXAMPLE = Path(settings.BASE_DIR) / "config.example.env"


class Command(BaseCommand):
    help = "Write config.example.env and the tables of docs/configuration.md from the typed groups of variables."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing, and fail if a file is not current")

    def handle(self, *_: Any, check: bool, **__: Any) -> None:
        if check:
            for file, text in ((PAGE, render_page(PAGE.read_text())), (EXAMPLE, render_example())):
                if file.read_text() != text:
                    raise CommandError(f"{file.name} is not current: task docs")
            return
        PAGE.write_text(render_page(PAGE.read_text()))
        EXAMPLE.write_text(render_example())
        self.stdout.write(f"Wrote {PAGE} and {EXAMPLE}.")
