"""Price rules: which one holds, what orders pay by it, and how staff make one."""

import os
import subprocess
from copy import copy
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, transaction

from exchange_site.database.price_check import refuse_unfit_rules
from exchange_site.stack.processes import API, PROJECT, WORKER
from tests.configure import configure
from tests.conftest import make_coin, process_environment
from tests.owner import run_as_owner
from tests.processes import at_once, somebody_waits_for_a_lock, wait_for
from trading import pools
from trading.exceptions import NoRuleForMarketPrice, OwnRuleTooSmall, RuleInThePast, SpreadTooSmall
from trading.models import Coin, Order, OrderState, PriceRule
from trading.offer_list import list_offers
from trading.offers import load_offer
from trading.rounding import price_for
from trading.selectors.price_rules import find_rule
from trading.services.coins import put_on_sale, save_coin
from trading.services.price_rules import make_default_rule_after_migrate, make_rule
from wallets.models import Transaction, User
from wallets.runtime import clock

pytestmark = pytest.mark.django_db


def add_rule(*, coin=None, spread="0.005", valid_from=None, **fields):
    rule = PriceRule(coin=coin, spread_rate=Decimal(spread), reason="a test", **fields)
    make_rule(rule=rule, valid_from=valid_from, now=clock.now())
    return rule


def made_by_staff():
    """Return the rules, without the one of a new installation."""
    return PriceRule.objects.exclude(reason="The default of a new installation.")


def remove_all_rules():
    """Leave no rule, as in a database of before price rules."""
    run_as_owner("DELETE FROM trading_pricerule")


@pytest.fixture
def market_coin(db):
    """The coin ABAN with a market price of 20.00."""
    coin = make_coin("ABAN", "20.00")
    coin.fixed_price = None
    save_coin(coin=coin)
    return coin


@pytest.fixture
def order(api, make_shopper):
    """Place an order of a customer with 1,000.00 dollars, over HTTP."""
    shopper = make_shopper("1000.00")
    return lambda **body: api("POST", "orders/", {"crypto": "ABAN", **body}, by=shopper)


