"""Make calls with Binance's own SDK for spot: reads a call a line, and prints the answer, a line of JSON.

It runs in the client's own environment, so it imports nothing of the project. Started with the venue's URL, key, secret.
What the SDK warns about, such as an answer that does not fit its models, is reported as raised.
"""  # noqa: INP001  a script

import json
import logging
import re
import sys

from binance_common.configuration import ConfigurationRestAPI
from binance_common.errors import Error
from binance_common.utils import send_request
from binance_sdk_spot.spot import Spot

METHODS = {
    "GET ping": "ping",
    "GET time": "time",
    "GET exchangeInfo": "exchange_info",
    "GET depth": "depth",
    "GET trades": "get_trades",
    "GET klines": "klines",
    "GET avgPrice": "avg_price",
    "GET ticker/24hr": "ticker24hr",
    "GET ticker/price": "ticker_price",
    "GET ticker/bookTicker": "ticker_book_ticker",
    "GET account": "get_account",
    "GET account/commission": "account_commission",
    "GET rateLimit/order": "rate_limit_order",
    "POST order": "new_order",
    "POST order/test": "order_test",
    "GET order": "get_order",
    "DELETE order": "delete_order",
    "GET openOrders": "get_open_orders",
    "GET allOrders": "all_orders",
    "GET myTrades": "my_trades",
}


class Warnings(logging.Handler):
    """Keeps what the SDK logs."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


def main(url, key, secret):
    warnings = Warnings()
    logging.getLogger().addHandler(warnings)
    for line in sys.stdin:
        call = json.loads(line)
        configuration = ConfigurationRestAPI(
            api_key=call.get("key", key), api_secret=call.get("secret", secret), base_path=url, retries=0
        )
        warnings.said.clear()
        told = answer(Spot(config_rest_api=configuration).rest_api, call)
        if warnings.said:
            told["raised"] = "; ".join(warnings.said)[:300]
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def answer(client, call):
    seen = []
    client._session.hooks["response"].append(lambda response, **_: seen.append(response))
    told = {}
    try:
        make(client, call).data()
    except Error as error:
        told = {"code": getattr(error, "status_code", None), "raised": f"{type(error).__name__}: {error}"}
    except Exception as error:  # noqa: BLE001  whatever the client fails with is what is to be told
        told = {"raised": f"{type(error).__name__}: {error}"[:300]}
    if not seen:
        return {"status": None, "body": None, **told}
    return {"status": seen[-1].status_code, "body": seen[-1].json(), **told}


def make(client, call):
    name = METHODS.get(f"{call['method']} {call['path']}")
    if name and not call.get("raw"):
        return getattr(client, name)(**{snake(key): value(key, sent) for key, sent in call["send"].items()})
    return send_request(  # what all its methods call; the method for any call fails in this version
        client._session,
        client.configuration,
        call["method"],
        f"/api/v3/{call['path']}",
        dict(call["send"]),
        is_signed=call["signed"],
        signer=client._signer,
    )


def snake(name):
    return re.sub("([A-Z])", lambda found: "_" + found.group().lower(), name)


def value(name, sent):
    return json.loads(sent) if name == "symbols" else sent


main(*sys.argv[1:])
