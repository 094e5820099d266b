"""Tells the money side whether payouts may have been forgotten: a restore loses those sent since the backup."""

from datetime import datetime

from settlement.models import DatabaseWatch
from settlement.services.recognising import is_recognised, put_in_doubt
from wallets.exceptions import ExportRefused


def read_statements_since() -> datetime | None:
    """Return the moment that a bank statement has to reach beyond before payouts are exported, if there is one.

    Raises ExportRefused while the database is in doubt, or sending is stopped.
    """
    if not DatabaseWatch.objects.filter(is_recognised()).exists():
        watch = put_in_doubt()  # makes the watch, where it is missing
        if watch.doubted_at is not None or watch.stopped_at is not None:
            raise ExportRefused(
                "The database may have forgotten payouts. See the to-do page: a worker asks the venue, or"
                " `manage.py after_restore` has to run first."
            )
    return DatabaseWatch.objects.values_list("statements_since", flat=True).first()
