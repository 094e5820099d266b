"""Any venue that ccxt knows, chosen by EXCHANGE_ID."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any, Final

import ccxt

from settlement.gate import Figures
from settlement.venues.ccxt.account import read_balances, read_funds
from settlement.venues.ccxt.answers import read_decimal, understand
from settlement.venues.ccxt.client import build_client, ensure_clock, forget_clock, read_time, signed_at
from settlement.venues.ccxt.errors import judge_failure, questions, read_error
from settlement.venues.ccxt.listing import list_orders
from settlement.venues.ccxt.markets import find_market, find_open_market, markets, read_rules, symbol_of
from settlement.venues.ccxt.prices import read_book, read_prices
from settlement.venues.ccxt.seeking import seek_order
from settlement.venues.ccxt.trades import list_figures
from settlement.venues.configured import VenueConfig
from settlement.venues.profiles.profile import VenueProfile, judge_rate_limit
from settlement.venues.protocol import (
    ListedPurchase,
    MarketRules,
    NoAsk,
    NoPrice,
    OrderNotFound,
    PurchaseRequest,
    Quoted,
    Unknown,
    VenueAnswer,
    VenueAway,
)

_BELIEVED_SECONDS: Final = 10.0
"""The age up to which a list of markets that lacks a coin is believed where nothing is refunded."""

_MOST_TRADES: Final = 1000
"""The longest list of trades that Binance gives ("Account trade list", spot REST API documentation)."""


class CcxtVenue:
    """`settlement.venues.protocol.Venue` over one ccxt client. Use each object in one thread only."""

    def __init__(self, *, profile: VenueProfile, config: VenueConfig) -> None:
        self.name = config.id
        self.requests_expire = profile.requests_expire
        self._profile = profile
        self._client = build_client(config)

    def read_rules(self, *, coin: str) -> MarketRules:
        return read_rules(self._client, coin=coin)

    def read_ask(self, *, coin: str) -> Decimal:
        symbol = find_open_market(self._client, coin=coin)["symbol"]
        with questions():
            ask = read_decimal(self._client.fetch_ticker(symbol)["ask"])
        if not ask or ask < 0:
            raise NoAsk(f"no ask for {symbol}")
        return ask

    def read_prices(self, *, coins: list[str]) -> dict[str, Quoted | NoPrice]:
        return read_prices(self._client, coins=coins, quote_time=self._profile.quote_time)

    def read_book(self, *, coin: str) -> Quoted | NoPrice:
        return read_book(self._client, coin=coin)

    def read_funds(self) -> Decimal:
        return read_funds(self._client)

    def read_time(self) -> datetime:
        return read_time(self._client)

    def buy(self, *, purchase: PurchaseRequest) -> VenueAnswer:
        parameters: dict[str, Any] = {
            "timeInForce": "IOC",
            "clientOrderId": purchase.client_order_id,
            "client_order_id": purchase.client_order_id,  # ccxt's coinbase drops the usual name
        }
        if self.requests_expire:
            parameters["recvWindow"] = int(purchase.window.total_seconds() * 1000)
            del parameters["client_order_id"]
        try:
            with signed_at(self._client, purchase.signed_at), localcontext():
                order = self._client.create_order(
                    symbol_of(purchase.coin),
                    "limit",
                    "buy",
                    f"{purchase.quantity:f}",
                    f"{purchase.limit_price:f}",
                    parameters,
                )
        except Exception as error:  # noqa: BLE001  after any exception the order may have been placed
            answer = judge_failure(error, profile=self._profile)
            if self._profile.is_filter_failure(answer):
                markets.forget()  # the filter is new to us: the next attempt reloads the markets
            return answer
        return self._understand(order, coin=purchase.coin, client_order_id=purchase.client_order_id)

    def look_up(self, *, coin: str, client_order_id: str) -> VenueAnswer:
        names = {"clientOrderId": client_order_id, "origClientOrderId": client_order_id}
        try:
            ensure_clock(self._client)
            with localcontext():
                order = self._client.fetch_order(None, symbol_of(coin), names)
        except Exception as error:  # noqa: BLE001  a failed lookup proves nothing
            return self._judge_failed_lookup(error)
        return self._understand(order, coin=coin, client_order_id=client_order_id)

    def find_in_lists(self, *, coin: str, client_order_id: str, since: datetime) -> VenueAnswer:
        try:
            order = seek_order(
                self._client,
                symbol=symbol_of(coin),
                client_order_id=client_order_id,
                since=since,
                by_id=self._profile.lists_by_id,
            )
        except VenueAway as error:
            if error.__cause__ is not None:
                self._forget_clock_if_stale(error.__cause__)
            return Unknown(reason=f"lists: {error}"[:200], retry_after_seconds=error.retry_after_seconds)
        except Exception as error:  # noqa: BLE001  a list that cannot be read proves nothing
            return Unknown(reason=f"lists: {type(error).__name__}")
        if order is None:
            return OrderNotFound()
        return self._understand(order, coin=coin, client_order_id=client_order_id)

    def look_up_listed(self, *, coin: str, client_order_id: str, venue_order_id: str) -> VenueAnswer:
        try:
            ensure_clock(self._client)
            with localcontext():
                order = self._client.fetch_order(venue_order_id, symbol_of(coin))
        except Exception as error:  # noqa: BLE001  a failed lookup proves nothing
            return self._judge_failed_lookup(error)
        return self._understand(order, coin=coin, client_order_id=client_order_id)

    def read_balances(self) -> dict[str, Decimal]:
        return read_balances(self._client)

    def list_purchases(self, *, coin: str, since: datetime) -> list[ListedPurchase]:
        symbol = find_market(self._client, coin=coin, at_most_seconds=_BELIEVED_SECONDS)["symbol"]
        try:
            return list_orders(self._client, symbol=symbol, since=since, by_id=self._profile.lists_by_id)
        except VenueAway as error:
            if error.__cause__ is not None:
                self._forget_clock_if_stale(error.__cause__)
            raise

    def list_figures(
        self, *, coin: str, listed: list[ListedPurchase], since: datetime
    ) -> dict[str, Figures | None] | None:
        return list_figures(
            self._client, symbol=symbol_of(coin), listed=listed, since=since, by_id=self._profile.lists_by_id
        )

    def _judge_failed_lookup(self, error: Exception) -> VenueAnswer:
        if isinstance(error, VenueAway):  # the clock was asked for before the order
            return Unknown(reason=str(error)[:200], retry_after_seconds=error.retry_after_seconds)
        answer, expected = read_error(error), self._profile.order_not_found_code
        if isinstance(error, ccxt.OrderNotFound) and (expected is None or answer.code == expected):
            return OrderNotFound()
        self._forget_clock_if_stale(error)
        wait = judge_rate_limit(status=answer.status, headers=answer.headers)
        return Unknown(reason=f"{type(error).__name__} {answer.code} {answer.message}"[:200], retry_after_seconds=wait)

    def _forget_clock_if_stale(self, error: BaseException) -> None:
        if read_error(error).code == self._profile.stale_timestamp_code:
            forget_clock(self._client)

    def _understand(self, order: Any, *, coin: str, client_order_id: str) -> VenueAnswer:
        wait: float | None = None

        def list_trades(listed: dict[str, Any]) -> list[Any]:
            nonlocal wait
            try:
                trades: list[Any] = self._client.fetch_my_trades(
                    symbol_of(coin), None, _MOST_TRADES, {"orderId": listed["id"]}
                )
            except Exception as error:
                answer = read_error(error)
                wait = judge_rate_limit(status=answer.status, headers=answer.headers)
                raise
            return trades

        answer = understand(order, coin=coin, client_order_id=client_order_id, list_trades=list_trades)
        return replace(answer, retry_after_seconds=wait) if isinstance(answer, Unknown) and wait is not None else answer
