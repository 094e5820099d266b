"""The gate lets a true answer pass, whatever its form, and no false one: each comparison has its test here.

`python -m tests.negating settlement/gate.py` negates each comparison and expects that a test fails.
"""

from dataclasses import replace
from decimal import Decimal

import pytest

from settlement.figures import is_product, read_figure, round_cost, round_quantity
from settlement.gate import (
    BeyondRequest,
    CannotBeTrue,
    Figures,
    Request,
    TellsNothing,
    TooCheap,
    add_trades,
    highest_cost,
    read_order,
    weigh,
)
from settlement.parting import part
from settlement.told import IN_TRADES, OrderTold, Ours, TradeTold, digits, in_words, keep

OURS = Ours(client_order_id="ce1", symbol="ABAN/USDT", coin="ABAN", quote_asset="USDT")
TOLD = OrderTold(
    client_order_id="ce1", venue_order_id="7", symbol="ABAN/USDT", status="closed", executed="15", cost="60", side="buy"
)
FIRST = TradeTold(
    trade_id="1", venue_order_id="7", quantity="10", price="4", commission="0.01", commission_asset="ABAN", side="buy"
)
SECOND = replace(FIRST, trade_id="2", quantity="5", commission="0.005")
REQUEST = Request(quantity=Decimal(15), limit_price=Decimal("4.2"))
FIGURES = Figures(quantity=Decimal(15), cost=Decimal(60), commission=Decimal("0.015"))
LARGEST = "9" * 30 + "." + "9" * 8


def read(**changes):
    return read_order(told=replace(TOLD, **changes), ours=OURS)


def trades(*told, order=None, complete=True):
    return add_trades(order=order or read(), trades=told or (FIRST, SECOND), ours=OURS, are_complete=complete)


def check(status="closed", venue_order_id="7", request=REQUEST, asked=None, **changes):
    figures = replace(FIGURES, **changes)
    weigh(figures=figures, request=request, status=status, venue_order_id=venue_order_id, asked=asked)


class TestANumber:
    @pytest.mark.parametrize(
        "said", ["15", 15, 15.0, "15.000", "1.5e1", " 15 ", "+015", Decimal(15), "15" + "." + "0" * 190]
    )
    def test_is_read_in_any_notation(self, said):
        assert read_figure(said) == 15

    @pytest.mark.parametrize("said", [0, "-0", "0e999999", "0.000", "1e-300"])
    def test_may_be_zero(self, said):
        assert read_figure(said) == 0

    @pytest.mark.parametrize(
        "said",
        [
            None,
            True,
            False,
            "",
            "ten",
            "1,5",
            "1_5",
            "٣",
            "0x10",
            "NaN",
            "sNaN",
            "Infinity",
            "-Infinity",
            [],
            {},
            ["15"],
            float("nan"),
            float("inf"),
            "1e30",
            "-1e30",
            10**30,
            pytest.param(10**5000, id="enormous"),
            "1e999999",
            "9" * 201,
        ],
    )
    def test_is_nothing_else_and_fits_its_column(self, said):
        assert read_figure(said) is None

    def test_may_be_the_largest_of_its_column(self):
        assert read_figure(LARGEST) == Decimal(LARGEST)
        assert read_figure("1e-200") == Decimal("1e-200")

    def test_is_rounded_against_the_house(self):
        assert round_quantity(Decimal("1.000000019")) == Decimal("1.00000001")
        assert round_cost(Decimal("1.000000011")) == Decimal("1.00000002")
        assert round_cost(Decimal(LARGEST)) == Decimal(LARGEST)
        assert highest_cost(quantity=Decimal("0.00000001"), limit_price=Decimal("4.2")) == Decimal("0.00000005")


