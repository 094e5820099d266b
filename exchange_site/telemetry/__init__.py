"""Tells an error tracker about errors, and a collector about traces, if the environment names one.

What leaves is listed, fact by fact: no address, name, token, amount, header or body, and no text of an error, which may
hold any of these. Without the variables we import neither package; redis-py imports a part of OpenTelemetry where it is
installed, and uses none of it.
"""

from collections.abc import Callable
from multiprocessing.util import Finalize

from django.conf import settings


def begin() -> None:
    """Report errors and export traces from now on. Call it once a process, after the process was forked."""
    given = settings.TELEMETRY
    if given.sentry_dsn:
        from exchange_site.telemetry.errors import report_errors

        _at_end(report_errors(given))
    if given.otlp_endpoint:
        from exchange_site.telemetry.traces import export_traces

        _at_end(export_traces(given))


def _at_end(flush: Callable[[], object]) -> None:
    """Call `flush` when this process ends. `atexit` alone would not: a forked process ends without it."""
    Finalize(None, flush, exitpriority=1)
