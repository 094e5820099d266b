"""Purchases that are hard to book, by a real worker at a simulator that speaks one dialect after the other.

Each has a coin of its own. Those about one coin alone run at once.
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

import pytest

from settlement.figures import round_cost
from settlement.models import AttemptState, Finding, InterventionAction
from settlement.services.intervening.requests import Figures, request_intervention
from settlement.services.pausing import lift_pause, pause_buying
from settlement.verification import verify_everything
from tests.dialects import DIALECTS
from tests.processes import wait_for
from tests.settlement.stage import OPENING, staged
from tests.simulators import opened_book
from trading.models import Coin, CoinPrice, Order
from trading.services.prices import accept_price
from wallets.models import Wallet, WalletRole
from wallets.runtime import clock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

LOST = {"on": "place", "action": "accept_then_drop", "times": 1}
MANY_FILLS, NINE_DECIMALS, ANOTHERS = "501 fills", "a commission with nine decimals", "a trade of another order"
_TRADES = """
SELECT trade.quantity, trade.quote, trade.commission, trade.commission_asset
  FROM trade JOIN venue_order ON venue_order.id = trade.order_id WHERE symbol = ?
"""


@dataclass(frozen=True, kw_only=True)
class Bought:
    """What the venue's book says of a coin: US dollars with the commission in them, and coins without it."""

    trades: int
    cost: Decimal
    coins: Decimal


def read_book(stage, told):
    with opened_book(stage.book_file) as book:
        rows = [(*map(Decimal, row[:3]), row[3]) for row in book.execute(_TRADES, [told.symbol])]
    return Bought(
        trades=len(rows),
        cost=sum(quote + (fee if asset == "USDT" else 0) for _, quote, fee, asset in rows),
        coins=sum(quantity - (fee if asset == told.coin else 0) for quantity, _, fee, asset in rows),
    )


def many_fills(stage, told):
    stage.venue.set_market(**{told.coin: {"fills": 501}})
    stage.lie(told, LOST)


def nine_decimals(stage, told):
    """The true commission of 15.02 coins for 60.08 dollars, and a billionth."""
    if stage.dialect.takes_coins:
        stage.lie(told, {"on": "place", "action": "lie", "changes": {"fills.*.commission": "0.015020001"}})
    else:
        stage.lie(told, {"on": "trades", "action": "lie", "changes": {"result.*.fee": "0.060080001"}})


def anothers(stage, told):
    """Let the page have a trade of somebody else's order too, of the same quantity, with more commission."""

    def of_binance(rows):
        return [{**rows[0], "id": rows[0]["id"] + 1000, "orderId": 10**6, "commission": "9"}, *rows]

    def of_kraken(answer):
        for row in [row for row in answer["result"].values() if row["pair"] == told.symbol]:
            answer["result"]["TAAAAA-BBBBB-222222"] = {**row, "ordertxid": "OAAAAA-BBBBB-222222", "fee": "9"}
        return answer

    if stage.dialect.takes_coins:
        stage.lie(told, LOST)
        stage.slow.spoil("trades", of_binance, symbol=told.symbol)
    else:
        stage.slow.spoil("trades of Kraken", of_kraken)


CASES = {MANY_FILLS: many_fills, NINE_DECIMALS: nine_decimals, ANOTHERS: anothers}


@pytest.fixture(scope="module", params=sorted(DIALECTS))
def _stage(request, django_db_setup, django_db_blocker, tmp_path_factory):
    dialect = DIALECTS[request.param]
    environment = {
        "EXCHANGE_RECV_WINDOW_MS": "5000",
        "EXCHANGE_CALL_TIMEOUT_SECONDS": "20",
        "EXCHANGE_MARKETS_MAX_AGE_SECONDS": "1",
    }
    with (
        django_db_blocker.unblock(),
        staged(tmp_path_factory.mktemp("stage"), dialect, **environment) as stage,
    ):
        yield stage


@pytest.fixture
def _django_db_helper(_stage, django_db_blocker):
    """Keep the rows between two tests, which pytest-django's fixture of this name deletes: the stage does so."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def _no_jobs():
    """Keep the jobs too: they are those of the stage's worker."""


@pytest.fixture
def stage(_stage):
    return _stage


@pytest.fixture(scope="module")
def played(_stage, django_db_blocker):
    with django_db_blocker.unblock():
        told = {name: _stage.begin() for name in CASES}
        for name, arrange in CASES.items():
            arrange(_stage, told[name])
            _stage.place(told[name], "60.00")
        wait_for(lambda: all(one.is_settled() for one in told.values()), seconds=90)
        return told


