"""The API: all routers, one error format, exact JSON, one OpenAPI document."""

from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from exchange_site.api.bodies import ExactJsonParser, ExactJsonRenderer
from exchange_site.api.openapi import finish
from exchange_site.api.parameters import refuse_other_parameters
from exchange_site.api.problems import answer_problems
from exchange_site.api.story import story_router
from exchange_site.version import VERSION
from trading.api.coins import coins_router
from trading.api.holdings import holdings_router
from trading.api.orders import orders_router
from trading.api.quotes import quotes_router
from trading.api.statements import statements_router
from wallets.api.accounts import accounts_router
from wallets.api.deposits import deposits_router
from wallets.api.me import me_router
from wallets.api.mfa import mfa_router
from wallets.api.payees import payees_router
from wallets.api.payouts import payouts_router
from wallets.api.sessions import sessions_router
from wallets.api.transactions import transactions_router
from wallets.api.wallet import wallet_router

_DESCRIPTION = """
Buy cryptocurrency from a US dollar wallet.

Register, and send the access token as `Authorization: Bearer <token>`. Amounts are strings in plain decimal
notation (numbers are accepted too). They are exact in requests and answers: US dollars have 2 decimal places, amounts
of coins have 8, and prices have 8 or more. Errors are `application/problem+json` with a stable `code`; the page
`/problems/` says what each means. Every path works with and without its trailing slash, and `HEAD` gets the status and
headers of `GET`. A body that arrives late (408) or is too large (413) is refused also where none is needed. What is not
HTTP, such as a header with a control character, or exceeds its limits, such as more than 100 headers, gets an empty
answer: 400, 414 or 431.

`Idempotency-Key` makes orders, deposits, withdrawals and payouts safe to repeat. Orders below the threshold
are pooled per coin and bought in bulk. The header `RateLimit` of every answer tells how many calls the caller has left.
"""


class ExchangeApi(NinjaAPI):
    """Ninja's API, whose OpenAPI document is completed and built once per process."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        return self._document

    def create_temporal_response(self, request: HttpRequest) -> HttpResponse:
        """Return an answer without a body yet. Ninja's has an empty text, which Django looks up an encoding for."""
        return HttpResponse(content_type=self.get_content_type())

    @cached_property
    def _document(self) -> OpenAPISchema:
        document = super().get_openapi_schema()
        finish(document)
        return document


api = ExchangeApi(
    title="Crypto Exchange",
    version=VERSION,
    description=_DESCRIPTION.strip(),
    docs_url=None,
    docs_decorator=require_safe,
    openapi_url="openapi.json/",
    openapi_extra={
        "tags": [
            {"name": "accounts", "description": "Signing in, the account itself, the dollar wallet, coins held."},
            {"name": "coins", "description": "The coins on sale and their prices."},
            {"name": "orders", "description": "Buying coins."},
            {"name": "transactions", "description": "The statement of the dollar wallet."},
        ],
    },
    parser=ExactJsonParser(),
    renderer=ExactJsonRenderer(),
    urls_namespace="api",
)
api.add_decorator(refuse_other_parameters)
# Paths are compared in this order, and each comparison takes time: the busiest come first.
api.add_router("quotes/", quotes_router)
api.add_router("orders/", orders_router)
api.add_router("accounts/", wallet_router)
api.add_router("exchanges/", coins_router)
api.add_router("accounts/", holdings_router)
api.add_router("transactions/", transactions_router)
api.add_router("accounts/", accounts_router)
api.add_router("accounts/", me_router)
api.add_router("accounts/", sessions_router)
api.add_router("accounts/", mfa_router)
api.add_router("accounts/", deposits_router)
api.add_router("accounts/", payees_router)
api.add_router("accounts/", payouts_router)
api.add_router("accounts/", statements_router)
api.add_router("sandbox/", story_router)
answer_problems(api)
