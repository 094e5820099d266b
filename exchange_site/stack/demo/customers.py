"""The customers of the demo: programs that use the API."""

import time
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

import httpx

DEPOSIT: Final = Decimal("1000.00")
_QUOTING_SECONDS: Final = 30.0


@dataclass(kw_only=True)
class Customer:
    """A signed-in customer of the demo. `orders` holds, by id, each order as the API last returned it.

    `quotes` holds, by the order's id, the quotes that were used.
    """

    client: httpx.Client
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    quotes: dict[int, dict[str, Any]] = field(default_factory=dict)

    def place(self, *, coin: str, total: Decimal) -> None:
        """Order a coin for `total` US dollars."""
        body = {"crypto": coin, "total": str(total)}
        self._keep(_call(self.client, "POST", "orders/", json=body, headers=_new_key()))

    def place_by_quote(self, *, coin: str, total: Decimal) -> None:
        """Ask what coins for `total` US dollars cost, and order them at that price. If it is withdrawn, ask again."""
        deadline = time.monotonic() + _QUOTING_SECONDS
        while True:
            quote = _call(self.client, "POST", "quotes/", json={"crypto": coin, "total": str(total)})
            answer = self.client.post("orders/", json={"quote": quote["quote"]}, headers=_new_key())
            if answer.status_code != HTTPStatus.CONFLICT or time.monotonic() > deadline:
                break
            time.sleep(1)
        order = read_answer(answer)
        self._keep(order)
        self.quotes[order["id"]] = quote

    def refresh_orders(self) -> None:
        """Read the orders from the API again."""
        for order in _call(self.client, "GET", "orders/", params={"limit": 200}):
            self._keep(order)

    def find_pool(self, coin: str) -> dict[str, Any] | None:
        """Return the pool of a coin if an order of this customer waits in it, else None."""
        waiting = _call(self.client, "GET", "orders/", params={"state": "aggregated", "crypto": coin})
        return waiting[0]["pool"] if waiting else None

    def balance(self) -> Decimal:
        """Return the dollars in the wallet."""
        return Decimal(_call(self.client, "GET", "accounts/wallet/")["balance"])

    def holdings(self) -> dict[str, Decimal]:
        """Return the amount of each coin held, by name."""
        found = _call(self.client, "GET", "accounts/holdings/")
        return {entry["crypto"]: Decimal(entry["amount"]) for entry in found}

    def _keep(self, order: dict[str, Any]) -> None:
        self.orders[order["id"]] = order


class CallFailed(SystemExit):
    """A call of the API was refused. This ends the demo, unless it is caught."""


def open_account(api: str) -> Customer:
    """Register a customer and make a deposit."""
    client = httpx.Client(base_url=f"{api}/api/v1/", timeout=30)
    name = f"demo-{uuid.uuid4().hex[:12]}"
    tokens = _call(client, "POST", "accounts/auth/register/", json={"username": name, "password": "password123"})
    client.headers["Authorization"] = f"Bearer {tokens['access']}"
    _call(client, "PATCH", "accounts/wallet/deposit/", json={"amount": str(DEPOSIT)}, headers=_new_key())
    return Customer(client=client)


def list_orders(customers: list[Customer]) -> list[dict[str, Any]]:
    """Return the orders of all customers, as the API last returned them."""
    return [order for customer in customers for order in customer.orders.values()]


def read_answer(response: httpx.Response) -> Any:
    """Return the answer's body. Raises CallFailed."""
    if response.is_error:
        raise CallFailed(f"{response.request.method} {response.request.url}: {response.status_code} {response.text}")
    return response.json()


def _call(client: httpx.Client, method: str, path: str, **request: Any) -> Any:
    """Call the API. After a 429 or `busy`, wait as long as it says and call again, as every client should."""
    while _is_to_wait(response := client.request(method, path, **request)):
        time.sleep(int(response.headers["Retry-After"]))
    return read_answer(response)


def _is_to_wait(response: httpx.Response) -> bool:
    """Say whether a rate limit refuses the call, or too many passwords are being hashed at this moment."""
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return bool(response.json()["code"] == "busy")
    return response.status_code == HTTPStatus.TOO_MANY_REQUESTS


def _new_key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}
