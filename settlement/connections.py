"""Release the database connection before waiting for the network."""

from django.db import connection


def release_database_connection() -> None:
    """Close the connection while the venue is asked: its answer may take a minute."""
    assert not connection.in_atomic_block, "no transaction may wait for the network"
    connection.close()
