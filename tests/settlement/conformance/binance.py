"""Cases for Binance alone: answers in the form of its spot REST API documentation, made by hand."""

from decimal import Decimal

from settlement.venues.profiles.binance import BINANCE
from settlement.venues.protocol import AccountTerms, Executed, Trouble
from tests.settlement.conformance.dialects.binance import FILLED, FILTERS, conformance, placed, refused
from tests.settlement.conformance.dialects.binance_oddities import BODY, SIGNATURE, oddities
from tests.settlement.conformance.harness import Case, FakeReply, terms

RESTRICTED = (
    "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms."
    " Please contact customer service if you believe you received this message in error."
)
CASES = [
    refused(
        "refused: permission",
        0,
        RESTRICTED,
        Trouble.VENUE,
        status=451,
        source="recorded by many users of public clients",
        name="a country",
    ),
    Case(
        row="sent as documented",
        name="to the test network",
        source="{api}, Testnet",
        config={"sandbox": True},
        answers=[placed(FILLED)],
        expected=Executed,
        url="https://testnet.binance.vision/api/v3/order",
        body=f"{BODY}&signature={SIGNATURE}",
    ),
    refused("refused: size", -1013, "Filter failure: NOTIONAL", None, source=FILTERS, name="notional"),
    refused("refused: price band", -1013, "Filter failure: PERCENT_PRICE_BY_SIDE", None, source=FILTERS),
    Case(
        row="third asset seen at start",
        source="{api}, Query Commission Rates",
        call=terms,
        answers=[
            FakeReply(method="GET", path="/api/v3/account", body={"canTrade": True, "balances": []}),
            FakeReply(
                method="GET",
                path="/api/v3/account/commission",
                having={"symbol": "BTCUSDT"},
                body={
                    "symbol": "BTCUSDT",
                    "standardCommission": {
                        "maker": "0.00000010",
                        "taker": "0.00100000",
                        "buyer": "0.00020000",
                        "seller": "0.00000040",
                    },
                    "taxCommission": {"maker": "0", "taker": "0.00010000", "buyer": "0", "seller": "0"},
                    "discount": {
                        "enabledForAccount": True,
                        "enabledForSymbol": True,
                        "discountAsset": "BNB",
                        "discount": "0.75000000",
                    },
                },
            ),
        ],
        expected=AccountTerms(can_trade=True, taker_rate=Decimal("0.0013"), third_asset="BNB"),
    ),
]

CONFORMANCE = conformance(
    profile=BINANCE,
    api="spot REST API",
    minimum={"filterType": "NOTIONAL", "minNotional": "5.00", "applyMinToMarket": True, "avgPriceMins": 5},
    cases=[*CASES, *oddities(host="api.binance.com", smallest=5)],
)
