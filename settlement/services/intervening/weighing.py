"""Weigh the figures that staff want to have booked."""

from dataclasses import replace
from decimal import Decimal

from django.db.models import Sum

from settlement.exceptions import InterventionRefused
from settlement.figures import add, subtract
from settlement.gate import BeyondRequest, CannotBeTrue, TooCheap, highest_cost
from settlement.models import Attempt
from settlement.selectors.balances import AssetBook, difference_of, read_asset_books
from settlement.services.disbelieving import request_of, weigh_answer
from settlement.services.intervening.requests import Figures
from settlement.services.intervening.seeing import AccountSeen
from settlement.told import digits
from settlement.venues.configured import quote_asset_of, taker_rate_of
from settlement.venues.protocol import Executed
from wallets.models import Transaction, TransactionKind


def why_not(attempt: Attempt, execution: Executed, *, is_stated: bool = False) -> str:
    """Say why the gate does not let figures pass, or nothing if it does. `is_stated`: staff have stated them."""
    try:
        weigh_answer(attempt=attempt, execution=execution, is_stated=is_stated)
    except TooCheap as error:
        return f"{error}; if the venue's own pages say so too, mark it as filled"
    except CannotBeTrue as error:
        return str(error)
    return ""


def ensure_plausible(attempt: Attempt, stated: Figures) -> None:
    """Refuse figures beyond the limit order: more coins than ordered, or a higher price. Bookings are final."""
    assert attempt.quantity is not None
    assert attempt.limit_price is not None
    if stated.quantity > attempt.quantity or stated.commission >= stated.quantity:
        raise InterventionRefused(
            f"The attempt asked for {digits(attempt.quantity)}; commission must be below the quantity."
        )
    most: Decimal = stated.quantity * attempt.limit_price * (1 + taker_rate_of(attempt.place))
    if stated.cost > most:
        raise InterventionRefused(f"At the attempt's price bound, this quantity costs {digits(most)} at most.")


def ensure_beyond(
    *, attempt: Attempt, execution: Executed, held: Decimal | None, account: AccountSeen | None = None
) -> None:
    """Refuse to book an excess that neither the venue's trades nor its balance confirm. Raises InterventionRefused.

    The trades agree with the order's totals, else there would be no `execution`. `held` are the coins in the account,
    None if the venue did not say: they must be all coins that our books say were bought there, and this purchase's. A
    cost beyond the price bound is confirmed by the quote asset in the account. The venue may also say that we asked for
    so much.
    """
    try:
        weigh_answer(attempt=attempt, execution=replace(execution, asked=None))
    except BeyondRequest:
        pass
    except CannotBeTrue as error:
        raise InterventionRefused(f"This cannot be booked: {error}.") from error
    else:
        raise InterventionRefused("The venue did what was asked for: look the purchase up again.")
    books = read_asset_books(venue=attempt.place, but=attempt)
    most = highest_cost(quantity=execution.quantity, limit_price=request_of(attempt).limit_price)
    if execution.figures.cost > most:
        _ensure_paid(books[quote_asset_of(attempt.place)], cost=execution.cost, most=most, account=account)
    if held is None:
        raise InterventionRefused("The venue did not say what the account holds.")
    needed = _sum_bought(books[attempt.coin.name]) + subtract(execution.quantity, execution.commission)
    if held < needed:
        raise InterventionRefused(
            f"The account holds {digits(held)} {attempt.coin}, less than {digits(needed)} with this purchase."
        )


def _ensure_paid(book: AssetBook, *, cost: Decimal, most: Decimal, account: AccountSeen | None) -> None:
    """Refuse unless the account holds exactly so much less of the quote asset as the purchase cost."""
    reason = f"Coins in the account prove no cost beyond the price bound, {digits(most)}"
    if book.expected is None:
        raise InterventionRefused(f"{reason}, and {book.asset} has no opening yet: book it under balance readings.")
    if account is None or account.funds is None:
        raise InterventionRefused(f"{reason}, and the venue did not say how much {book.asset} the account holds.")
    if book.was_busy(since=account.seen_at):
        raise InterventionRefused(f"{reason}, and another purchase is under way or in doubt. Try again afterwards.")
    if difference_of(book=book, amount=add([account.funds, cost])):
        would = subtract(book.expected, cost)
        raise InterventionRefused(
            f"{reason}: with a cost of {digits(cost)} the account would hold {digits(would)} {book.asset},"
            f" not {digits(account.funds)}."
        )


def _sum_bought(book: AssetBook) -> Decimal:
    """Return the coins that the account should hold; without an opening, all that the ledger says were bought."""
    if book.expected is not None:
        return book.expected
    bought = Transaction.objects.filter(kind=TransactionKind.FILL, asset=book.asset)
    return bought.aggregate(total=Sum("amount"))["total"] or Decimal(0)
