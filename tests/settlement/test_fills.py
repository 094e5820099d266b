"""Fills in the ledger, from Binance's own answers over a fake wire: only ours, all of them, each once, rounded once."""

import time
from decimal import Decimal

import pytest
import requests
from django.conf import settings

from settlement.figures import round_cost
from settlement.models import Attempt, Finding
from settlement.services.stepping import take_next_step
from settlement.venues.ccxt.adapter import CcxtVenue
from settlement.venues.ccxt.markets import markets
from settlement.venues.registry import find_profile
from tests.configure import configure
from tests.settlement.conformance.dialects.binance import LISTED, fill, trade
from tests.settlement.conformance.harness import FakeReply, FakeWire
from tests.settlement.conftest import attempts, states
from trading.models import Order
from wallets.models import Wallet, WalletRole

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance", "coin")]

ABAN = {**LISTED, "symbol": "ABANUSDT", "baseAsset": "ABAN"}
ABAN["filters"] = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.0001", "maxPrice": "1000000", "tickSize": "0.0001"},
    {"filterType": "LOT_SIZE", "minQty": "0.000001", "maxQty": "9000.00", "stepSize": "0.000001"},
]
TICKER = {"symbol": "ABANUSDT", "bidPrice": "4.00", "askPrice": "4.00", "lastPrice": "4.00"}


class Venue:
    """A venue that fills each purchase at 4.00, in trades that `split` makes, and says so as it is told."""

    def __init__(self, split, *, is_lost=False, pages=None):
        self.split, self.is_lost, self.pages = split, is_lost, pages
        self.asked = {}
        self.wire = FakeWire(
            [
                self.get("exchangeInfo", {"symbols": [ABAN]}),
                self.get("time", lambda _: {"serverTime": int(time.time() * 1000)}),
                self.get("ticker/24hr", TICKER),
                self.get("ticker/bookTicker", TICKER),
                FakeReply(method="POST", path="/api/v3/order", body=self.place, again=True),
                self.get("order", lambda _: self.order()),
                self.get("myTrades", self.trades),
            ]
        )
        markets.forget()
        configure(settings, "VENUE", url="", api_key="our-key", api_secret="our-secret")
        self.adapter = CcxtVenue(profile=find_profile("binance"), config=settings.VENUE)
        self.adapter._client.enableRateLimit = False
        self.adapter._client.session.mount("https://", self.wire)

    def get(self, path, body):
        return FakeReply(method="GET", path=f"/api/v3/{path}", body=body, again=True)

    def place(self, sent):
        self.asked = sent.parameters
        if self.is_lost:
            raise requests.ReadTimeout
        fills = [fill(number, quantity, "4", fee, asset) for number, quantity, fee, asset in self.bought()]
        return {**self.order(), "fills": fills}

    def bought(self):
        return self.split(Decimal(self.asked["quantity"]))

    def order(self):
        executed = sum(Decimal(quantity) for _, quantity, _, _ in self.bought())
        return {
            "symbol": "ABANUSDT",
            "orderId": 28,
            "clientOrderId": self.asked["newClientOrderId"],
            "price": self.asked["price"],
            "origQty": self.asked["quantity"],
            "executedQty": f"{executed:f}",
            "cummulativeQuoteQty": f"{executed * 4:f}",
            "status": "FILLED" if executed == Decimal(self.asked["quantity"]) else "EXPIRED",
            "side": "BUY",
        }

    def trades(self, sent):
        rows = [
            trade(number, quantity, "4", fee, asset, symbol="ABANUSDT")
            for number, quantity, fee, asset in self.bought()
        ]
        return self.pages(rows, int(sent.parameters.get("fromId", 0))) if self.pages else rows


def whole(quantity):
    return [(1, f"{quantity:f}", f"{quantity * Decimal('0.001'):f}", "ABAN")]


@pytest.fixture
def step(claim):
    batches = []

    def run(venue):
        batches or batches.append(claim())
        Attempt.objects.update(next_step_at="2000-01-01T00:00Z")
        take_next_step(batch_id=batches[0].pk, get_venue=lambda _: venue.adapter)

    return run


def received():
    """Return what customers and the house have of the coin."""
    inventory = Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN").balance
    delivered = sum(Order.objects.filter(state="completed").values_list("amount", flat=True), Decimal(0))
    return delivered + inventory


class TestAFill:
    def test_with_nine_decimals_is_rounded_once(self, place, step):
        """Ours are the coins rounded down, less the commission rounded up: never more than the account has."""
        place("60.00")
        step(Venue(lambda quantity: [(1, f"{quantity:f}", f"{quantity * Decimal('0.0009294837'):f}", "ABAN")]))
        [attempt] = attempts()
        assert attempt.commission.as_tuple().exponent == -8
        exact = attempt.quantity * Decimal("0.0009294837")
        assert 0 <= attempt.commission - exact < Decimal("0.00000001")
        assert received() == attempt.quantity - attempt.commission
        assert states() == ["completed"]

    def test_of_five_hundred_and_one_after_a_lost_answer_is_booked(self, place, step):
        def split(quantity):
            parts = [Decimal("0.01")] * 500
            parts.append(quantity - sum(parts))
            return [(n + 1, f"{part:f}", f"{part * Decimal('0.001'):f}", "ABAN") for n, part in enumerate(parts)]

        def pages(rows, first):
            return [row for row in rows if row["id"] >= first][:500]

        place("60.00")
        venue = Venue(split, is_lost=True, pages=pages)
        step(venue)
        assert [attempt.state for attempt in attempts()] == ["sent"]
        step(venue)
        [attempt] = attempts()
        assert (attempt.state, states()) == ("filled", ["completed"])
        assert received() == attempt.quantity - attempt.commission
        assert sum("myTrades" in sent.path for sent in venue.wire.sent) == 2

    def test_of_another_order_is_never_booked(self, place, step):
        """The page has a trade of another order, of the same quantity: alone at first, and then with ours."""
        others = trade(99, "15.016000", "4", "9", "USDT", order=27, symbol="ABANUSDT")
        seen = []

        def pages(rows, first):
            seen.append(first)
            if first:
                return []
            return [others] if len(seen) == 1 else [others, *rows]

        place("60.00")
        venue = Venue(whole, is_lost=True, pages=pages)
        step(venue)
        step(venue)
        assert ([attempt.state for attempt in attempts()], received()) == (["sent"], 0)
        step(venue)
        [attempt] = attempts()
        assert (attempt.state, states()) == ("filled", ["completed"])
        assert attempt.commission == round_cost(attempt.quantity * Decimal("0.001"))
        assert attempt.cost == attempt.quantity * 4

    def test_with_a_commission_in_a_third_asset_waits_for_staff(self, place, step):
        place("60.00")
        step(Venue(lambda quantity: [(1, f"{quantity:f}", "0.001", "BNB")]))
        [attempt] = attempts()
        assert (attempt.state, states(), received()) == ("parked", ["settling"], 0)
        assert "commission in BNB" in Finding.objects.get().theirs