class TestTheRuleThatHolds:
    def test_of_a_new_installation_is_half_a_percent_and_no_fee(self, market_coin, order):
        offer = load_offer(coin_name="ABAN")
        assert (offer.price, offer.terms.spread_rate, offer.terms.fee_rate) == (
            Decimal("20.12012013"),  # 20 x 1.005 / 0.999
            Decimal("0.005"),
            0,
        )
        body = order(amount="3").json()
        assert (body["subtotal"], body["fee"], body["total_price"]) == ("60.37", "0.00", "60.37")

    @pytest.mark.django_db(transaction=True)
    def test_is_needed_to_sell_a_market_price(self, api, market_coin, order):
        remove_all_rules()
        [shown] = api("GET", "exchanges/crypto-currencies/").json()
        assert (shown["price"], shown["unavailable_reason"]) == (None, "price_unavailable")
        answer = order(amount="1")
        assert (answer.status_code, answer.json()["code"]) == (503, "price_unavailable")
        assert not Order.objects.exists()

    def test_sells_nothing_while_its_spread_is_below_the_commission(self, market_coin, order, settings):
        add_rule(spread="0.002")
        configure(settings, "VENUE", taker_rate=Decimal("0.002"))
        assert order(amount="1").status_code == 201
        configure(settings, "VENUE", taker_rate=Decimal("0.00200001"))
        answer = order(amount="1")
        assert (answer.status_code, answer.json()["code"]) == (503, "price_unavailable")
        assert Order.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_is_not_needed_for_a_fixed_price(self, coin, order):
        remove_all_rules()
        assert order(amount="3").json()["total_price"] == "12.00"

    def test_is_the_newest_of_the_coin_before_those_of_all(self, market_coin):
        add_rule(coin=market_coin, spread="0.02")
        own = add_rule(coin=market_coin, spread="0.01")
        add_rule(spread="0.03")
        offer = load_offer(coin_name="ABAN")
        assert offer.terms.rule_id == own.pk
        assert offer.price == Decimal("20.22022023")  # 20 x 1.01 / 0.999
        assert offer.market_price == 20

    def test_of_two_that_begin_together_is_the_later_one(self, market_coin):
        begin = clock.database_now() + timedelta(hours=1)
        ids = [add_rule(spread=spread, valid_from=begin).pk for spread in ("0.01", "0.02")]
        assert find_rule(coin=market_coin, at=begin).pk == ids[1]

    def test_does_not_hold_before_it_begins(self, market_coin, order):
        add_rule(spread="0.02", valid_from=clock.database_now() + timedelta(hours=1))
        assert load_offer(coin_name="ABAN").price == Decimal("20.12012013")
        assert order(amount="1").json()["total_price"] == "20.13"

    def test_for_all_coins_leaves_a_fixed_price_alone(self, coin, order):
        add_rule(spread="0.02", fee_rate=Decimal("0.01"))
        body = order(amount="3").json()
        assert (body["price"], body["fee"], body["total_price"]) == ("4.00000000", "0.00", "12.00")

    def test_of_its_own_changes_a_fixed_price(self, coin, order):
        add_rule(coin=coin, spread="0", fee_rate=Decimal("0.01"))
        body = order(amount="3").json()
        assert (body["price"], body["subtotal"], body["fee"], body["total_price"]) == (
            "4.00000000",
            "12.00",
            "0.12",
            "12.12",
        )

    def test_ends_the_list_of_offers_that_was_read_before_it(self, market_coin, monkeypatch):
        add_rule(spread="0.02", valid_from=clock.database_now() + timedelta(seconds=2))
        assert list_offers()[0].price == Decimal("20.12012013")
        later = clock.now() + timedelta(seconds=2.5)
        monkeypatch.setattr(clock, "now", lambda: later)
        assert list_offers()[0].price == Decimal("20.42042043")

    def test_shows_in_the_list_at_once(self, market_coin, api, django_capture_on_commit_callbacks):
        assert api("GET", "exchanges/crypto-currencies/").json()[0]["price"] == "20.12012013"
        with django_capture_on_commit_callbacks(execute=True):
            add_rule(spread="0.02", fee_rate=Decimal("0.001"))
        [shown] = api("GET", "exchanges/crypto-currencies/").json()
        assert (shown["price"], shown["fee_rate"], shown["unavailable_reason"]) == ("20.42042043", "0.00100000", None)


