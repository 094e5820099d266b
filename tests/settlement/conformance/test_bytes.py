"""A purchase as it leaves: address, body byte by byte, and a signature over exactly these bytes."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qs

from settlement.venues.ccxt.adapter import CcxtVenue
from settlement.venues.ccxt.markets import markets
from tests.settlement.conformance import kraken, kucoin
from tests.settlement.conformance.harness import BUY, OUR_ID, Conformance, FakeWire, Sent


def purchase_at(venue: Conformance) -> Sent:
    """Buy, and return the purchase as it was sent; nobody answers it."""
    markets.forget()
    wire = FakeWire(list(venue.public))
    adapter = CcxtVenue(profile=venue.profile, config=venue.config)
    adapter._client.enableRateLimit = False
    adapter._client.session.mount("https://", wire)
    try:
        adapter.buy(purchase=BUY)
    finally:
        markets.forget()
    [purchase] = wire.unexpected
    return purchase


def sign_for_kraken(*, path: str, nonce: str, body: str, secret: str) -> str:
    digest = hashlib.sha256((nonce + body).encode()).digest()
    return base64.b64encode(hmac.digest(base64.b64decode(secret), path.encode() + digest, "sha512")).decode()


def test_the_signature_of_kraken_is_that_of_its_documentation():
    """Kraken's guide, Spot REST authentication, has this example."""
    signature = sign_for_kraken(
        path="/0/private/AddOrder",
        nonce="1616492376594",
        body="nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
        secret="kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==",
    )
    assert signature == "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="


def test_a_purchase_at_kraken():
    sent = purchase_at(kraken.CONFORMANCE)
    [nonce] = parse_qs(sent.body)["nonce"]
    assert (sent.method, sent.url) == ("POST", "https://api.kraken.com/0/private/AddOrder")
    assert sent.body == (
        f"nonce={nonce}&ordertype=limit&type=buy&pair=XXBTZUSD&volume=0.015&price=60000&timeinforce=IOC&oflags=fciq"
        f"&cl_ord_id={OUR_ID}&deadline=2026-11-27T12%3A00%3A05.250Z"
    )
    assert nonce.isdigit()
    assert int(nonce) < 2**64, "an unsigned number of 64 bits"
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert sent.headers["API-Key"] == "our-key"
    assert sent.headers["API-Sign"] == sign_for_kraken(
        path=sent.path, nonce=nonce, body=sent.body, secret=kraken.CONFORMANCE.config.api_secret
    )


def test_a_purchase_at_kucoin():
    """KuCoin's documentation, Authentication: time, method, path and body are signed, and the passphrase is, too."""
    sent = purchase_at(kucoin.CONFORMANCE)
    assert (sent.method, sent.url) == ("POST", "https://api.kucoin.com/api/v1/hf/orders")
    assert sent.body == (
        f'{{"clientOid":"{OUR_ID}","side":"buy","symbol":"BTC-USDT","type":"limit","price":"60000","size":"0.015",'
        '"timeInForce":"IOC","clientTimestamp":1795780800250,"allowMaxTimeWindow":5000}'
    )

    def signed(text: str) -> str:
        return base64.b64encode(hmac.digest(b"our-secret", text.encode(), "sha256")).decode()

    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["KC-API-KEY"] == "our-key"
    assert sent.headers["KC-API-TIMESTAMP"] == "1795780800250"
    assert sent.headers["KC-API-SIGN"] == signed(f"1795780800250POST/api/v1/hf/orders{sent.body}")
    assert sent.headers["KC-API-PASSPHRASE"] == signed("our-passphrase")
    assert sent.headers["KC-API-KEY-VERSION"] == "2"
