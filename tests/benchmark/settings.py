"""The production settings, with one more path: an operation that does nothing."""

from exchange_site.settings import *  # noqa: F403  all of them

ROOT_URLCONF = "tests.benchmark.urls"
