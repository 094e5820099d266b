"""Send an attempt once, sized by the market's rules and signed with the time that its row records."""

from collections.abc import Mapping
from copy import copy
from datetime import timedelta
from decimal import Decimal

from django.conf import settings

from settlement import fence
from settlement.clock import venue_now
from settlement.connections import release_database_connection
from settlement.exceptions import AskBeyondPriceBound
from settlement.models import Attempt, AttemptState
from settlement.selectors.batches import Bought, sum_purchases
from settlement.services.batches import deliver_reserve
from settlement.services.choosing import Choice, GetVenue, Offer, choose
from settlement.services.funding import sum_affordable_orders
from settlement.services.price_bounds import refund_moved_orders
from settlement.services.recognising import ensure_may_send, is_recognised
from settlement.services.stock import ensure_within_bounds, needs_no_ask
from settlement.sizing import bound_of_order, highest_price, just_above, quantity_to_buy
from settlement.told import digits
from settlement.venues.configured import taker_rate_of
from settlement.venues.protocol import NoAsk, PurchaseRequest, UnusableRules, VenueAnswer
from trading.models import Coin
from trading.price_moves import Comparison
from trading.selectors.prices import agrees_with_suspect_price, last_price_of
from trading.services.settling import SettledOrders, sum_completed_orders
from wallets.runtime import failpoints


def choose_venue(*, attempt: Attempt, get_venue: GetVenue, database_is_known: bool) -> Choice:
    """Choose the venue for a new attempt, and move it there. Raises SendingStopped, AllPaused, NoOffer.

    `database_is_known` says that the database was the one we know when the attempt was read; the statement that records
    what is sent decides.
    """
    if not database_is_known:
        ensure_may_send()
    return choose(attempt=attempt, get_venue=get_venue, fits=lambda offer: _fits(attempt, offer))


def send(*, attempt: Attempt, choice: Choice) -> VenueAnswer | None:
    """Send a new attempt, and return the venue's answer. Return None if another run was first or no orders remain.

    Raises UnusableRules, NoAsk, TopUpTooDear, AskBeyondPriceBound and SendingStopped. Each of them means that nothing
    was sent.
    """
    offer = choice.offer
    still_open = _settle_without_buying(attempt, comparison=_compare(offer), may_refund=choice.is_complete)
    if still_open is None:
        return None
    _size(attempt, still_open=still_open, offer=offer)
    purchase = _commit_to_sending(attempt, offset=offer.offset, asks=choice.asks)
    if purchase is None:
        return None
    release_database_connection()
    failpoints.reach("attempt.sent")
    answer = offer.venue.buy(purchase=purchase)
    failpoints.reach("attempt.answered")
    return answer


def _fits(attempt: Attempt, offer: Offer) -> bool:
    """Say whether the attempt's orders could be bought as they are: none has moved, and the ask is within bounds."""
    still_open = sum_affordable_orders(attempt=attempt, comparison=_compare(offer))
    if not still_open.count or needs_no_ask(batch=attempt.batch, needed=still_open.amount):
        return True
    if still_open.moved:
        return False
    try:
        _ensure_plausible(offer.ask, coin=attempt.coin)
        if still_open.amount <= attempt.batch.reserved:
            ensure_within_bounds(batch=attempt.batch, ask=offer.ask)
        else:
            _size(copy(attempt), still_open=still_open, offer=offer)
    except (NoAsk, UnusableRules, AskBeyondPriceBound):
        return False
    return True


def _compare(offer: Offer) -> Comparison:
    return Comparison(ask=offer.ask, taker_rate=taker_rate_of(offer.venue.name))


def _settle_without_buying(attempt: Attempt, *, comparison: Comparison, may_refund: bool) -> SettledOrders | None:
    """Refund orders that have moved, or deliver the reserve if it suffices. Return what is to be bought, if anything.

    An order that cannot be refunded now is left aside, and the others are bought without it: while an earlier purchase
    is in doubt, or without `may_refund`, because a venue that was not asked may have a lower ask. Raises
    AskBeyondPriceBound if there are no others, and NoAsk for an ask that would refund orders and is not believed: it is
    far from the last price, and no three readings agree with it. Coins from inventory are not delivered at such an ask
    either, nor while an order's price is too low and still valid: then raises AskBeyondPriceBound.
    """
    ask = comparison.ask
    price: Decimal | None = None
    still_open = sum_affordable_orders(attempt=attempt, comparison=comparison)
    if still_open.moved and not needs_no_ask(batch=attempt.batch, needed=still_open.amount):
        if not agrees_with_suspect_price(coin=attempt.coin, ask=ask):
            _ensure_plausible(ask, coin=attempt.coin)
        if may_refund and not refund_moved_orders(attempt=attempt, comparison=comparison):
            return None
        price = ask
        still_open = sum_affordable_orders(attempt=attempt, comparison=comparison, price=price)
        if not still_open.count:
            raise AskBeyondPriceBound(f"an ask of {digits(ask)} is above the price bound of each order")
    if not still_open.count:
        return None
    if still_open.amount <= attempt.batch.reserved:
        if not needs_no_ask(batch=attempt.batch, needed=still_open.amount):
            _ensure_plausible(ask, coin=attempt.coin)
            if price is None:
                ensure_within_bounds(batch=attempt.batch, ask=ask)
        deliver_reserve(attempt=attempt, price=price)
        return None
    return still_open