def assert_booked(stage, told, *, more=Decimal(0)):
    """Check the books against the venue's. It has said a commission that is `more` than in its book."""
    bought, [attempt] = read_book(stage, told), told.attempts()
    takes_coins = stage.dialect.takes_coins
    cost, coins = (bought.cost, bought.coins - more) if takes_coins else (bought.cost + more, bought.coins)
    assert (told.state, attempt.state) == ("completed", AttemptState.FILLED)
    assert attempt.cost == round_cost(cost)
    assert attempt.executed - attempt.commission == held(told) == coins.quantize(Decimal("0.00000001"), ROUND_DOWN)
    order = Order.objects.get(pk=told.order)
    assert told.shopper.wallet.balance == OPENING - order.charge
    assert told.shopper.holding(told.coin) == order.amount
    assert verify_everything() == []


def held(told):
    """Return the coins that the customer and the house have."""
    inventory = Wallet.objects.get(role=WalletRole.INVENTORY, asset=told.coin).balance
    return told.shopper.holding(told.coin) + inventory


def test_an_order_with_501_fills_is_booked(played, stage):
    assert read_book(stage, played[MANY_FILLS]).trades == 501
    assert_booked(stage, played[MANY_FILLS])


def test_a_commission_with_nine_decimals_is_rounded_once(played, stage):
    assert_booked(stage, played[NINE_DECIMALS], more=Decimal("0.000000001"))


def test_of_two_trades_on_a_page_only_ours_is_booked(played, stage):
    assert_booked(stage, played[ANOTHERS])
    assert read_book(stage, played[ANOTHERS]).trades == 1


def test_a_price_band_after_a_fall_of_30_percent_delays_a_purchase(stage):
    """Limits may be 20 % from the average price, which follows later. Ours is near the ask, not near what was paid."""
    told = stage.begin(price="20.00", is_fixed=False)
    stage.venue.set_filters(told.coin, bid_multiplier_up="1.2", bid_multiplier_down="0.8", average_minutes="5")
    coin = Coin.objects.get(name=told.coin)
    pause = pause_buying(coin=coin, reason="the fall comes first", set_by=stage.staff, now=clock.database_now())
    stage.place(told, "60.00")
    stage.venue.set_prices(**{told.coin: "14.00"})
    stage.venue.set_market(**{told.coin: {"average": "20.00"}})
    wait_for(lambda: has_been_accepted(coin), seconds=60)
    lift_pause(pause=pause)
    wait_for(lambda: [one for one in told.attempts() if one.state == AttemptState.NOT_PLACED], seconds=60)
    assert read_book(stage, told).trades == 0
    stage.venue.set_market(**{told.coin: {"average": "14.00"}})
    wait_for(told.is_settled, seconds=60)
    *refused, filled = told.attempts()
    word = "PERCENT_PRICE_BY_SIDE" if stage.dialect.takes_coins else "EOrder:Invalid price"
    assert all(word in one.reason for one in refused)
    assert (told.state, filled.state) == ("completed", AttemptState.FILLED)
    assert 14 <= filled.limit_price <= Decimal("14.00") * Decimal("1.01")
    bought, order = read_book(stage, told), Order.objects.get(pk=told.order)
    assert (filled.cost, held(told)) == (round_cost(bought.cost), bought.coins)
    assert order.rebate > 0
    assert told.shopper.wallet.balance == OPENING - order.charge + order.rebate
    assert verify_everything() == []


def has_been_accepted(coin):
    """Let staff accept the price, as all that have fallen by more than 20 % at once, as soon as it was read."""
    price = CoinPrice.objects.get(coin=coin)
    return price.candidate and accept_price(coin=coin, expected=price.candidate, now=clock.database_now())


def test_a_commission_in_a_third_asset_waits_for_staff_who_book_the_venues_figures(stage):
    if not stage.dialect.takes_coins:
        pytest.skip("Kraken takes commission in no third asset")
    told = stage.begin()
    stage.venue.set_account(balances={"BNB": "1000"}, commission_asset="BNB")
    stage.place(told, "60.00")
    wait_for(told.is_parked, seconds=60)
    stage.venue.set_account(commission_asset=None)
    assert "commission in BNB" in Finding.objects.get(attempt__coin__name=told.coin, closed_at=None).theirs
    assert (told.state, told.shopper.holding(told.coin)) == ("settling", 0)
    assert verify_everything() == []
    wanted = request_intervention(
        batch=told.batch,
        action=InterventionAction.MARK_FILLED,
        figures=Figures(quantity=Decimal("15.02"), cost=Decimal("60.08"), commission=Decimal(0)),
        reason="the venue's pages say so",
        requested_by=stage.staff,
        now=clock.database_now(),
    )
    wait_for(lambda: type(wanted).objects.get(pk=wanted.pk).outcome, seconds=30)
    wait_for(told.is_settled, seconds=30)
    assert (told.state, held(told)) == ("completed", read_book(stage, told).coins)
    assert verify_everything() == []
