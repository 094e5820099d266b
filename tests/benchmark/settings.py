"""The settings of production, with an additional operation that does nothing."""

from exchange_site.settings import *  # noqa: F403  all of them

ROOT_URLCONF = "tests.benchmark.urls"
