"""Sends errors to a tracker that speaks Sentry's protocol (https://develop.sentry.dev/sdk/).

An event is a line of the log at ERROR or above: the type of its exception and the lines of code, its message as it
stands in the code, and the ids of the log context. Values are left out, above all the exception's own words: Postgres
writes rows into them, and venues whole answers.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

import sentry_sdk
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger
from sentry_sdk.types import Event, Hint

from exchange_site.configuration.telemetry import Telemetry
from exchange_site.telemetry.facts import keep_listed
from exchange_site.version import VERSION
from wallets.runtime.log_context import current_ids

_FLUSH_SECONDS: Final = 2
_OF_EVENT: Final = ("event_id", "timestamp", "level", "platform", "logger", "release", "environment")
_OF_EXCEPTION: Final = ("type", "module")
_OF_MECHANISM: Final = ("type", "handled", "exception_id", "parent_id", "is_exception_group")
_OF_FRAME: Final = ("filename", "module", "function", "lineno", "in_app", "pre_context", "context_line", "post_context")
_OURS: Final = ("exchange_site", "settlement", "trading", "wallets", "security")


def report_errors(given: Telemetry) -> Callable[[], None]:
    """Report errors from now on. Return what sends those that still wait, for at most two seconds."""
    sentry_sdk.init(
        dsn=given.sentry_dsn,
        release=f"crypto-exchange@{VERSION}",
        environment=given.sentry_environment,
        integrations=[LoggingIntegration(level=None, sentry_logs_level=None), ExcepthookIntegration()],
        default_integrations=False,
        auto_enabling_integrations=False,
        before_send=keep_allowed,
        before_send_transaction=_keep_none,
        include_local_variables=False,
        max_request_body_size="never",
        send_default_pii=False,
        send_client_reports=False,
        auto_session_tracking=False,
        enable_backpressure_handling=False,
        max_breadcrumbs=0,
        spotlight=False,
        shutdown_timeout=_FLUSH_SECONDS,
    )
    ignore_logger("opentelemetry*")  # a collector that is away is no error of ours
    return lambda: sentry_sdk.flush(timeout=_FLUSH_SECONDS)


def keep_allowed(event: Event, hint: Hint) -> Event:
    """Return a new event with the facts that may leave. Whatever else the library has gathered stays here."""
    given = cast("dict[str, Any]", event)
    record: logging.LogRecord | None = hint.get("log_record")
    kept = _only(_OF_EVENT, given)
    if record is not None:
        kept["logentry"] = {"message": _message_of(record)}
    if exceptions := given.get("exception", {}).get("values"):
        kept["exception"] = {"values": [_keep_of_exception(each) for each in exceptions]}
    kept |= _keep_of_context(record)
    return cast("Event", kept)


def _keep_none(_event: Event, _hint: Hint) -> None:
    """Keep back what is no error."""


def _message_of(record: logging.LogRecord) -> str:
    """Return the message as it stands in the code, without its values. Other libraries put values into it."""
    is_ours = record.name.partition(".")[0] in _OURS and isinstance(record.msg, str)
    return str(record.msg) if is_ours else f"an error of {record.name}"


def _keep_of_exception(given: Mapping[str, Any]) -> dict[str, Any]:
    frames = (given.get("stacktrace") or {}).get("frames") or []
    return {
        **_only(_OF_EXCEPTION, given),
        "mechanism": _only(_OF_MECHANISM, given.get("mechanism") or {}),
        "stacktrace": {"frames": [_only(_OF_FRAME, frame) for frame in frames]},
    }


def _keep_of_context(record: logging.LogRecord | None) -> dict[str, Any]:
    """Return the ids of the log context as tags, and the trace in which the error happened."""
    ids = current_ids()
    job = getattr(record, "job", None)  # Procrastinate's, about a job that failed
    task = {"task": job.get("task_name")} if isinstance(job, dict) else {}
    kept: dict[str, Any] = {"tags": {name: str(value) for name, value in keep_listed({**ids, **task})}}
    if ids.get("trace_id"):
        kept["contexts"] = {"trace": {"trace_id": ids["trace_id"], "span_id": ids.get("span_id", "0" * 16)}}
    return kept


def _only(names: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}
