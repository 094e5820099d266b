"""Every path, each in its form with a trailing slash; the form without is answered the same."""

from django.contrib import admin
from django.urls import path

from exchange_site import health
from exchange_site.api import api, redoc
from exchange_site.metrics import metrics

urlpatterns = [
    path("admin/", admin.site.urls),
    path("health/", health.alive),
    path("health/ready/", health.ready),
    path("metrics/", metrics),
    path("api/v1/redoc/", redoc),
    path("api/v1/", api.urls),
]
