"""All paths, with a trailing slash. OptionalTrailingSlash makes them work without it as well."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from exchange_site import pages
from exchange_site.admin.result import result
from exchange_site.admin.site import change_own_password
from exchange_site.admin.to_do import to_do
from exchange_site.api import api
from exchange_site.documents import PAGES
from exchange_site.problems.pages import all_problems, one_problem
from wallets.web.problems import PROBLEM_PAGES

handler400 = "exchange_site.middleware.problems.bad_request"
handler500 = "exchange_site.middleware.problems.crash"

urlpatterns = [
    path("api/v1/", api.urls),  # first, for it is asked for most
    path("api/v1/swagger/", pages.swagger),
    path("api/v1/redoc/", pages.redoc),
    path("api/v1/redoc/redoc.js/", pages.redoc_script),
    path("", pages.home),
    path(PROBLEM_PAGES.removeprefix("/"), all_problems, name="problems"),
    path(f"{PROBLEM_PAGES.removeprefix('/')}<str:code>/", one_problem, name="problem"),
    *(path(page.removeprefix("/"), pages.document, {"name": name}) for name, page in PAGES.items()),
    path("favicon.ico/", RedirectView.as_view(url=f"{settings.STATIC_URL}exchange_site/icon.svg")),
    path("admin/attention/", admin.site.admin_view(to_do), name="to_do"),
    path("admin/result/", admin.site.admin_view(result), name="result"),
    path("admin/password_change/", admin.site.admin_view(change_own_password)),
    path("admin/", admin.site.urls),
    path("", include("exchange_site.internal_urls")),
]
