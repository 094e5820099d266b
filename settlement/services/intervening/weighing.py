"""Weigh the figures that staff want to have booked."""

from decimal import Decimal

from django.conf import settings
from django.db.models import Sum

from settlement.exceptions import InterventionRefused
from settlement.figures import subtract
from settlement.gate import BeyondRequest, CannotBeTrue, highest_cost
from settlement.models import Attempt
from settlement.services.disbelieving import request_of, weigh_answer
from settlement.services.intervening.requests import Figures
from settlement.venues.protocol import Executed
from wallets.models import Transaction, TransactionKind


def why_not(attempt: Attempt, execution: Executed) -> str:
    """Say why the gate does not let figures pass, or nothing if it does."""
    try:
        weigh_answer(attempt=attempt, execution=execution)
    except CannotBeTrue as error:
        return str(error)
    return ""


def ensure_plausible(attempt: Attempt, stated: Figures) -> None:
    """Refuse figures beyond the limit order: more coins than ordered, or a higher price. Bookings are final."""
    assert attempt.quantity is not None
    assert attempt.limit_price is not None
    if stated.quantity > attempt.quantity or stated.commission >= stated.quantity:
        raise InterventionRefused(f"The attempt asked for {attempt.quantity:f}; commission must be below the quantity.")
    most: Decimal = stated.quantity * attempt.limit_price * (1 + settings.VENUE.taker_rate)
    if stated.cost > most:
        raise InterventionRefused(f"At the attempt's price bound, this quantity costs {most:f} at most.")


def ensure_beyond(*, attempt: Attempt, execution: Executed, held: Decimal | None) -> None:
    """Refuse to book an excess that neither the venue's trades nor its balance confirm. Raises InterventionRefused.

    The trades agree with the order's totals, else there would be no `execution`. `held` are the coins in the account,
    None if the venue did not say: they must be all coins that the ledger says were bought there, and this purchase's.
    """
    try:
        weigh_answer(attempt=attempt, execution=execution)
    except BeyondRequest:
        pass
    except CannotBeTrue as error:
        raise InterventionRefused(f"This cannot be booked: {error}.") from error
    else:
        raise InterventionRefused("The venue did what was asked for: look the purchase up again.")
    most = highest_cost(quantity=execution.quantity, limit_price=request_of(attempt).limit_price)
    if execution.figures.cost > most:
        raise InterventionRefused(f"Coins in the account prove no cost beyond the price bound, {most:f}.")
    if held is None:
        raise InterventionRefused("The venue did not say what the account holds.")
    needed = _sum_bought(coin=attempt.coin.name) + subtract(execution.quantity, execution.commission)
    if held < needed:
        raise InterventionRefused(
            f"The account holds {held:f} {attempt.coin}, less than {needed:f} with this purchase."
        )


def _sum_bought(*, coin: str) -> Decimal:
    bought = Transaction.objects.filter(kind=TransactionKind.FILL, asset=coin)
    return bought.aggregate(total=Sum("amount"))["total"] or Decimal(0)