class TestAnOrder:
    def test_keeps_the_market_price_the_spread_the_fee_and_the_rule(self, market_coin, order):
        rule = add_rule(fee_rate=Decimal("0.01"), fee_minimum=Decimal("0.50"))
        body = order(amount="3").json()
        assert (body["market_price"], body["price"]) == ("20.00000000", "20.12012013")
        assert (body["subtotal"], body["fee"], body["total_price"]) == ("60.37", "0.61", "60.98")
        kept = Order.objects.get()
        assert (kept.market_price, kept.spread_rate, kept.price_rule_id) == (20, Decimal("0.005"), rule.pk)
        assert Transaction.objects.get(kind="purchase").amount == Decimal("60.98"), "one charge"

    def test_by_total_pays_its_fee_from_the_total(self, market_coin, order):
        add_rule(fee_rate=Decimal("0.01"))
        body = order(total="60.98").json()
        assert Decimal(body["total_price"]) <= Decimal("60.98")
        assert Decimal(body["amount"]) >= Decimal("3.00")

    def test_is_small_or_large_by_its_subtotal(self, coin, order):
        add_rule(coin=coin, spread="0", fee_minimum=Decimal("2.00"))
        small = order(amount="2.4").json()
        assert (small["subtotal"], small["total_price"], small["is_aggregated"]) == ("9.60", "11.60", True)
        assert small["pool"]["total"] == "9.60"
        assert pools.read_counter(coin_name="ABAN") == Decimal("9.60")
        assert order(amount="2.5").json()["is_aggregated"] is False

    def test_that_is_cancelled_gets_its_fee_back(self, api, coin, make_shopper):
        add_rule(coin=coin, spread="0", fee_minimum=Decimal("2.00"))
        shopper = make_shopper("20.00")
        placed = api("POST", "orders/", {"crypto": "ABAN", "amount": "2"}, by=shopper).json()
        assert shopper.wallet.balance == 10
        assert api("POST", f"orders/{placed['id']}/cancel/", by=shopper).json()["state"] == "cancelled"
        assert shopper.wallet.balance == 20
        assert pools.read_counter(coin_name="ABAN") == 0

    def test_that_cannot_pay_its_fee_leaves_no_trace(self, api, coin, make_shopper):
        add_rule(coin=coin, spread="0", fee_minimum=Decimal("2.00"))
        shopper = make_shopper("13.99")
        answer = api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (400, "insufficient_funds")
        assert (shopper.wallet.balance, Order.objects.exists()) == (Decimal("13.99"), False)

    @pytest.mark.django_db(transaction=True)
    def test_from_before_price_rules_reads_as_ever(self, api, coin, shopper):
        placed = api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).json()
        run_as_owner("UPDATE trading_order SET market_price = NULL, spread_rate = NULL")
        seen = api("GET", f"orders/{placed['id']}/", by=shopper).json()
        assert (seen["market_price"], seen["fee"], seen["subtotal"]) == (None, "0.00", "12.00")
        assert seen["total_price"] == "12.00"

    def test_of_a_tiny_coin_may_be_guarded_to_the_last_place(self, api, make_shopper):
        make_coin("TINY", "0.0000000012345", maximum=Decimal(10) ** 11)
        shopper = make_shopper("1000.00")

        def order(price, **more):
            body = {"crypto": "TINY", "total": "12.00", "max_price": price}
            return api("POST", "orders/", body, by=shopper, **more)

        refused = order("0.000000001234499999")
        assert (refused.status_code, refused.json()["code"]) == (422, "price_above_max")
        assert order("0.0000000012345000001").json()["code"] == "validation_error", "19 places"
        assert not Order.objects.exists()
        assert order("0.0000000012345").status_code == 201
        assert order("999999999999.123456789012345678").status_code == 201

    def test_above_the_maximum_price_is_refused_with_the_price_of_now(self, market_coin, order):
        add_rule()
        answer = order(amount="1", max_price="20.12")
        assert answer.status_code == 422
        assert (answer.json()["code"], answer.json()["price"]) == ("price_above_max", "20.12012013")
        assert not Order.objects.exists()
        assert order(amount="1", max_price="20.12012013").status_code == 201

    @pytest.mark.parametrize("price", ["0.000000001234567891", "0.00000000000123456", "999999999.123456789012345678"])
    def test_takes_a_maximum_price_of_as_many_places_as_prices_have(self, order, price):
        make_coin("TINY", price, minimum=Decimal("0.00000001"))
        amount = "0.00000001" if Decimal(price) > 1 else "900000000"
        below = Decimal(price) - Decimal("0.000000000000000001")
        answer = order(crypto="TINY", amount=amount, max_price=f"{below:f}")
        assert (answer.status_code, answer.json()["code"]) == (422, "price_above_max")
        assert Decimal(answer.json()["price"]) == Decimal(price)
        assert not Order.objects.exists()
        placed = order(crypto="TINY", amount=amount, max_price=price)
        assert placed.status_code == 201, placed.json()
        assert Decimal(placed.json()["price"]) == Decimal(price)

    def test_refuses_a_maximum_price_with_more_places(self, market_coin, order):
        answer = order(amount="1", max_price="20.1234567890123456789")
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
        assert "at most 18 decimal places" in answer.json()["errors"][0]["message"]
        assert not Order.objects.exists()

    def test_of_another_maximum_price_is_another_request(self, market_coin, order, api, make_shopper):
        """Also if the two differ in the last of thirty digits only."""
        shopper = make_shopper("1000.00")

        def place(last):
            body = {"crypto": "ABAN", "amount": "1", "max_price": f"999999999999.12345678901234567{last}"}
            return api("POST", "orders/", body, by=shopper, Idempotency_Key="a-key")

        assert place(1).status_code == 201
        assert (place(2).status_code, place(2).json()["code"]) == (422, "idempotency_key_reused")
        assert place(1).headers["Idempotent-Replayed"] == "true"

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(
        "change", ["fee = -1", "fee = 0.01", "market_price = 0", "market_price = NULL", "spread_rate = NULL"]
    )
    def test_has_figures_that_agree(self, coin, order, change):
        add_rule(coin=coin, spread="0", fee_minimum=Decimal("2.00"))
        order(amount="3")
        with pytest.raises(IntegrityError):
            run_as_owner(f"UPDATE trading_order SET {change}")


