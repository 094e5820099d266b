"""Ask a venue whether it would do what settlement needs, before customers find out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings

from settlement.clock import database_now
from settlement.connections import release_database_connection
from settlement.order_ids import CODE_LENGTH, make_client_order_id
from settlement.sizing import ensure_usable, just_above, quantity_to_buy
from settlement.told import digits
from settlement.venues.checking import ConfiguredVenue, list_venues
from settlement.venues.profiles.words import Declined
from settlement.venues.protocol import (
    AccountTerms,
    CoinNotListed,
    MarketRules,
    NotPlaced,
    PurchaseRequest,
    Refused,
    UnusableRules,
    Venue,
    VenueAway,
)
from settlement.venues.registry import get_venue, proves_that_calls_are_refused
from trading.models import Coin

_NO_INSTALLATION: Final = "0" * CODE_LENGTH
_MOST_OFFSET: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Check:
    """Something that was asked for: what was found, or the fault for which purchases would fail.

    `is_certain` is False if the venue gave no answer that proves anything.
    """

    subject: str
    found: str = ""
    fault: str = ""
    is_certain: bool = True


def list_coins_on_sale() -> list[str]:
    return list(Coin.objects.filter(is_sold=True).order_by("name").values_list("name", flat=True))


def check_account(*, configured: ConfiguredVenue, coins: list[str]) -> Check:
    """Compare the settings with the venue's terms for our account, in the first of `coins` that the venue lists."""
    release_database_connection()
    venue = get_venue(configured.name)
    for coin in coins:
        try:
            terms = venue.read_terms(coin=coin)
        except (CoinNotListed, UnusableRules):
            continue
        except VenueAway as error:
            return _unanswered("account", error, name=configured.name)
        return Check(subject="account", found=_in_words(terms), fault=_fault_of(terms, configured=configured))
    fault = f"{configured.name} lists no coin that is on sale." if coins else "no coin is on sale yet."
    return Check(subject="account", fault=fault, is_certain=False)


def check_venue(*, configured: ConfiguredVenue, coins: list[str]) -> Iterator[Check]:
    """Ask for all that a purchase of each coin needs. The last question about a coin is a purchase that is rehearsed.

    Nothing is bought. There is one Check for the clock, the account and the funds each, and one for each coin.
    """
    venue = get_venue(configured.name)
    yield _check_clock(venue)
    yield check_account(configured=configured, coins=coins)
    yield _check_funds(venue, configured=configured)
    for coin in coins:
        yield _check_coin(venue, coin=coin, configured=configured)


def _check_clock(venue: Venue) -> Check:
    before = database_now()
    release_database_connection()
    try:
        offset = venue.read_time() - before
    except VenueAway as error:
        return _unanswered("clock", error, name=venue.name)
    found = f"{round(offset.total_seconds() * 1000)} ms ahead of Postgres' clock"
    if abs(offset) > _MOST_OFFSET:
        return Check(subject="clock", fault=f"It is {found}: nothing is bought by such a clock.")
    return Check(subject="clock", found=found)


def _check_funds(venue: Venue, *, configured: ConfiguredVenue) -> Check:
    try:
        funds = venue.read_funds()
    except VenueAway as error:
        return _unanswered("funds", error, name=configured.name)
    found = f"{digits(funds)} {configured.config.quote_asset}"
    return Check(subject="funds", found=found, fault="" if funds else f"There is no {configured.config.quote_asset}.")


def _check_coin(venue: Venue, *, coin: str, configured: ConfiguredVenue) -> Check:
    try:
        rules = venue.read_rules(coin=coin)
        ensure_usable(rules)
        ask = venue.read_ask(coin=coin)
        purchase = _smallest_purchase(configured, coin=coin, rules=rules, ask=ask, signed_at=venue.read_time())
        answer = venue.rehearse(purchase=purchase)
    except CoinNotListed:
        return _not_listed(coin, configured=configured)
    except UnusableRules as error:
        return Check(subject=coin, fault=f"Its market cannot be used: {error}.")
    except VenueAway as error:
        return _unanswered(coin, error, name=configured.name)
    found = f"ask {digits(ask)}, step {digits(rules.quantity_step)}, minimum {digits(rules.notional_minimum)}"
    if isinstance(answer, NotPlaced | Refused):
        return Check(subject=coin, found=found, fault=f"A purchase would be refused: {answer.reason}.")
    return Check(subject=coin, found=found)


def _not_listed(coin: str, *, configured: ConfiguredVenue) -> Check:
    """Return a fault, unless another venue lists the coin: it is bought there."""
    others = [each.name for each in list_venues() if each.name != configured.name]
    if elsewhere := [name for name in others if _lists(get_venue(name), coin=coin)]:
        return Check(subject=coin, found=f"not listed; bought at {', '.join(elsewhere)}")
    return Check(subject=coin, fault=f"{configured.name} does not list it for {configured.config.quote_asset}.")


def _lists(venue: Venue, *, coin: str) -> bool:
    try:
        venue.read_rules(coin=coin)
    except (CoinNotListed, UnusableRules, VenueAway):
        return False
    return True


def _smallest_purchase(
    configured: ConfiguredVenue, *, coin: str, rules: MarketRules, ask: Decimal, signed_at: datetime
) -> PurchaseRequest:
    taker_rate = configured.config.taker_rate
    return PurchaseRequest(
        coin=coin,
        client_order_id=make_client_order_id(installation=_NO_INSTALLATION),
        quantity=quantity_to_buy(missing=rules.quantity_step, taker_rate=taker_rate, ask=ask, rules=rules),
        limit_price=just_above(ask=ask, slack=settings.SETTLEMENT.buy_slack, tick=rules.price_tick),
        signed_at=signed_at,
        window=settings.VENUE.recv_window,
    )


def _unanswered(subject: str, error: VenueAway, *, name: str) -> Check:
    is_certain = isinstance(error, Declined) and proves_that_calls_are_refused(name=name, failure=error.failure)
    verb = "refuses our calls" if is_certain else "does not answer"
    return Check(subject=subject, fault=f"{name} {verb}: {error}.", is_certain=is_certain)


def _fault_of(terms: AccountTerms, *, configured: ConfiguredVenue) -> str:
    name, prefix = configured.name, configured.prefix
    if terms.can_trade is False:
        return f"Our account at {name} may not trade."
    if terms.third_asset:
        return f"{name} takes commission in {terms.third_asset}, which is not booked: switch that off in its settings."
    rate = configured.config.taker_rate
    if terms.taker_rate is not None and terms.taker_rate > rate:
        return (
            f"{prefix}_TAKER_RATE is {digits(rate)}, and {name} takes {digits(terms.taker_rate)}: each purchase would"
            " bring too few coins."
        )
    return ""


def _in_words(terms: AccountTerms) -> str:
    may = {True: "may trade", False: "may not trade", None: "may trade, as far as the venue says"}[terms.can_trade]
    rate = "an unknown rate" if terms.taker_rate is None else f"a rate of {digits(terms.taker_rate)}"
    return f"{may}, at {rate}"
