"""Logs: a JSON object per line in production, a line of text in development."""

import logging
from http import HTTPStatus

from exchange_site.settings.environment import configuration

_DEBUG = configuration.django.debug
_LEVEL = configuration.django.log_level.upper()


def _is_no_refusal(record: logging.LogRecord) -> bool:
    return getattr(record, "status_code", None) != HTTPStatus.SERVICE_UNAVAILABLE


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "context": {"()": "wallets.runtime.log_context.AddContext"},
        "not_a_refusal": {"()": "django.utils.log.CallbackFilter", "callback": _is_no_refusal},
    },
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "{asctime}{levelname}{name}{message}",
            "style": "{",
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
        },
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "filters": ["context"],
            "formatter": "line" if _DEBUG else "json",
        },
    },
    "root": {"handlers": ["console"], "level": _LEVEL},
    "loggers": {
        "exchange_site.access": {"level": "WARNING" if _DEBUG else _LEVEL},
        # Django's line for a refused request would repeat the access log's line. Nor may a flood that is refused as
        # `busy`, or with a Host that is not ours, fill the log with errors: what is really away is logged by our code.
        "django.request": {"level": "ERROR", "filters": ["not_a_refusal"]},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "procrastinate": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "security": {"level": "INFO"},  # whatever LOGLEVEL says
        # At DEBUG these write signed URLs, and headers with the venue's key.
        "ccxt": {"level": "INFO"},
        "urllib3": {"level": "INFO"},
    },
}
# The formats above use neither thread nor process nor line of code, and finding these is half of a record's cost:
# https://docs.python.org/3/howto/logging.html#optimization
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
logging._srcfile = None  # noqa: SLF001  by this name in Python's documentation
