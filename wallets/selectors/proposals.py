"""Reads the proposals that wait for a second person."""

from datetime import datetime

from django.db.models import Q, QuerySet

from wallets.models import Proposal


def is_open(*, now: datetime) -> Q:
    """Return the condition that a proposal waits for a decision at a moment."""
    return Q(needs_two=True, record=None, expires_at__gt=now)


def list_open_proposals(*, now: datetime) -> QuerySet[Proposal]:
    """Return the proposals that wait for a second person, the oldest first."""
    return Proposal.objects.filter(is_open(now=now)).select_related("asked_by").order_by("pk")
