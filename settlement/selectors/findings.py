"""Reading findings."""

from django.db.models import Count

from settlement.models import Finding, FindingKind


def count_open_findings() -> dict[str, int]:
    """Count the findings that nobody has closed, by kind."""
    counts = dict.fromkeys(FindingKind.values, 0)
    counts.update(Finding.objects.filter(closed_at=None).values_list("kind").annotate(count=Count("id")))
    return counts