class TestARule:
    @pytest.mark.parametrize("change", [lambda rule: rule.update(spread_rate=1), lambda rule: rule.delete()])
    def test_is_never_changed_or_deleted(self, market_coin, change):
        add_rule()
        with pytest.raises(DatabaseError), transaction.atomic():
            change(PriceRule.objects.all())
        assert made_by_staff().get().spread_rate == Decimal("0.005")

    def test_is_never_valid_in_the_past(self, market_coin):
        past = clock.database_now() - timedelta(seconds=1)
        with pytest.raises(RuleInThePast):
            add_rule(valid_from=past)
        with pytest.raises(IntegrityError), transaction.atomic():
            PriceRule.objects.create(spread_rate=1, reason="late", valid_from=past, created_at=past)
        assert not made_by_staff().exists()

    def test_covers_the_commission_of_the_venue(self, market_coin):
        with pytest.raises(SpreadTooSmall, match=r"0\.001"):
            add_rule(spread="0.0009")
        assert not made_by_staff().exists()

    @pytest.mark.parametrize(
        ("further", "least"), [("0.0005", "0.001"), ("0.004", "0.00301205"), ("0.006", "0.00503019")]
    )
    def test_covers_the_commission_of_every_venue(self, market_coin, settings, further, least):
        dear = copy(settings.VENUE)
        vars(dear).update(id="kraken", taker_rate=Decimal(further))
        settings.FURTHER_VENUES = {"kraken": dear}
        with pytest.raises(SpreadTooSmall):
            add_rule(spread=Decimal(least) - Decimal("0.00000001"))
        rule = add_rule(spread=least)
        sold_for = price_for(market_price=Decimal(100), spread_rate=rule.spread_rate, taker_rate=Decimal("0.001"))
        assert sold_for >= Decimal(100) / (1 - Decimal(further))

    @pytest.mark.parametrize(
        "fields",
        [
            {"spread": "-0.1"},
            {"spread": "1.1"},
            {"fee_rate": Decimal("-0.01")},
            {"fee_rate": Decimal("1.01")},
            {"fee_minimum": Decimal(-1)},
            {"fee_minimum": Decimal(2), "fee_maximum": Decimal(1)},
        ],
    )
    def test_has_shares_and_limits_in_order(self, coin, fields):
        with pytest.raises(IntegrityError), transaction.atomic():
            add_rule(coin=coin, **fields)

    @pytest.mark.django_db(transaction=True)
    def test_for_all_coins_is_made_once_by_the_migrations(self, coin):
        remove_all_rules()
        add_rule(coin=coin)
        add_rule(spread="0.02", valid_from=clock.database_now() + timedelta(hours=1))
        for _ in range(2):
            make_default_rule_after_migrate(using="default")
        rule = PriceRule.objects.get(coin=None, valid_from__lte=clock.database_now())
        assert (rule.spread_rate, rule.fee_rate, rule.fee_minimum) == (Decimal("0.005"), 0, 0)
        assert (rule.fee_maximum, rule.created_by) == (None, None)


