"""Seals texts about a customer with the customer's own key, so that they can be made unreadable for good."""

from collections.abc import Iterable, Sequence

from wallets.models import PersonalKey, StatementLine
from wallets.models.keys import key_of_texts, make_key
from wallets.runtime.encryption import encrypt_with
from wallets.selectors.sealed import MARK, NOBODY


def personal_keys(*, customer_ids: Iterable[int]) -> dict[int, str]:
    """Return the keys of customers by id, and make missing ones. A destroyed one is left out. Three queries."""
    wanted = set(customer_ids)
    there = set(PersonalKey.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    PersonalKey.objects.bulk_create(
        [PersonalKey(customer_id=each, key=make_key()) for each in sorted(wanted - there)], ignore_conflicts=True
    )
    return {row.pk: row.key for row in PersonalKey.objects.filter(pk__in=wanted, key__isnull=False)}


def seal_text(*, text: str, customer_id: int | None) -> str:
    """Return a text sealed with a customer's key, or with the installation's, for a row that never changes.

    It is empty if the customer's key was destroyed.
    """
    key = personal_keys(customer_ids=[customer_id]).get(customer_id) if customer_id else key_of_texts()
    return "" if key is None else f"{MARK}{customer_id or NOBODY}{MARK}{encrypt_with(key, text)}"


def seal_lines(*, lines: Sequence[StatementLine]) -> None:
    """Seal the counterparty and the text of lines, each with the key of its `customer_id`; they are not saved."""
    keys = personal_keys(customer_ids={line.customer_id for line in lines if line.customer_id})
    for line in lines:
        assert line.customer_id is not None, "a line is sealed for its customer"
        _seal(line, customer_id=line.customer_id, key=keys.get(line.customer_id))


def seal_lines_of(*, deposit_id: int, customer_id: int) -> None:
    """Seal the stored lines of a deposit that has got its customer."""
    lines = list(StatementLine.objects.filter(deposit_id=deposit_id))
    key = personal_keys(customer_ids=[customer_id]).get(customer_id) if lines else None
    for line in lines:
        _seal(line, customer_id=customer_id, key=key)
    StatementLine.objects.bulk_update(lines, ["counterparty", "text"])


def _seal(line: StatementLine, *, customer_id: int, key: str | None) -> None:
    for name in ("counterparty", "text"):
        text: str = getattr(line, name)
        if text and not text.startswith(MARK):
            sealed = "" if key is None else f"{MARK}{customer_id}{MARK}{encrypt_with(key, text)}"
            setattr(line, name, sealed)
