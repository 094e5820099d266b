import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import CommandError, call_command
from django.db import DEFAULT_DB_ALIAS, connection
from psycopg.sql import SQL, Identifier

from exchange_site.database.baseline import write_baseline
from exchange_site.database.owner import OwnerCommand


class Command(OwnerCommand):
    help = (
        "Write exchange_site/database/baseline.sql: run all migrations in a database of its own, and dump its schema."
        " Needs pg_dump, of the server's version."
    )
    requires_system_checks = ()

    def handle(self, *_: Any, **__: Any) -> None:
        with _own_database():
            call_command("migrate", verbosity=1, without_baseline=True, stdout=self.stdout)
            number = write_baseline(dump=dump_schema(), using=DEFAULT_DB_ALIAS)
        self.stdout.write(f"The baseline has {number} migrations.")


def dump_schema() -> str:
    """Return what pg_dump says of the schema of this process' database. Raises CommandError."""
    given = connection.settings_dict
    address = ["--host", given["HOST"], "--port", str(given["PORT"]), "--username", given["USER"]]
    command = ["pg_dump", *address, "--schema-only", "--no-owner", given["NAME"]]
    environment = {**os.environ, "PGPASSWORD": given["PASSWORD"]}
    try:
        dumped = subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603  Postgres' own
    except FileNotFoundError:
        raise CommandError("There is no pg_dump on the PATH. It comes with Postgres' client programs.") from None
    except subprocess.CalledProcessError as error:
        raise CommandError(error.stderr.decode(errors="replace")) from error
    return dumped.stdout.decode()


@contextmanager
def _own_database() -> Iterator[None]:
    """Let this process use a new, empty database inside the `with` block, which is deleted at its end."""
    before, name = connection.settings_dict, f"baseline_{secrets.token_hex(4)}"
    _run(SQL("CREATE DATABASE {}").format(Identifier(name)))
    connection.close()
    connection.settings_dict = {**before, "NAME": name}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = before
        _run(SQL("DROP DATABASE {}").format(Identifier(name)))


def _run(statement: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
