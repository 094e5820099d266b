"""Writes everything that is held about a customer as JSON."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from django.contrib.admin.models import CHANGE, LogEntry
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from wallets.exceptions import ProposalRefused
from wallets.models import User
from wallets.runtime.clock import database_now
from wallets.selectors.held_data import NOT_SEARCHED, list_held_tables
from wallets.services.proposals import Kind, Payload, propose

MAY_EXPORT_CUSTOMERS: Final = "wallets.export_customer"


class ExportCustomerKind(Kind):
    """The export of everything that is held about a customer."""

    name = "export_customer"
    title = "Export of a customer's data"
    permissions = (MAY_EXPORT_CUSTOMERS,)
    only_lessens = True

    def payload_of(self, *, customer: User) -> dict[str, Any]:
        """Return the payload for an export about a customer."""
        return {"customer": customer.pk}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        customer = User.objects.get(pk=payload["customer"])
        if customer.is_staff or customer.is_superuser:
            raise ProposalRefused("This is a member of staff, and no customer.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        message = "Everything that is held about them was exported."
        record_for_staff(customer=User.objects.get(pk=payload["customer"]), by=asked_by, message=message)
        return "It is being written."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        return "", f"{User.objects.get(pk=payload['customer'])}: everything that is held about them"


EXPORT_CUSTOMER: Final = ExportCustomerKind()


def export_customer(
    *, customer: User, by: User, reason: str, tell: Callable[[int, int], object] = lambda *_: None
) -> Iterator[str]:
    """Yield the pieces of a JSON document with every row about a customer, table by table, and record who asked.

    `tell` is called with the rows done and their number. The record comes first, so that there is no export without it.
    Raises ProposalRefused if the person may not, or for a member of staff.
    """
    payload = EXPORT_CUSTOMER.payload_of(customer=customer)
    propose(kind=EXPORT_CUSTOMER.name, payload=payload, reason=reason, asked_by=by)
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
