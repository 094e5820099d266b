"""What Coinbase and Bybit are sent, byte for byte: hosts, signatures, bodies and cursors."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from settlement.venues.ccxt.adapter import CcxtVenue
from settlement.venues.ccxt.markets import markets
from tests.settlement.conformance import bybit, coinbase
from tests.settlement.conformance.harness import OUR_ID, Config, FakeWire, buy


def sent_by_a_purchase(venue, answers, **config):
    """Buy, and return the requests that carry the key."""
    markets.forget()
    wire = FakeWire([*answers, *venue.public])
    adapter = CcxtVenue(profile=venue.profile, config=Config(**{**vars(venue.config), **config}))
    adapter._client.enableRateLimit = False
    adapter._client.session.mount("https://", wire)
    try:
        buy(adapter)
    finally:
        markets.forget()
    assert not wire.unexpected
    return [sent for sent in wire.sent if "Authorization" in sent.headers or "X-BAPI-SIGN" in sent.headers]


def decoded(part):
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


class TestCoinbase:
    """Advanced Trade, API Key Authentication; Create Order."""

    def requests(self):
        answers = [coinbase.placed(), coinbase.queried(coinbase.order()), coinbase.fills(coinbase.TRADES)]
        return sent_by_a_purchase(coinbase.CONFORMANCE, answers)

    def test_gets_a_token_for_each_method_and_path_that_lasts_two_minutes(self):
        key = serialization.load_pem_private_key(coinbase.PEM.encode(), password=None).public_key()
        nonces, uris = set(), []
        for sent in self.requests():
            kind, token = sent.headers["Authorization"].split(" ")
            head, claims, signature = token.split(".")
            numbers = [int.from_bytes(half, "big") for half in (decoded(signature)[:32], decoded(signature)[32:])]
            key.verify(encode_dss_signature(*numbers), f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
            header, said = json.loads(decoded(head)), json.loads(decoded(claims))
            assert (kind, header["alg"], header["kid"]) == ("Bearer", "ES256", coinbase.KEY)
            assert (said["sub"], said["exp"] - said["nbf"]) == (coinbase.KEY, 120)
            nonces.add(header["nonce"])
            uris.append(said["uri"])
        assert uris == [
            "POST api.coinbase.com/api/v3/brokerage/orders",
            f"GET api.coinbase.com/api/v3/brokerage/orders/historical/{coinbase.ORDER}",
            "GET api.coinbase.com/api/v3/brokerage/orders/historical/fills",
        ]
        assert len(nonces) == len(uris)

    def test_gets_the_purchase_and_the_questions_in_the_documented_form(self):
        purchase, by_id, fills = self.requests()
        assert purchase.body == (
            f'{{"client_order_id":"{OUR_ID}","product_id":"BTC-USD","side":"BUY",'
            '"order_configuration":{"sor_limit_ioc":{"base_size":"0.015","limit_price":"60000"}}}'
        )
        assert not by_id.body
        assert fills.url == (
            f"https://api.coinbase.com/api/v3/brokerage/orders/historical/fills?order_ids={coinbase.ORDER}&limit=250"
        )


class TestBybit:
    """V5, Integration Guidance: authentication; Place Order."""

    def requests(self, *, cursor="", **config):
        answers = [bybit.placed(), bybit.realtime([bybit.order()])]
        pages = [bybit.fills(bybit.MANY[:100], cursor), bybit.fills(bybit.MANY[100:], after="132766:2,132766:2")]
        answers += pages if cursor else [bybit.fills(bybit.TRADES)]
        return sent_by_a_purchase(bybit.CONFORMANCE, answers, **config)

    def test_gets_the_purchase_signed_as_it_was_sent(self):
        purchase = self.requests()[0]
        assert purchase.url == "https://api.bybit.com/v5/order/create"
        assert purchase.body == (
            '{"category":"spot","symbol":"BTCUSDT","isLeverage":0,"side":"Buy","orderType":"Limit","qty":"0.015",'
            f'"price":"60000","timeInForce":"IOC","orderLinkId":"{OUR_ID}"}}'
        )
        assert purchase.headers["X-BAPI-SIGN"] == signature_of(purchase, purchase.body)
        assert purchase.headers["X-BAPI-TIMESTAMP"] == "1795780800250"

    def test_gets_its_cursor_back_as_it_came_and_signed_so(self):
        cursor = "132766%3A2%2C132766%3A2"
        last = self.requests(cursor=cursor)[-1]
        query = f"category=spot&orderId={bybit.ORDER}&limit=100&cursor={cursor}"
        assert last.url == f"https://api.bybit.com/v5/execution/list?{query}"
        assert last.headers["X-BAPI-SIGN"] == signature_of(last, query)

    def test_is_the_testnet_in_the_sandbox(self):
        assert {sent.url.split("/v5/")[0] for sent in self.requests(sandbox=True)} == {"https://api-testnet.bybit.com"}


def signature_of(sent, payload):
    text = sent.headers["X-BAPI-TIMESTAMP"] + "our-key" + sent.headers["X-BAPI-RECV-WINDOW"] + payload
    return hmac.new(b"our-secret", text.encode(), hashlib.sha256).hexdigest()
