"""The API as a whole: every router, one form of errors, exact JSON, one document."""

from functools import cached_property
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from exchange_site.api.bodies import ExactJsonParser, ExactJsonRenderer
from exchange_site.api.openapi import finish
from exchange_site.api.problems import answer_problems
from trading.api.coins import coins_router
from trading.api.holdings import holdings_router
from trading.api.orders import orders_router
from wallets.api.accounts import accounts_router
from wallets.api.transactions import transactions_router
from wallets.api.wallet import wallet_router

_DESCRIPTION = """
Buy cryptocurrency from a US dollar wallet.

Register, and send the access token as `Authorization: Bearer <token>`. Amounts are strings in plain decimal
notation (numbers are accepted too), exact both ways: US dollars with 2 places, coins and prices with 8. Errors are
`application/problem+json` with a stable `code`. Every path answers with and without its trailing slash.

`Idempotency-Key` makes placing an order, depositing and withdrawing safe to repeat. Orders below the threshold
are pooled per coin and bought in bulk. Every answer says in `RateLimit` what is left of the caller's limits.
"""


class ExchangeApi(NinjaAPI):
    """Ninja's API with its document completed, and made once a process."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        return self._document

    @cached_property
    def _document(self) -> OpenAPISchema:
        document = super().get_openapi_schema()
        finish(document)
        return document


api = ExchangeApi(
    title="Crypto Exchange",
    version="1",
    description=_DESCRIPTION.strip(),
    docs_url=None,
    openapi_url="openapi.json/",
    openapi_extra={
        "tags": [
            {"name": "accounts", "description": "Signing in, the dollar wallet, coins held."},
            {"name": "coins", "description": "What is sold, and at what price."},
            {"name": "orders", "description": "Buying coins."},
            {"name": "transactions", "description": "The statement of the dollar wallet."},
        ],
    },
    parser=ExactJsonParser(),
    renderer=ExactJsonRenderer(),
    urls_namespace="api",
)
api.add_router("accounts/", accounts_router)
api.add_router("accounts/", wallet_router)
api.add_router("accounts/", holdings_router)
api.add_router("exchanges/", coins_router)
api.add_router("orders/", orders_router)
api.add_router("transactions/", transactions_router)
answer_problems(api)
