"""Settlement's pages of the admin; Django imports this package, and so registers them."""

from settlement.admin import attempts, batches, findings, jobs, pauses

__all__ = ["attempts", "batches", "findings", "jobs", "pauses"]
