"""Read findings."""

from django.db.models import Count

from settlement.models import Finding, FindingKind


def count_open_findings() -> dict[str, int]:
    """Count the open findings, by kind."""
    counts = dict.fromkeys(FindingKind.values, 0)
    counts.update(Finding.objects.filter(closed_at=None).values_list("kind").annotate(count=Count("id")))
    return counts
