"""What a payload holds of a state that can be left and come back, so that an approval of before is refused then."""

from typing import Any

from wallets.exceptions import ProposalRefused
from wallets.models import Deposit, Payout, Receivable, Transaction
from wallets.services.proposals import Payload, count_done


def pins_of_deposit(deposit: Deposit) -> dict[str, Any]:
    """Return when staff have decided about a deposit last: a correction makes it one of nobody again."""
    return {"decided": deposit.decided_at.isoformat() if deposit.decided_at else None}


def pins_of_payout(*, payout_id: int) -> dict[str, Any]:
    """Return how many movements a payout has had: one that came back, and was paid after all, may come back again."""
    begin = f"{Payout(pk=payout_id).reference}:"
    return {"moves": Transaction.objects.filter(reference__startswith=begin).count()}


def pins_of_return(*, return_id: int) -> dict[str, Any]:
    """Return how often a return was put aside: it is on the to-do page again when its deposit comes."""
    return {"done": count_done(kind="put_aside", **{"return": return_id})}


def pins_of_debt(*, kind: str, customer_id: int) -> dict[str, Any]:
    """Return since when a customer owes, and how often a deed of the kind was done: a new debt may be as large."""
    since = Receivable.objects.filter(customer_id=customer_id, amount__gt=0).values_list("since", flat=True).first()
    return {"since": since.isoformat() if since else None, "done": count_done(kind=kind, customer=customer_id)}


def ensure_pinned(payload: Payload, pins: Payload, *, about: object) -> None:
    """Raise ProposalRefused if a state was left since somebody asked, although it looks as it did then."""
    if pins != {name: payload.get(name) for name in pins}:
        raise ProposalRefused(f"Something has happened to {about} meanwhile. Look at it, and ask again.")
