"""Why a command of manage.py cannot use Postgres, in one sentence."""

import shlex
import sys

import psycopg
from django.conf import settings
from django.db import connection


def why_unreachable() -> str | None:
    """Return a sentence if no connection to Postgres can be opened now, and None if one can.

    The pool is closed first: its threads would go on to try, and to write about it after the sentence.
    """
    connection.close_pool()  # type: ignore[attr-defined]  # only Postgres' backend has a pool
    try:
        psycopg.connect(**connection.get_connection_params()).close()
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
    else:
        return None
    sentence = f"PostgreSQL, which POSTGRES_HOST or DATABASE_URL names, cannot be used: {reason}"
    if settings.DEBUG:
        same = f"python -m exchange_site.stack manage {shlex.join(sys.argv[1:])}"
        sentence += f"\nOn the data of `task dev`, whether that runs or not: {same}"
    return sentence
