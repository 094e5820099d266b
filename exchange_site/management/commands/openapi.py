import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from exchange_site.api import api

COPY = Path(settings.BASE_DIR) / "docs" / "openapi.json"


class Command(BaseCommand):
    help = "Write the OpenAPI document to docs/openapi.json, the copy that is reviewed with the code."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing, and fail if the copy is not current")

    def handle(self, *_: Any, check: bool, **__: Any) -> None:
        if check:
            if COPY.read_text() != render():
                raise CommandError(f"{COPY.name} is not current: task docs")
            return
        COPY.write_text(render())
        self.stdout.write(f"Wrote {COPY}.")


def render() -> str:
    """Return the published document as sorted, indented JSON, so that a diff shows each change."""
    return json.dumps(api.get_openapi_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
