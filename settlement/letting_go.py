"""Waiting for the network with nothing in hand."""

from django.db import connection


def let_go_of_the_database() -> None:
    """Close the connection while the venue is asked: its answer may take a minute."""
    assert not connection.in_atomic_block, "no transaction may wait for the network"
    connection.close()