@pytest.mark.django_db(transaction=True)
class TestAStart:
    def test_is_refused_while_a_rule_is_below_the_commission(self, market_coin, settings):
        add_rule(spread="0.002")
        refuse_unfit_rules()
        configure(settings, "VENUE", taker_rate=Decimal("0.003"))
        with pytest.raises(SystemExit, match=r"is 0\.002, below 0\.003, which covers the venues' commission"):
            refuse_unfit_rules()
        add_rule(spread="0.003")
        refuse_unfit_rules()

    @pytest.mark.parametrize("command", [API, WORKER], ids=["of the API", "of a worker"])
    def test_ends_with_the_sentence(self, market_coin, command):
        add_rule(spread="0.002")
        environment = {**os.environ, **process_environment(EXCHANGE_TAKER_RATE="0.003")}
        ended = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, timeout=60, check=False)
        assert ended.returncode == 1
        assert b"which covers the venues' commission" in ended.stderr

    def test_does_not_mind_the_rule_of_a_fixed_price(self, coin):
        add_rule(coin=coin, spread="0")
        refuse_unfit_rules()

    def test_is_refused_while_a_market_price_has_no_rule(self, market_coin):
        remove_all_rules()
        add_rule(valid_from=clock.database_now() + timedelta(hours=1))
        with pytest.raises(SystemExit, match=r"No price rule is in force for the market price of ABAN\. .*price_rule"):
            refuse_unfit_rules()
        add_rule(coin=market_coin)
        refuse_unfit_rules()

    @pytest.mark.parametrize("command", [API, WORKER], ids=["of the API", "of a worker"])
    def test_without_a_rule_ends_with_the_sentence(self, market_coin, command):
        remove_all_rules()
        ended = subprocess.run(
            command,
            cwd=PROJECT,
            env={**os.environ, **process_environment()},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 1
        assert b"No price rule is in force for the market price of ABAN" in ended.stderr

    def test_needs_no_rule_for_a_fixed_price(self, coin):
        remove_all_rules()
        refuse_unfit_rules()

    def test_names_a_rule_to_come_until_one_from_the_same_moment_replaces_it(self, market_coin, settings):
        begin = clock.database_now() + timedelta(hours=1)
        unfit = add_rule(coin=market_coin, spread="0.002", valid_from=begin)
        configure(settings, "VENUE", taker_rate=Decimal("0.003"))
        add_rule(coin=market_coin, spread="0.004")
        with pytest.raises(SystemExit, match=f"price rule {unfit.pk} .ABAN, from"):
            refuse_unfit_rules()
        add_rule(coin=market_coin, spread="0.004", valid_from=begin)
        refuse_unfit_rules()


@pytest.mark.django_db(transaction=True)
class TestAMarketPrice:
    """No coin gets one with which web and worker would not start."""

    @pytest.fixture
    def clear(self, coin, admin_client):
        def post(pk=coin.pk, **fields):
            given = {"title": "", "is_sold": "on", "minimum": "0.01", "maximum": "1000", "step": "0.01"}
            path = f"{pk}/change" if pk else "add"
            return admin_client.post(
                f"/admin/trading/coin/{path}/",
                {**given, "fixed_price": "", "pool_policy": "buy", "reason": "because", **fields},
            )

        return post

    def fixed_prices(self):
        return dict(Coin.objects.values_list("name", "fixed_price"))

    def test_is_refused_while_a_rule_of_the_coin_does_not_cover_the_commission(self, coin, clear):
        rule = add_rule(coin=coin, spread="0")
        assert f"price rule {rule.pk} of this coin is below 0.001" in clear().content.decode()
        coin.fixed_price = None
        with pytest.raises(OwnRuleTooSmall):
            save_coin(coin=coin)
        assert self.fixed_prices() == {"ABAN": 4}
        refuse_unfit_rules()
        add_rule(coin=coin, spread="0.001")
        assert clear().status_code == 302
        assert self.fixed_prices() == {"ABAN": None}
        refuse_unfit_rules()

    def test_is_refused_while_such_a_rule_is_to_come(self, coin, clear):
        add_rule(coin=coin, spread="0", valid_from=clock.database_now() + timedelta(hours=1))
        assert "of this coin is below" in clear().content.decode()
        assert self.fixed_prices() == {"ABAN": 4}

    def test_is_refused_without_a_rule(self, coin, clear):
        remove_all_rules()
        for answer in (clear(), clear(pk=None, name="NEW")):
            assert "No price rule holds for a coin with a market price" in answer.content.decode()
        with pytest.raises(NoRuleForMarketPrice):
            put_on_sale(name="NEW")
        assert self.fixed_prices() == {"ABAN": 4}
        add_rule(coin=coin)
        assert clear().status_code == 302

    def test_does_not_keep_staff_from_changing_anything_else(self, coin, clear):
        add_rule(coin=coin, spread="0")
        assert clear(fixed_price="4.00", title="Abantether").status_code == 302
        assert Coin.objects.get().title == "Abantether"

    def test_and_a_rule_that_it_forbids_are_not_made_at_the_same_time(self, coin):
        def make_market_price():
            with transaction.atomic():
                coin.fixed_price = None
                save_coin(coin=coin)
                wait_for(somebody_waits_for_a_lock)

        def make_unfit_rule():
            wait_for(lambda: not can_lock(coin))
            with pytest.raises(SpreadTooSmall):
                add_rule(coin=Coin(pk=coin.pk, name="ABAN", fixed_price=4), spread="0")

        at_once(2, lambda number: (make_market_price, make_unfit_rule)[number]())
        assert not made_by_staff().exists()
        assert self.fixed_prices() == {"ABAN": None}


def can_lock(coin):
    with transaction.atomic():
        return Coin.objects.select_for_update(skip_locked=True).filter(pk=coin.pk).exists()


class TestTheCommand:
    GIVEN = ("price_rule", "--spread-rate", "0.01", "--by", "admin", "--reason", "the market is wild")

    def test_makes_a_rule_that_says_who_made_it_and_why(self, market_coin, admin_user):
        begin = clock.database_now() + timedelta(hours=1)
        call_command(*self.GIVEN, "--coin", "ABAN", "--fee-rate", "0.001", "--fee-maximum", "2")
        call_command(*self.GIVEN, "--valid-from", begin.isoformat())
        own, of_all = made_by_staff().order_by("id")
        assert (own.coin, own.spread_rate, own.fee_rate, own.fee_maximum) == (
            market_coin,
            Decimal("0.01"),
            Decimal("0.001"),
            2,
        )
        assert (of_all.coin, of_all.valid_from) == (None, begin)
        assert {(rule.created_by, rule.reason) for rule in (own, of_all)} == {(admin_user, "the market is wild")}
        entries = LogEntry.objects.order_by("id").values_list("user", "object_id", "change_message")
        assert list(entries) == [
            (admin_user.pk, str(rule.pk), "Made by the command price_rule: the market is wild")
            for rule in (own, of_all)
        ]

    @pytest.mark.django_db(transaction=True)
    def test_mends_a_start_that_was_refused(self, market_coin, admin_user):
        remove_all_rules()
        with pytest.raises(SystemExit):
            refuse_unfit_rules()
        call_command(*self.GIVEN)
        refuse_unfit_rules()

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("--spread-rate", "0.0005"), "which covers the venues' commission"),
            (("--spread-rate", "1.1"), "“spread_is_a_share” is violated"),
            (("--spread-rate", "NaN"), "a plain number"),
            (("--fee-minimum", "2", "--fee-maximum", "1"), "“fee_limits_are_in_order” is violated"),
            (("--valid-from", "2020-01-01T00:00:00Z"), "begins now or later"),
            (("--valid-from", "tomorrow"), "a moment"),
            (("--reason", " "), "cannot be blank"),
            (("--coin", "NONE"), "no coin NONE"),
            (("--by", "nobody"), "no account nobody"),
            (("--by", "viewer"), "trading.add_pricerule is missing"),
        ],
    )
    def test_refuses_with_a_sentence(self, market_coin, admin_user, arguments, sentence):
        User.objects.create_user("viewer", password="password", is_staff=True)
        with pytest.raises(CommandError, match=sentence):
            call_command(*self.GIVEN, *arguments)
        assert not made_by_staff().exists()
        assert not LogEntry.objects.exists()

    @pytest.mark.parametrize("left_out", ["--spread-rate", "--by", "--reason"])
    def test_needs_a_spread_a_name_and_a_reason(self, market_coin, admin_user, left_out):
        at = self.GIVEN.index(left_out)
        with pytest.raises(CommandError, match=left_out):
            call_command(*self.GIVEN[:at], *self.GIVEN[at + 2 :])
        assert not made_by_staff().exists()