class TestAnOrder:
    def test_that_is_ours_passes(self):
        seen = read()
        assert (seen.venue_order_id, seen.status, seen.executed, seen.cost, seen.final) == ("7", "closed", 15, 60, True)
        assert not read(status="open").final

    def test_need_not_name_its_symbol_and_side(self):
        assert read(symbol=None, side=None).executed == 15

    @pytest.mark.parametrize("status", ["canceled", "expired", "rejected", "open", "canceling"])
    def test_may_have_bought_nothing(self, status):
        assert read(status=status, executed="0", cost="0.0").executed == 0

    @pytest.mark.parametrize(
        "changes",
        [
            {"client_order_id": None},
            {"venue_order_id": None},
            {"venue_order_id": ""},
            {"venue_order_id": True},
            {"venue_order_id": []},
            {"venue_order_id": "x" * 65},
            {"venue_order_id": "é"},
            {"venue_order_id": "7\x00"},
            {"status": None},
            {"executed": None},
            {"cost": None},
        ],
    )
    def test_that_does_not_say_enough_tells_nothing(self, changes):
        with pytest.raises(TellsNothing):
            read(**changes)

    def test_may_have_a_long_id_or_one_that_is_a_number(self):
        assert read(venue_order_id="x" * 64).venue_order_id == "x" * 64
        assert read(venue_order_id=7).venue_order_id == "7"

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"client_order_id": "ce2"}, "about order 'ce2'"),
            ({"client_order_id": []}, "about order"),
            ({"symbol": "BTC/USDT"}, "one of 'BTC/USDT'"),
            ({"symbol": []}, "one of"),
            ({"side": "sell"}, "to 'sell'"),
            ({"status": "filled"}, "status 'filled'"),
            ({"status": []}, "status"),
            ({"executed": "ten"}, "executed 'ten'"),
            ({"executed": "-15"}, "executed '-15'"),
            ({"cost": "1e30"}, "cost '1e30'"),
            ({"cost": "-60"}, "cost '-60'"),
            ({"cost": "0"}, "executed 15 for nothing"),
            ({"cost": "0", "status": "open"}, "executed 15 for nothing"),
            ({"executed": "0", "status": "expired"}, "nothing executed for 60"),
            ({"executed": "0", "cost": "0"}, "filled, and nothing executed"),
        ],
    )
    def test_that_contradicts_itself_or_us_cannot_be_true(self, changes, words):
        with pytest.raises(CannotBeTrue, match=words):
            read(**changes)


