"""Logs: one JSON object a line in production, for machines; a line of text in development."""

import logging

from exchange_site.settings.environment import configuration

_DEBUG = configuration.django.debug
_LEVEL = configuration.django.log_level.upper()

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "wallets.runtime.log_context.AddContext"}},
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
        # One line per request refused would say the access log's again.
        "django.request": {"level": "ERROR"},
        "procrastinate": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}
# Nothing above names the thread, the process or the line of code, and finding them is half of what a record costs:
# https://docs.python.org/3/howto/logging.html#optimization
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
logging._srcfile = None  # noqa: SLF001  by this name in Python's documentation
