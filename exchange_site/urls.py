"""Every path, each in its form with a trailing slash; the form without is answered the same."""

from django.conf import settings
from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from exchange_site import health, pages
from exchange_site.admin import change_own_password
from exchange_site.api import api
from exchange_site.metrics import metrics
from exchange_site.operators import attention

urlpatterns = [
    path("api/v1/swagger/", pages.swagger),
    path("api/v1/redoc/", pages.redoc),
    path("api/v1/redoc/redoc.js/", pages.redoc_script),
    path("api/v1/", api.urls),
    path("", pages.home),
    path("favicon.ico/", RedirectView.as_view(url=f"{settings.STATIC_URL}exchange_site/icon.svg")),
    path("admin/attention/", admin.site.admin_view(attention), name="attention"),
    path("admin/password_change/", admin.site.admin_view(change_own_password)),
    path("admin/", admin.site.urls),
    path("health/", health.alive),
    path("health/ready/", health.ready),
    path("metrics/", metrics),
]