class TestTheAdmin:
    PATH = "/admin/trading/pricerule/add/"
    GIVEN = {
        "spread_rate": "0.01",
        "fee_rate": "0.001",
        "fee_minimum": "0",
        "fee_maximum": "",
        "coin": "",
        "begins_0": "",
        "begins_1": "",
        "reason": "the market is wild",
    }

    def test_shows_what_an_order_costs_before_and_after_and_makes_the_rule_then(self, admin_client, market_coin):
        before = add_rule()
        shown = admin_client.post(self.PATH, self.GIVEN)
        text = shown.content.decode()
        assert shown.status_code == 200
        for cell in ("100.61", "101.11", "0.11", "101.22"):
            assert f"<td>{cell}</td>" in text
        assert made_by_staff().count() == 1, "nothing is made before staff confirm"
        confirmed = {**self.GIVEN, "confirmed": f"after {before.pk}"}
        assert admin_client.post(self.PATH, confirmed).status_code == 302
        made = PriceRule.objects.latest("id")
        assert (made.spread_rate, made.fee_rate, made.reason) == (
            Decimal("0.01"),
            Decimal("0.001"),
            "the market is wild",
        )
        assert made.created_by.username == "admin"
        assert made.created_at <= made.valid_from

    def test_shows_the_page_again_if_another_rule_was_made_meanwhile(self, admin_client, market_coin):
        shown = {**self.GIVEN, "confirmed": "the first"}
        add_rule()
        assert admin_client.post(self.PATH, shown).status_code == 200
        assert made_by_staff().count() == 1

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"spread_rate": "0.0005"}, "which covers the venues&#x27; commission"),
            ({"begins_0": "2020-01-01", "begins_1": "00:00:00"}, "begins now or later"),
            ({"reason": ""}, "This field is required"),
        ],
    )
    def test_refuses_with_a_sentence(self, admin_client, market_coin, change, sentence):
        answer = admin_client.post(self.PATH, {**self.GIVEN, **change, "confirmed": "the first"})
        assert sentence in answer.content.decode()
        assert not made_by_staff().exists()

    def test_needs_the_permission(self, client, market_coin):
        staff = User.objects.create_user("staff", password="password", is_staff=True)
        staff.user_permissions.add(Permission.objects.get(codename="view_pricerule"))
        client.force_login(staff)
        assert client.post(self.PATH, {**self.GIVEN, "confirmed": "the first"}).status_code == 403
        assert not made_by_staff().exists()

    def test_shows_rules_and_the_figures_of_orders(self, admin_client, market_coin, order):
        rule = add_rule(fee_rate=Decimal("0.01"))
        placed = order(amount="3").json()
        assert "0.00500000" in admin_client.get(f"/admin/trading/pricerule/{rule.pk}/change/").content.decode()
        seen = admin_client.get(f"/admin/trading/order/{placed['id']}/change/").content.decode()
        for figure in ("60.37", "0.61", "60.98", f"pricerule/{rule.pk}/"):
            assert figure in seen
        assert Order.objects.get().state == OrderState.PENDING
