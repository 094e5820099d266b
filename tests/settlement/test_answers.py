"""Ten thousand answers about an order: each true one is booked with its figures, and no false one is.

The cases come from a seed. ANSWERS_SEED=SEED repeats them, and ANSWERS is their number.
"""

import json
import os
import random
from collections import Counter
from decimal import Decimal

import pytest

from settlement.figures import round_cost, round_quantity
from settlement.gate import CannotBeTrue, Request, weigh
from settlement.told import keep
from settlement.venues.ccxt.plain import read_answer
from settlement.venues.profiles.words import Market, Reply
from settlement.venues.protocol import Executed, Unknown, Untrue
from tests.settlement.answers_made import ASKED, CLIENT_ID, LEAST, LIMIT, ORDER_ID, honest, make_case
from tests.settlement.conftest import new_venue

CASES = int(os.environ.get("ANSWERS", "10000"))
SEED = int(os.environ.get("ANSWERS_SEED", "19"))
MARKET = Market(
    coin="ABAN",
    quote_asset="USDT",
    market_id="ABANUSDT",
    names=frozenset({"ABANUSDT"}),
    coin_id="ABAN",
    quote_id="USDT",
)


@pytest.fixture
def read(settings):
    """Read an answer's text as a worker does, without a network."""
    venue = new_venue()
    venue._wire.ask = lambda _: []

    def run(text):
        try:
            body = read_answer(text)
        except ValueError:
            body = None
        reply = Reply(status=200, headers={}, body=body)
        return venue._read_placed(reply, market=MARKET, client_order_id=CLIENT_ID)

    return run


def judge(answer):
    """Return the figures that would be booked, or the reason why nothing is."""
    if not isinstance(answer, Executed):
        assert isinstance(answer, Unknown | Untrue), answer
        if isinstance(answer, Untrue):
            json.dumps(keep(answer.answer), allow_nan=False)
        return answer.reason
    if not answer.final:
        return "not final"
    try:
        weigh(
            figures=answer.figures,
            request=Request(quantity=ASKED, limit_price=LIMIT, least_price=LEAST),
            status=answer.status,
            venue_order_id=answer.venue_order_id,
        )
    except CannotBeTrue as error:
        return str(error)
    return answer.figures


def test_every_true_answer_is_booked_and_no_false_one(read):
    chance = random.Random(SEED)
    seen = Counter()
    for number in range(CASES):
        case = make_case(chance)
        text = json.dumps(case.answer)
        verdict = judge(read(text))
        said = f"case {number} of seed {SEED}, {case.how}: {verdict}\n{text}"
        if case.true or not isinstance(verdict, str):
            assert not isinstance(verdict, str), said
            assert verdict.quantity == round_quantity(case.executed), said
            assert verdict.cost == round_cost(case.cost), said
            assert verdict.commission == round_cost(case.commission), said
            assert verdict.quote_commission == round_cost(case.quote_commission), said
        else:
            assert verdict.isprintable(), said
        seen[case.true] += 1
    assert 0.2 < seen[True] / CASES < 0.3


@pytest.mark.parametrize("text", ["", "null", "[]", "7", "{}", "{", '"x"', "<html>", "[[]]", '{"orderId": 1}'])
def test_an_answer_that_is_no_order_is_unknown(read, text):
    assert isinstance(read(text), Unknown)


@pytest.mark.parametrize("first", ['"0.01"', "15.03", '"NEW"', "null", "{}"])
def test_an_answer_that_says_a_figure_in_two_ways_is_unknown(read, first):
    chance = random.Random(SEED)
    text = json.dumps(honest(chance).answer)
    assert isinstance(read(text), Executed)
    for name in ("executedQty", "cummulativeQuoteQty", "status", "clientOrderId"):
        doubled = text.replace(f'"{name}":', f'"{name}": {first}, "{name}":')
        assert isinstance(read(doubled), Unknown), name
    same = json.dumps(ORDER_ID)
    assert isinstance(read(text.replace('"orderId":', f'"orderId": {same}, "orderId":')), Executed)


def test_figures_are_exact(read):
    """A float would make 0.1 + 0.2 of it."""
    text = json.dumps(
        {
            "symbol": "ABANUSDT",
            "orderId": 1,
            "clientOrderId": CLIENT_ID,
            "status": "EXPIRED",
            "side": "BUY",
            "fills": [],
        }
    )
    figures = '"executedQty": 9007199254740993.00000001, "cummulativeQuoteQty": 0.10000000000000000555, '
    fills = (
        '"fills": [{"price": "1e-30", "qty": 9007199254740993.00000001, "commission": 0, "commissionAsset": "ABAN"}], '
    )
    answer = read(text.replace('"fills": []', '"a": 1').replace("{", "{" + figures + fills, 1))
    assert answer.reason == "cost 0.10000000000000000555, but its trades cost 0.00000000000000900719925474099300000001"
    assert Decimal("0.10000000000000000555") != Decimal("0.1")
