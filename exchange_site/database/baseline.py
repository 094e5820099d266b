"""The baseline: the schema after many migrations as one file, with which `migrate` begins in an empty database.

To run each migration takes Django most of a minute, nearly all of it for models in between that nobody sees. The
baseline takes a second. Migrations that are newer run after it, so it is never wrong, only more or less complete.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.apps import apps
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

_FILE: Final = Path(__file__).with_name("baseline.sql")
_APPLIED: Final = re.compile(r"^-- applied: (\w+)\.(\w+)$", re.MULTILINE)
# Lines of pg_dump about its own session and for people's eyes: settings, comments, psql's commands. The command
# database_roles gives privileges to roles; what migrations take from PUBLIC is a part of the schema.
_NOISE: Final = re.compile(
    r"^(SET |SELECT pg_catalog\.set_config|--|\\|ALTER DEFAULT PRIVILEGES |(GRANT|REVOKE) (?!.* (FROM|TO) PUBLIC;$))"
)
_SCHEMA: Final = "public"


def load_baseline(*, using: str) -> int:
    """Make the tables of the baseline in the empty database `using`, and record its migrations as applied.

    Returns their number: 0 if the database is not empty, or if the baseline has a migration that the project has not.
    The caller sees to it that no other process does the same (`exchange_site.database.alone`).
    """
    script = _FILE.read_text()
    applied = _APPLIED.findall(script)
    if not set(applied) <= set(MigrationLoader(None).disk_migrations):
        return 0
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        if not _is_empty(cursor):
            return 0
        cursor.execute("SELECT set_config('search_path', '', true), set_config('check_function_bodies', 'off', true)")
        cursor.execute(script)
        cursor.execute(f"SELECT set_config('search_path', '{_SCHEMA}', true)")
        recorder = MigrationRecorder(connections[using])
        recorder.migration_qs.bulk_create(recorder.Migration(app=app, name=name) for app, name in applied)
    return len(applied)


def write_baseline(*, dump: str, using: str) -> int:
    """Write the baseline from pg_dump's output for a database with all migrations, and return their number."""
    applied = [key for key in MigrationRecorder(connections[using]).applied_migrations() if key[0] in _labels()]
    lines = [f"-- applied: {app}.{name}" for app, name in applied]
    _FILE.write_text("\n".join((*lines, *_statements(dump))) + "\n")
    return len(applied)


def _labels() -> set[str]:
    return {config.label for config in apps.get_app_configs()}


def _is_empty(cursor: CursorWrapper) -> bool:
    """Say whether the session's schema is Postgres' own default, and has neither a table nor a function nor a type.

    There may be no such schema, and migrations may have run in another one of the search path.
    """
    cursor.execute(
        "SELECT current_schema()::text IS NOT DISTINCT FROM %(schema)s AND to_regclass('django_migrations') IS NULL"
        " AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace(%(schema)s))"
        " AND NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = to_regnamespace(%(schema)s))"
        " AND NOT EXISTS (SELECT FROM pg_type WHERE typnamespace = to_regnamespace(%(schema)s))",
        {"schema": _SCHEMA},
    )
    return bool(cursor.fetchone()[0])


def _statements(dump: str) -> Iterator[str]:
    """Yield the lines of the statements, and of the functions' bodies as they are."""
    in_body = False
    for line in dump.splitlines():
        quotes = len(re.findall(r"\$\w*\$", line))
        if in_body or (line and not _NOISE.match(line)):
            yield line
        in_body ^= quotes % 2 == 1
