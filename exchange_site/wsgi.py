"""The application, loaded and kept out of the garbage collector's way."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_site.settings")
application = get_wsgi_application()

# Everything loaded by now stays for good. The collector would walk over it every few requests: an eighth of the time
# of placing an order.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 20)
