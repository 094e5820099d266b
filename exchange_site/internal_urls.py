"""Paths for health checks and Prometheus, which call by IP address instead of host name. See InternalPaths."""

from django.urls import path

from exchange_site import health
from exchange_site.metrics.endpoint import metrics

urlpatterns = [
    path("health/", health.alive),
    path("health/ready/", health.ready),
    path("metrics/", metrics),
]
