from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand
from django.urls import URLPattern, URLResolver, get_resolver


class Command(BaseCommand):
    help = "List every path of the project. The admin's paths are listed only with --all."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--all", action="store_true", help="list the admin's paths too")

    def handle(self, *_: Any, **options: Any) -> None:
        for path in _paths(get_resolver().url_patterns):
            if options["all"] or not path.startswith("/admin/") or path == "/admin/":
                self.stdout.write(path)


def _paths(patterns: list[URLPattern | URLResolver], prefix: str = "/") -> Iterator[str]:
    for entry in patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _paths(entry.url_patterns, path)
        else:
            yield path
