"""The middleware of Procrastinate's that makes a span of each run of a job."""

from collections.abc import Callable
from typing import Any

from procrastinate import JobContext

from wallets.runtime import tracing
from wallets.runtime.log_context import log_context


def trace_job(run: Callable[[], Any], context: JobContext, _worker: Any) -> Any:
    """Run a job in a span that continues the trace in which the job was enqueued."""
    job = context.job
    facts = {**job.task_kwargs, "task": job.task_name, "queue": job.queue, "attempts": job.attempts}
    facts = {name: value for name, value in facts.items() if name not in {"kind", "parent"}}
    with tracing.span("job", parent=tracing.read_mark(job.lock), **facts) as span, log_context(trace_id=span.trace_id):
        return run()
