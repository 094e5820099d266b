"""The NinjaAPI: every router, one form of errors, exact JSON, two pages of documentation."""

from typing import Any

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.openapi.docs import Redoc, Swagger
from ninja.renderers import BaseRenderer

from exchange_site.bodies import ExactJsonParser, to_json
from exchange_site.problems import answer_problems
from trading.api import coins_router, holdings_router, orders_router
from wallets.api import accounts_router, transactions_router


class Renderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> str:
        return to_json(data)


api = NinjaAPI(
    title="Crypto Exchange",
    version="1",
    description="Buy cryptocurrency from a US dollar wallet.",
    docs=Swagger(),
    docs_url="swagger/",
    openapi_url="openapi.json/",
    parser=ExactJsonParser(),
    renderer=Renderer(),
    urls_namespace="api",
)
api.add_router("accounts/", accounts_router)
api.add_router("accounts/", holdings_router)
api.add_router("exchanges/", coins_router)
api.add_router("orders/", orders_router)
api.add_router("transactions/", transactions_router)
answer_problems(api)

_redoc = Redoc()


def redoc(request: HttpRequest) -> Any:
    """The second page of documentation: Ninja itself serves one."""
    return _redoc.render_page(request, api)
