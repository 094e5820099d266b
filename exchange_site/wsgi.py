"""The WSGI application, loaded and then excluded from garbage collection."""

import gc
import os

import django
from django.urls import get_resolver

from exchange_site.database.role_check import check_first_connection
from exchange_site.handler import Handler, forget_idle_receivers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_site.settings")
django.setup(set_prefix=False)

application = Handler()
forget_idle_receivers()
check_first_connection()

# All objects loaded so far live as long as the process. Without the freeze the collector would scan them every few
# requests, which costs an eighth of the time of placing an order.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 20)
