"""Release the database connection before waiting for the network."""

from django.db import connection


def release_database_connection() -> None:
    """Close the database connection before a call to the venue, whose answer may take a minute."""
    assert not connection.in_atomic_block, "no database transaction may wait for the network"
    connection.close()
