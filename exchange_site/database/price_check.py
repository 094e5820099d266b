"""Refuse to start web and worker while a coin with a market price could not be sold for what its purchase costs."""

import sys
from datetime import datetime
from decimal import Decimal
from typing import Final

import psycopg
from django.db import connection

from trading.price_terms import least_spread_rate
from wallets.runtime.sql import load_statement

_REMEDY: Final = "Make a new rule with `manage.py price_rule`"
_MOST_NAMED: Final = 5


def refuse_unfit_rules() -> None:
    """End the process with a sentence if a rule's spread does not cover the venues' commission, or if none is in force.

    Every coin with a market price needs one in force. Nothing happens if the database does not answer or has no tables
    yet: offers go by the same conditions, so that nothing is sold then.
    """
    # Not Django's connection: the parent of the API's processes has loaded no apps.
    arguments = connection.get_connection_params()
    for name in ("cursor_factory", "context"):
        arguments.pop(name, None)
    statement = load_statement("trading.unfit_price_rules")
    try:
        with psycopg.connect(**arguments) as asked:
            rows = asked.execute(statement, {"least": least_spread_rate(), "coin": None}).fetchall()
    except psycopg.Error as error:
        sys.stderr.write(
            f"Whether the price rules cover the venue's commission is not known: {type(error).__name__}.\n"
        )
        return
    if without := [coin for rule, coin, *_ in rows if rule is None]:
        sys.exit(f"No price rule is in force for the market price of {_name(without)}. {_REMEDY}.")
    if rows:
        sys.exit("\n".join(_describe(*row) for row in rows[:_MOST_NAMED]))


def _name(coins: list[str]) -> str:
    more = len(coins) - _MOST_NAMED
    return ", ".join(coins[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _describe(rule: int, coin: str, spread: Decimal, begins: datetime) -> str:
    least = least_spread_rate().normalize()
    return (
        f"The spread of price rule {rule} ({coin}, from {begins.isoformat()}) is {spread.normalize():f}, below"
        f" {least:f}, which covers the venues' commission: coins would be sold for less than they cost. {_REMEDY}"
        " (a rule to come is replaced by one from the same moment), or correct the EXCHANGE_TAKER_RATE or"
        " VENUE_<NAME>_TAKER_RATE."
    )
