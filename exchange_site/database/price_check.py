"""Refuse to start web and worker while a price rule would sell below what a purchase costs."""

import sys
from typing import Final

import psycopg
from django.conf import settings
from django.db import connection

from wallets.runtime.sql import load_statement

_REMEDY: Final = "Make a new rule in the admin, or correct EXCHANGE_TAKER_RATE."


def refuse_unfit_rules() -> None:
    """End the process with a sentence if the spread of a rule is below EXCHANGE_TAKER_RATE.

    Nothing happens if the database does not answer or has no tables yet: then nothing is sold.
    """
    # Not Django's connection: the parent of the API's processes has loaded no apps.
    arguments = connection.get_connection_params()
    for name in ("cursor_factory", "context"):
        arguments.pop(name, None)
    statement = load_statement("exchange_site.unfit_price_rules")
    try:
        with psycopg.connect(**arguments) as asked:
            row = asked.execute(statement, {"taker_rate": settings.VENUE.taker_rate}).fetchone()
    except psycopg.Error as error:
        sys.stderr.write(
            f"Whether the price rules cover the venue's commission is not known: {type(error).__name__}.\n"
        )
        return
    if row is not None:
        rule, coin, spread = row
        sys.exit(
            f"The spread of price rule {rule} ({coin}) is {spread.normalize():f}, below the venue's commission of"
            f" {settings.VENUE.taker_rate.normalize():f}: coins would be sold for less than they cost. {_REMEDY}"
        )
