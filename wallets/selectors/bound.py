"""Dollars of a customer that are bound in orders. The money side knows no orders: the shop registers how to sum up."""

from typing import Final

_statements: Final[list[str]] = []


def register_statement(name: str) -> None:
    """Let the statement `name` sum up the US dollars that the open orders of `customer.id` have been charged.

    It becomes part of another statement (wallets.runtime.sql). Each process registers one.
    """
    _statements.append(name)


def bound_statement() -> str:
    """Return the name of the statement that was registered."""
    [name] = _statements
    return name
