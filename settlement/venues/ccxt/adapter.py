"""Any venue that has a profile, over ccxt's client."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from settlement.figures import read_figure
from settlement.gate import CannotBeTrue, Figures
from settlement.told import printable
from settlement.venues.ccxt.account import read_balances, read_funds
from settlement.venues.ccxt.answers import ours_in, understand
from settlement.venues.ccxt.client import build_client, read_time
from settlement.venues.ccxt.errors import questions
from settlement.venues.ccxt.listing import list_orders
from settlement.venues.ccxt.markets import find_market, find_open_market, market_of, markets, named, read_rules
from settlement.venues.ccxt.prices import read_book, read_prices
from settlement.venues.ccxt.reading import Reading
from settlement.venues.ccxt.seeking import seek_order
from settlement.venues.ccxt.trades import list_figures
from settlement.venues.ccxt.wire import CcxtWire, NoReply, NothingSent
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.words import Call, Heard, Market, Reply
from settlement.venues.protocol import (
    AccountTerms,
    CoinNotListed,
    ListedPurchase,
    MarketRules,
    NoAsk,
    NotPlaced,
    OrderNotFound,
    PurchaseRequest,
    Trouble,
    Unknown,
    Untrue,
    UnusableRules,
    VenueAnswer,
    VenueAway,
    VenueConfig,
)
from settlement.venues.quotes import NoPrice, Quoted

_LONGEST_ID: Final = 64
_BELIEVED_SECONDS: Final = 10.0
"""The age up to which a list of markets that lacks a coin is believed where nothing is refunded."""

_UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """A call about a purchase that the venue has answered."""

    reply: Reply
    market: Market


class CcxtVenue:
    """`settlement.venues.protocol.Venue` over one ccxt client. Use each object in one thread only."""

    def __init__(self, *, profile: VenueProfile, config: VenueConfig) -> None:
        self.name = profile.name
        self.requests_expire = profile.requests_expire
        self._profile = profile
        self._client = build_client(profile=profile, config=config)
        self._wire = CcxtWire(self._client, profile=profile)
        self._reading = Reading(profile=profile, client=self._client, wire=self._wire)

    def read_rules(self, *, coin: str) -> MarketRules:
        return read_rules(self._client, coin=coin)

    def read_ask(self, *, coin: str) -> Decimal:
        symbol = find_open_market(self._client, coin=coin)["symbol"]
        with questions():
            ask = read_figure(self._client.fetch_ticker(symbol)["ask"])
        if not ask or ask < 0:
            raise NoAsk(f"no ask for {symbol}")
        return ask

    def read_prices(self, *, coins: list[str]) -> dict[str, Quoted | NoPrice]:
        return read_prices(
            self._client,
            coins=coins,
            quote_time=self._profile.quote_time,
            ask_books=not self._profile.tickers_have_books,
        )

    def read_book(self, *, coin: str) -> Quoted | NoPrice:
        return read_book(self._client, coin=coin)

    def read_funds(self) -> Decimal:
        return read_funds(self._reading)

    def read_time(self) -> datetime:
        return read_time(self._client)

    def read_terms(self, *, coin: str) -> AccountTerms:
        return self._profile.read_terms(self._wire, market=market_of(self._client, coin=coin))

    def buy(self, *, purchase: PurchaseRequest) -> VenueAnswer:
        sent = self._send(purchase, self._profile.call_for)
        if not isinstance(sent, _Sent):
            return sent
        if (failure := self._profile.find_failure(sent.reply)) is not None:
            if not self._profile.is_about(sent.reply, client_order_id=purchase.client_order_id):
                return Unknown(reason="an error that is not about our order")
            answer = self._profile.judge_refusal(sent.reply, failure)
            if self._profile.tells_new_rules(failure):
                markets.of(self._client).forget()  # the filter is new to us: the next attempt reloads the markets
            return answer
        return self._read_placed(sent.reply, market=sent.market, client_order_id=purchase.client_order_id)

    def rehearse(self, *, purchase: PurchaseRequest) -> VenueAnswer | None:
        if not self._profile.has_rehearsals:
            return None
        sent = self._send(purchase, self._profile.rehearsal_for)
        if not isinstance(sent, _Sent):
            return sent
        if (failure := self._profile.find_failure(sent.reply)) is not None:
            return self._profile.judge_refusal(sent.reply, failure)
        return None if self._profile.tells_rehearsal(sent.reply) else Unknown(reason="an answer that cannot be read")

    def look_up(self, *, coin: str, client_order_id: str) -> VenueAnswer:
        return self._look_up(coin=coin, client_order_id=client_order_id, venue_order_id="")

    def look_up_listed(self, *, coin: str, client_order_id: str, venue_order_id: str) -> VenueAnswer:
        return self._look_up(coin=coin, client_order_id=client_order_id, venue_order_id=venue_order_id)

    def find_in_lists(self, *, coin: str, client_order_id: str, since: datetime) -> VenueAnswer:
        try:
            market = market_of(self._client, coin=coin)
            order = seek_order(self._reading, market=market, client_order_id=client_order_id, since=since)
        except VenueAway as error:
            return Unknown(reason=f"lists: {error}"[:200], retry_after_seconds=error.retry_after_seconds)
        except Exception as error:  # noqa: BLE001  a list that cannot be read proves nothing
            return Unknown(reason=f"lists: {type(error).__name__}")
        if order is None:
            return OrderNotFound()
        return self._understand(order, market=market, client_order_id=client_order_id)

    def read_balances(self) -> dict[str, Decimal]:
        return read_balances(self._reading)

    def list_purchases(self, *, coin: str, since: datetime) -> list[ListedPurchase]:
        listed = find_market(self._client, coin=coin, at_most_seconds=_BELIEVED_SECONDS)
        market = named(listed, coin=coin, quote_asset=self._client.quote_asset)
        return list_orders(self._reading, market=market, since=since)

    def list_figures(
        self, *, coin: str, listed: list[ListedPurchase], since: datetime
    ) -> dict[str, Figures | None] | None:
        market = market_of(self._client, coin=coin)
        return list_figures(self._reading, market=market, listed=listed, since=since)

    def _send(self, purchase: PurchaseRequest, make_call: Callable[..., Call]) -> "_Sent | VenueAnswer":
        """Send a call about a purchase, once. Return the answer if there is no reply to read."""
        try:
            market = self._market_for(purchase)
            call = make_call(purchase, market=market)
        except Exception as error:  # noqa: BLE001  whatever it is, nothing has been sent
            return _not_sent(error)
        try:
            reply = self._wire.send(call, moment=purchase.signed_at)
        except NothingSent as error:
            return NotPlaced(reason=str(error), trouble=Trouble.COIN if error.is_of_network else Trouble.VENUE)
        except NoReply as error:
            return Unknown(reason=str(error), retry_after_seconds=error.retry_after_seconds)
        return _Sent(reply=reply, market=market)

    def _market_for(self, purchase: PurchaseRequest) -> Market:
        """Return the purchase's market. Raises CoinNotListed, UnusableRules, VenueAway: nothing has been sent."""
        if not self._profile.client_order_ids.fullmatch(purchase.client_order_id):
            raise UnusableRules(f"{self.name} takes no client order id like {purchase.client_order_id}")
        return market_of(self._client, coin=purchase.coin)

    def _read_placed(self, reply: Reply, *, market: Market, client_order_id: str) -> VenueAnswer:
        """Read a reply that is no error. A venue that tells only an id is asked for the order."""
        accepted = ""
        try:
            placed = self._profile.read_placed(reply, market=market, client_order_id=client_order_id)
            if isinstance(placed, str):
                accepted = printable(placed[:_LONGEST_ID])
                placed = self._fetch_placed(placed, market=market, client_order_id=client_order_id)
        except CannotBeTrue as error:
            return Untrue(reason=str(error), answer=reply.body if isinstance(reply.body, dict) else {})
        except VenueAway as error:
            wait = error.retry_after_seconds
            return Unknown(reason=f"placed: {error}"[:200], retry_after_seconds=wait, venue_order_id=accepted)
        except _UNREADABLE as error:
            return Unknown(reason=f"placed: {type(error).__name__}", venue_order_id=accepted)
        if placed is None:
            return Unknown(reason="an answer that is not about our order", venue_order_id=accepted)
        return self._understand(placed, market=market, client_order_id=client_order_id)

    def _fetch_placed(self, venue_order_id: str, *, market: Market, client_order_id: str) -> Heard | None:
        """Ask for the order of which the venue just told us the id. It need not repeat ours: it is our request's."""
        order = self._profile.fetch_order(self._wire, market=market, venue_order_id=venue_order_id)
        if order is None or order.told.venue_order_id != venue_order_id:
            return None
        if order.told.client_order_id is not None:
            return order
        return replace(order, told=replace(order.told, client_order_id=client_order_id))

    def _look_up(self, *, coin: str, client_order_id: str, venue_order_id: str) -> VenueAnswer:
        try:
            market = market_of(self._client, coin=coin)
            order = (
                self._profile.fetch_order(self._wire, market=market, venue_order_id=venue_order_id)
                if venue_order_id
                else self._profile.find_order(self._wire, market=market, client_order_id=client_order_id)
            )
        except VenueAway as error:
            return Unknown(reason=str(error)[:200], retry_after_seconds=error.retry_after_seconds)
        except CannotBeTrue as error:
            return Untrue(reason=str(error))
        except Exception as error:  # noqa: BLE001  a failed lookup proves nothing
            return Unknown(reason=type(error).__name__)
        if order is None:
            return OrderNotFound()
        return self._understand(order, market=market, client_order_id=client_order_id)

    def _understand(self, order: Heard, *, market: Market, client_order_id: str) -> VenueAnswer:
        return understand(
            order,
            ours=ours_in(market, client_order_id=client_order_id),
            list_trades=lambda: self._profile.list_trades_of(self._wire, market=market, order=order),
        )


def _not_sent(error: Exception) -> NotPlaced:
    """Return the answer about a purchase before which something else had to be asked, in vain."""
    wait = error.retry_after_seconds if isinstance(error, VenueAway) else None
    trouble = Trouble.COIN if wait is None else Trouble.CALLS
    is_ours = isinstance(error, CoinNotListed | UnusableRules | VenueAway)
    reason = str(error) if is_ours else type(error).__name__
    return NotPlaced(reason=f"nothing was sent: {reason}"[:200], trouble=trouble, retry_after_seconds=wait)
