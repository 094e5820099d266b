"""Settlement's admin pages. Django imports this package, and the imports below register the pages."""

from settlement.admin import accounts, attempts, batches, failing, findings, installations, jobs, pauses, venues

__all__ = ["accounts", "attempts", "batches", "failing", "findings", "installations", "jobs", "pauses", "venues"]
