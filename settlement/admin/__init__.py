"""Settlement's admin pages. Django imports this package, and the imports below register the pages."""

from settlement.admin import attempts, batches, failing, findings, jobs, pauses

__all__ = ["attempts", "batches", "failing", "findings", "jobs", "pauses"]