def _size(attempt: Attempt, *, still_open: SettledOrders, offer: Offer) -> None:
    """Set the attempt's quantity, price limit and budget.

    Raises NoAsk, AskBeyondPriceBound, TopUpTooDear.
    """
    rules, ask, taker_rate = offer.rules, offer.ask, taker_rate_of(offer.venue.name)
    _ensure_plausible(ask, coin=attempt.coin)
    highest = _highest_of(still_open, tick=rules.price_tick)
    above = just_above(ask=ask, slack=settings.SETTLEMENT.buy_slack, tick=rules.price_tick)
    attempt.quantity = quantity_to_buy(
        missing=still_open.amount - attempt.batch.reserved,
        taker_rate=taker_rate,
        ask=ask,
        rules=rules,
    )
    fenced = _budget_of(attempt, still_open=still_open, taker_rate=taker_rate)
    limit = _keep_within_budget(attempt, fenced=fenced, highest=min(highest, above), ask=ask, tick=rules.price_tick)
    fence.ensure_within_limit(ask=ask, limit=limit, highest=highest, quantity=attempt.quantity)


def _highest_of(still_open: SettledOrders, *, tick: Decimal) -> Decimal:
    """Return the price bound of orders: of their average price, and of each one that has a market price."""
    highest = highest_price(
        charge=still_open.subtotal, amount=still_open.amount, max_loss=settings.SETTLEMENT.max_loss, tick=tick
    )
    if still_open.lowest_price is None:
        return highest
    max_loss = settings.SETTLEMENT.max_loss_of_an_order
    return min(highest, bound_of_order(price=still_open.lowest_price, max_loss=max_loss, tick=tick))


def _keep_within_budget(attempt: Attempt, *, fenced: Decimal, highest: Decimal, ask: Decimal, tick: Decimal) -> Decimal:
    """Set the attempt's budget to what was set aside of the account, or to `fenced` if that is too little.

    Return the price limit, which is set too. With more than was set aside, the account may turn out to be too small;
    then the venue refuses the purchase.
    """
    assert attempt.quantity is not None
    budget = fenced if attempt.budget is None else min(fenced, attempt.budget)
    limit = fence.fit_limit(highest=highest, quantity=attempt.quantity, budget=budget, tick=tick)
    if ask > limit:
        budget = fenced
        limit = fence.fit_limit(highest=highest, quantity=attempt.quantity, budget=budget, tick=tick)
    attempt.budget, attempt.limit_price = budget, limit
    return limit


def _ensure_plausible(ask: Decimal, *, coin: Coin) -> None:
    fence.ensure_plausible(
        ask=ask, last_price=last_price_of(coin=coin), deviation_limit=settings.PRICES.deviation_limit
    )


def _budget_of(attempt: Attempt, *, still_open: SettledOrders, taker_rate: Decimal) -> Decimal:
    """Return what the purchase may cost at most. Asks the database only if the batch has had an attempt before."""
    completed, bought = SettledOrders.of_none(), Bought()
    if attempt.number > 1:
        completed = sum_completed_orders(batch_id=attempt.batch.pk)
        bought = sum_purchases(batch_id=attempt.batch.pk)
    spent = fence.cost_so_far(
        cost=bought.cost,
        reserved=attempt.batch.reserved,
        completed=completed.amount,
        received=bought.received,
        paid=still_open.subtotal / still_open.amount,
    )
    allowance = fence.Allowance(
        max_loss=settings.SETTLEMENT.max_loss,
        taker_rate=taker_rate,
        top_up=settings.SETTLEMENT.max_top_up,
    )
    return fence.budget_of(charge=completed.subtotal + still_open.subtotal, spent=spent, allowance=allowance)


def _commit_to_sending(attempt: Attempt, *, offset: timedelta, asks: Mapping[str, Decimal]) -> PurchaseRequest | None:
    """Move the attempt from `new` to `sent`. Of several runs, exactly one gets the purchase; the others get None.

    Whoever changes the batch's orders before the send changes the attempt's `next_step_at` too. Then the purchase has
    been sized for other orders, and nobody gets it. Neither does a run that has chosen another venue than the row's.
    """
    window = settings.VENUE.recv_window
    signed_at = venue_now(offset=offset)
    unchanged = Attempt.objects.filter(
        pk=attempt.pk, state=AttemptState.NEW, next_step_at=attempt.next_step_at, venue=attempt.venue
    )
    moved = unchanged.filter(is_recognised()).update(
        state=AttemptState.SENT,
        quantity=attempt.quantity,
        limit_price=attempt.limit_price,
        budget=attempt.budget,
        asks={name: digits(ask) for name, ask in asks.items()},
        signed_at=signed_at,
        valid_until=signed_at + window,
        clock_offset=offset,
        next_step_at=signed_at - offset + window,
    )
    if not moved:
        ensure_may_send()
        return None
    attempt.valid_until, attempt.clock_offset = signed_at + window, offset
    assert attempt.quantity is not None
    assert attempt.limit_price is not None
    return PurchaseRequest(
        coin=attempt.coin.name,
        client_order_id=attempt.client_order_id,
        quantity=attempt.quantity,
        limit_price=attempt.limit_price,
        signed_at=signed_at,
        window=window,
    )
