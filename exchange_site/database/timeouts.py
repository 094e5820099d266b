"""The timeouts of the application's role, in milliseconds.

They belong to the role because PgBouncer drops what a client asks for when it connects. The owner has none: migrations
may take long.
"""

from django.conf import settings


def list_timeouts() -> dict[str, int]:
    """Return Postgres' names of the timeouts, with their milliseconds."""
    return {
        "statement_timeout": settings.POSTGRES.statement_timeout_ms,
        "lock_timeout": settings.POSTGRES.lock_timeout_ms,
        "idle_in_transaction_session_timeout": settings.POSTGRES.idle_in_transaction_timeout_ms,
    }
