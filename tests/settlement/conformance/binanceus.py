"""Cases for Binance.US alone: answers in the form of its own REST API documentation, made by hand."""

from decimal import Decimal

from settlement.venues.profiles.binanceus import BINANCEUS
from settlement.venues.protocol import AccountTerms
from tests.settlement.conformance.dialects.binance import FILTERS, conformance, refused
from tests.settlement.conformance.dialects.binance_oddities import oddities
from tests.settlement.conformance.harness import Case, FakeReply, terms

ACCOUNT = "{api}, Account information"

CASES = [
    refused("refused: size", -1013, "Filter failure: MIN_NOTIONAL", None, source=FILTERS, name="notional"),
    refused("refused: price band", -1013, "Filter failure: PERCENT_PRICE", None, source=FILTERS),
    Case(
        row="third asset seen at start",
        name="permission and rate; whether fees are taken in BNB is not told",
        source=ACCOUNT,
        call=terms,
        answers=[
            FakeReply(
                method="GET",
                path="/api/v3/account",
                body={
                    "makerCommission": 10,
                    "takerCommission": 10,
                    "commissionRates": {"maker": "0.001", "taker": "0.0057", "buyer": "0", "seller": "0"},
                    "canTrade": True,
                    "balances": [],
                },
            ),
        ],
        expected=AccountTerms(can_trade=True, taker_rate=Decimal("0.0057")),
    ),
    Case(
        row="third asset seen at start",
        name="no rates are told",
        source=ACCOUNT,
        call=terms,
        answers=[FakeReply(method="GET", path="/api/v3/account", body={"canTrade": False, "balances": []})],
        expected=AccountTerms(can_trade=False),
    ),
]

CONFORMANCE = conformance(
    profile=BINANCEUS,
    api="Binance.US REST API",
    minimum={"filterType": "MIN_NOTIONAL", "minNotional": "10.00", "applyToMarket": True, "avgPriceMins": 5},
    cases=[*CASES, *oddities(host="api.binance.us", smallest=10)],
)
