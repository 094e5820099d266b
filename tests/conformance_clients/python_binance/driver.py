"""Make calls with python-binance: reads a call a line, and prints the answer, a line of JSON.

It runs in the client's own environment, so it imports nothing of the project. Started with the venue's URL, key, secret.
"""  # noqa: INP001  a script

import json
import sys

from binance.client import Client
from binance.exceptions import BinanceAPIException

METHODS = {
    "GET ping": "ping",
    "GET time": "get_server_time",
    "GET depth": "get_order_book",
    "GET trades": "get_recent_trades",
    "GET klines": "get_klines",
    "GET avgPrice": "get_avg_price",
    "GET ticker/24hr": "get_ticker",
    "GET ticker/price": "get_symbol_ticker",
    "GET ticker/bookTicker": "get_orderbook_ticker",
    "POST order": "create_order",
    "POST order/test": "create_test_order",
    "GET order": "get_order",
    "DELETE order": "cancel_order",
    "GET openOrders": "get_open_orders",
    "GET allOrders": "get_all_orders",
    "GET myTrades": "get_my_trades",
    "GET account": "get_account",
}


def main(url, key, secret):
    for line in sys.stdin:
        call = json.loads(line)
        client = Client(call.get("key", key), call.get("secret", secret), ping=False)
        client.API_URL = f"{url}/api"
        client.REQUEST_RECVWINDOW = call["send"].get("recvWindow", client.REQUEST_RECVWINDOW)  # it sends none but this
        sys.stdout.write(json.dumps(answer(client, call)) + "\n")
        sys.stdout.flush()


def answer(client, call):
    try:
        body = make(client, call)
    except BinanceAPIException as error:
        return {"status": error.status_code, "body": error.response.json(), "code": error.code}
    return {"status": client.response.status_code, "body": body}


def make(client, call):
    name = METHODS.get(f"{call['method']} {call['path']}")
    if name and not call.get("raw"):
        return getattr(client, name)(**call["send"])
    return client._request_api(  # the client's own function for any call
        call["method"].lower(), call["path"], call["signed"], "v3", data=dict(call["send"])
    )


main(*sys.argv[1:])
