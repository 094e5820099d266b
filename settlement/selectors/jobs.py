"""Read the queues."""

from dataclasses import dataclass, field

from settlement.queue import count_jobs, measure_oldest_due


@dataclass(kw_only=True)
class QueueSummary:
    """A queue's number of jobs by status, and the waiting time of its oldest job that is due."""

    name: str
    counts: dict[str, int] = field(default_factory=dict)
    oldest_due_seconds: float = 0.0


def summarise_jobs() -> list[QueueSummary]:
    """Sum up each queue that holds jobs."""
    queues: dict[str, QueueSummary] = {}
    for name, status, count in count_jobs():
        queues.setdefault(name, QueueSummary(name=name)).counts[status] = count
    for name, age in measure_oldest_due().items():
        queues.setdefault(name, QueueSummary(name=name)).oldest_due_seconds = max(age.total_seconds(), 0.0)
    return sorted(queues.values(), key=lambda queue: queue.name)
