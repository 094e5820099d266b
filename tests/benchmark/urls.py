"""The site's URLs, and an empty operation, which measures Django, Ninja, the middleware and the server alone."""

from django.http import HttpRequest
from django.urls import path
from ninja import NinjaAPI

from exchange_site.urls import urlpatterns as site

api = NinjaAPI(urls_namespace="benchmark", docs_url=None, openapi_url=None)


@api.get("empty/")
def empty(request: HttpRequest) -> dict[str, str]:
    return {}


urlpatterns = [path("api/benchmark/", api.urls), *site]