class TestItsTrades:
    def test_bring_the_commission(self):
        assert trades() == FIGURES

    def test_that_are_doubled_count_once(self):
        assert trades(FIRST, SECOND, replace(SECOND, quantity="5.00"), FIRST) == FIGURES

    def test_without_an_id_count_each(self):
        half = replace(FIRST, trade_id=None, quantity="7.5", commission="0.0075")
        assert trades(half, half) == FIGURES

    @pytest.mark.parametrize("change", [{"quantity": "6"}, {"price": "5"}, {"commission": "0.1"}])
    def test_that_are_doubled_in_two_ways_cannot_be_true(self, change):
        with pytest.raises(CannotBeTrue, match="trade 2 in two ways"):
            trades(FIRST, SECOND, replace(SECOND, **change))

    def test_of_another_order_or_symbol_are_not_ours(self):
        others = replace(FIRST, trade_id="3", venue_order_id="8"), replace(FIRST, trade_id="4", symbol="BTC/USDT")
        assert trades(FIRST, SECOND, *others) == FIGURES
        assert (
            trades(replace(FIRST, symbol="ABAN/USDT", venue_order_id=None), replace(SECOND, venue_order_id=7))
            == FIGURES
        )

    def test_that_fall_short_tell_nothing_while_they_may_lag(self):
        with pytest.raises(TellsNothing):
            trades(FIRST, complete=False)
        with pytest.raises(CannotBeTrue, match="executed 15, but its trades are 10"):
            trades(FIRST)

    def test_that_are_more_than_the_order_cannot_be_true(self):
        for complete in (True, False):
            with pytest.raises(CannotBeTrue, match="executed 15, but its trades are 20"):
                trades(FIRST, replace(SECOND, quantity="10"), complete=complete)

    @pytest.mark.parametrize("price", ["4.00000001", "3.99999999"])
    def test_that_cost_something_else_cannot_be_true(self, price):
        with pytest.raises(CannotBeTrue, match="cost 60, but its trades cost"):
            trades(FIRST, replace(SECOND, price=price))

    def test_say_their_cost_or_their_price(self):
        assert trades(FIRST, replace(SECOND, price=None, cost="20")) == FIGURES
        with pytest.raises(CannotBeTrue, match="cost 60, but its trades cost 41"):
            trades(FIRST, replace(SECOND, price=None, cost="1"))

    @pytest.mark.parametrize("cost", ["2.0", "20.01", "200"])
    def test_of_a_price_that_is_not_their_cost_cannot_be_true(self, cost):
        """If the order does not tell its cost, the trades alone say it."""
        told = replace(SECOND, price="4.000000", cost=cost)
        for order in (read(), read(cost=IN_TRADES)):
            with pytest.raises(CannotBeTrue, match=f"a trade of 5 at 4 for {digits(Decimal(cost))}"):
                trades(FIRST, told, order=order)

    @pytest.mark.parametrize(
        ("quantity", "price", "cost"),
        [
            ("0.00025", "2437.5", "0.60938"),  # a cost with five places
            ("3", "6666666.67", "20000000.0"),  # a price that is an average
            ("0.5", "60000.10000", "30000.07500"),  # an average, with zeros after its last place
            ("3.33333333", "60000", "200000.0"),  # a quantity with eight places
            ("1", "0.000000000012", "0"),
        ],
    )
    def test_may_cost_what_the_venue_has_rounded(self, quantity, price, cost):
        assert is_product(Decimal(cost), quantity=Decimal(quantity), price=Decimal(price))

    def test_may_differ_from_the_order_by_what_was_rounded(self):
        odd = replace(FIRST, quantity="15", price="4.0000000001", commission="0.015")
        assert trades(odd, order=read(cost="60")).cost == 60
        assert trades(odd, order=read(cost="60.00000001")).cost == Decimal("60.00000001")
        with pytest.raises(CannotBeTrue):
            trades(odd, order=read(cost="60.00000002"))
        with pytest.raises(CannotBeTrue):
            trades(odd, order=read(cost="59.99999999"))

    def test_may_differ_by_one_unit_of_the_last_place_to_which_the_venue_has_rounded(self):
        """Kraken writes costs with five places: 10 * 4.0000003 is 40.00000, and so is the sum."""
        odd = replace(FIRST, price="4.0000007", cost="40.00000")
        assert trades(odd, SECOND, order=read(cost="60.00001")).cost == Decimal("60.00001")
        with pytest.raises(CannotBeTrue, match=r"cost 60\.00002, but its trades cost 60"):
            trades(odd, SECOND, order=read(cost="60.00002"))
        exact = replace(FIRST, price="4", cost="40.00000")
        with pytest.raises(CannotBeTrue):
            trades(exact, SECOND, order=read(cost="60.00001"))
        coarse = replace(FIRST, price="4.01", cost="40")
        with pytest.raises(CannotBeTrue):
            trades(coarse, SECOND, order=read(cost="60.1"))
        wrong = replace(FIRST, price="4.0001", cost="40.00000")
        with pytest.raises(CannotBeTrue):
            trades(wrong, SECOND, order=read(cost="60.00001"))

    def test_say_the_cost_if_the_order_does_not(self):
        order = read(cost=IN_TRADES)
        assert order.cost is None
        assert trades(order=order) == FIGURES
        free = {"price": "0"}
        with pytest.raises(CannotBeTrue, match="executed 15 for nothing"):
            trades(replace(FIRST, **free), replace(SECOND, **free), order=order)
        nothing = read(cost=IN_TRADES, executed="0", status="canceled")
        assert add_trades(order=nothing, trades=[], ours=OURS, are_complete=True).cost == 0

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"side": "sell"}, "a trade to 'sell'"),
            ({"quantity": "-5"}, "a trade of '-5'"),
            ({"price": None}, "a trade at 'None'"),
            ({"price": "-4"}, "a trade at '-4'"),
            ({"cost": "NaN"}, "a trade for 'NaN'"),
            ({"commission": "-0.01"}, "commission '-0.01'"),
            ({"commission": "1e30"}, "commission '1e30'"),
        ],
    )
    def test_with_a_strange_figure_cannot_be_true(self, change, words):
        with pytest.raises(CannotBeTrue, match=words):
            trades(FIRST, replace(SECOND, **change))

    def test_without_a_commission_tell_nothing(self):
        with pytest.raises(TellsNothing):
            trades(FIRST, replace(SECOND, commission=None))

    def test_may_cost_no_commission_in_no_asset(self):
        free = {"commission": "0", "commission_asset": None}
        assert trades(replace(FIRST, **free), replace(SECOND, **free)) == replace(FIGURES, commission=Decimal(0))

    def test_keep_commissions_apart(self):
        figures = trades(replace(FIRST, commission_asset="USDT"), SECOND)
        assert (figures.commission, figures.quote_commission) == (Decimal("0.005"), Decimal("0.01"))

    @pytest.mark.parametrize(
        ("asset", "name"), [("BNB", "BNB"), (None, "?"), ("", "?"), (7, "?"), ("\x00", "'\\x00'"), ("é", "'\\xe9'")]
    )
    def test_name_a_third_asset(self, asset, name):
        assert trades(FIRST, replace(SECOND, commission_asset=asset)).foreign_commission == name

    def test_are_rounded_once_after_they_are_added(self):
        tiny = {"commission": "0.0000000001"}
        assert trades(replace(FIRST, **tiny), replace(SECOND, **tiny)).commission == Decimal("0.00000001")


