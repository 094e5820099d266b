"""Writes everything that is held about a customer as JSON."""

import json
from collections.abc import Callable, Iterator

from django.contrib.admin.models import CHANGE, LogEntry
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from wallets.models import User
from wallets.runtime.clock import database_now
from wallets.selectors.held_data import NOT_SEARCHED, list_held_tables


def export_customer(*, customer: User, by: User, tell: Callable[[int, int], object] = lambda *_: None) -> Iterator[str]:
    """Yield the pieces of a JSON document with every row about a customer, table by table, and record who asked.

    `tell` is called with the rows done and their number. The record comes first, so that there is no export without it.
    """
    record_for_staff(customer=customer, by=by, message="Everything that is held about them was exported.")
    tables = list_held_tables(user=customer)
    total, done = sum(table.count() for table in tables), 0
    head = {"customer": customer.pk, "exported_at": database_now(), "exported_by": by.pk, "not_searched": NOT_SEARCHED}
    yield f'{_to_json(head)[:-1]}, "tables": {{'
    between = "\n"
    for table in tables:
        yield f"{between}{json.dumps(table.name)}: ["
        separator = "\n"
        for row in table.read():
            yield separator + _to_json(row)
            separator, done = ",\n", done + 1
            tell(done, total)
        yield "]"
        between = ",\n"
    yield "}}\n"


@transaction.atomic
def record_for_staff(*, customer: User, by: User, message: str) -> None:
    """Add to the history that the admin shows of a customer what a member of staff has done by a command."""
    LogEntry.objects.log_actions(
        user_id=by.pk, queryset=[customer], action_flag=CHANGE, change_message=message, single_object=True
    )


def _to_json(value: object) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