class TestWeighing:
    def test_lets_pass_what_was_asked_for(self):
        check()
        check(status="expired", quantity=Decimal(7), cost=Decimal("29.4"), commission=Decimal("0.14"))
        check(cost=Decimal(63), commission=Decimal("0.3"), quote_commission=Decimal("1.26"))
        check(status="expired", quantity=Decimal(0), cost=Decimal(0), commission=Decimal(0))
        check(request=replace(REQUEST, venue_order_id="7"))
        check(asked=Decimal("15.000"))

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"quantity": Decimal("15.00000001")}, "executed 15.00000001, asked for 15"),
            ({"cost": Decimal("63.00000001")}, "cost 63.00000001 for 15, at most 63"),
            ({"quantity": Decimal(7), "status": "expired"}, "cost 60 for 7, at most 29.4"),
            ({"commission": Decimal("0.30000001")}, "commission of 0.30000001 coins for 15"),
            ({"quote_commission": Decimal("1.26000001")}, "commission of 1.26000001 in the quote asset"),
        ],
    )
    def test_finds_what_is_beyond_the_request(self, changes, words):
        with pytest.raises(BeyondRequest, match=words):
            check(**changes)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"request": replace(REQUEST, venue_order_id="8")}, "order 7, but it was 8"),
            ({"asked": Decimal("15.01")}, r"an order of 15\.01, asked for 15"),
            ({"asked": Decimal(14)}, "an order of 14, asked for 15"),
            ({"foreign_commission": "BNB"}, "commission in BNB"),
            ({"foreign_commission": "?"}, "commission in no asset"),
            ({"quantity": Decimal("14.99")}, "filled, but executed 14.99 of 15"),
            ({"cost": Decimal(0)}, "executed 15 for nothing"),
            ({"quantity": Decimal(0), "status": "expired"}, "nothing executed, at a cost"),
            ({"quantity": Decimal(0), "cost": Decimal(0), "status": "expired"}, "nothing executed, at a cost"),
            ({"commission": Decimal("15.01")}, "commission of 15.01 coins"),
            ({"quantity": Decimal(-15)}, "no amount"),
            ({"cost": Decimal("NaN")}, "no amount"),
            ({"cost": Decimal("Infinity")}, "no amount"),
            ({"commission": Decimal("-0.01")}, "no amount"),
            ({"quote_commission": Decimal("-0.01")}, "no amount"),
            ({"cost": Decimal(10) ** 30}, "no amount"),
        ],
    )
    def test_finds_what_cannot_be_true(self, changes, words):
        with pytest.raises(CannotBeTrue, match=words) as caught:
            check(**changes)
        assert caught.type is CannotBeTrue

    def test_believes_a_low_cost_down_to_the_least_price(self):
        request = replace(REQUEST, least_price=Decimal("3.2"))
        check(request=request, cost=Decimal(48))
        with pytest.raises(TooCheap, match=r"cost 47\.99999999 for 15, at least 48"):
            check(request=request, cost=Decimal("47.99999999"))
        check(request=request, status="expired", quantity=Decimal(0), cost=Decimal(0), commission=Decimal(0))

    def test_names_more_than_was_asked_for_before_a_low_cost(self):
        with pytest.raises(BeyondRequest):
            check(request=replace(REQUEST, least_price=Decimal("3.2")), quantity=Decimal(150), status="expired")

    def test_lets_a_commission_pass_that_is_all_there_is(self):
        with pytest.raises(BeyondRequest):
            check(commission=Decimal(15))


class TestParting:
    @pytest.mark.parametrize(
        "figures",
        [
            Figures(quantity=Decimal(150), cost=Decimal(600), commission=Decimal("0.15")),
            Figures(quantity=Decimal("15.01"), cost=Decimal("60.04"), quote_commission=Decimal("0.06004")),
            Figures(quantity=Decimal(15), cost=Decimal(24150)),
            Figures(quantity=Decimal(15), cost=Decimal(60), commission=Decimal(3), quote_commission=Decimal(9)),
            Figures(quantity=Decimal(100), cost=Decimal("333.33333333"), commission=Decimal("0.33333333")),
        ],
    )
    def test_leaves_a_part_within_the_request_and_loses_nothing(self, figures):
        with pytest.raises(BeyondRequest):
            weigh(figures=figures, request=REQUEST, status="expired", venue_order_id="7")
        parts = part(figures=figures, request=REQUEST)
        weigh(figures=parts.within, request=REQUEST, status="closed", venue_order_id="7")
        for name in ("quantity", "cost", "commission", "quote_commission"):
            within, beyond = getattr(parts.within, name), getattr(parts.beyond, name)
            assert within >= 0
            assert beyond >= 0
            assert within + beyond == getattr(figures, name)
        assert parts.within.quantity == 15


class TestDigits:
    @pytest.mark.parametrize(
        ("number", "shown"),
        [
            ("5.01000000", "5.01"),
            ("0E-8", "0"),
            ("1.0000000E+12", "1000000000000"),
            ("1E-8", "0.00000001"),
            ("-20.50", "-20.5"),
            ("12345678901234567890.12345678", "12345678901234567890.12345678"),
            ("1E+22", "10000000000000000000000"),
            ("1.5E+300", "1.50000000E+300"),
            ("1E-300", "1.00000000E-300"),
            ("Infinity", "Infinity"),
            ("NaN", "NaN"),
        ],
    )
    def test_have_no_exponent_and_no_zeros_at_the_end_unless_they_are_very_many(self, number, shown):
        assert digits(Decimal(number)) == shown


class TestWords:
    def test_are_short_and_can_be_stored(self):
        assert in_words("a\x00\n" + "é" * 900).isascii()
        assert len(in_words("a\x00\n" + "é" * 900)) <= 60
        assert len(in_words(["x" * 1000])) <= 250
        assert in_words(10**5000) == "'int'"

    @pytest.mark.parametrize(
        "answer",
        [
            {"a": "\x00"},
            {"a": "\ud800"},
            {"a": float("nan")},
            {"a": object()},
            {"a": "x" * 10**6},
            {1: {2: [Decimal(1)]}},
        ],
    )
    def test_that_cannot_be_stored_are_kept_as_text(self, answer):
        kept = keep(answer)
        assert kept.keys() == {"text"}
        assert len(kept["text"]) <= 20_000
        assert "\\u" not in kept["text"]
        assert "\x00" not in kept["text"]

    def test_are_kept_as_they_are(self):
        assert keep({"a": [1, "é", None]}) == {"a": [1, "é", None]}
