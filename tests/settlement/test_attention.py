"""The operators' list: whatever stays for too long is on it, and nothing before."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from settlement.attention import KINDS, count_concerns, list_concerns
from settlement.models import Attempt, Batch, FindingKind, InterventionAction
from settlement.services.findings import raise_finding
from settlement.services.intervening import request_intervention
from settlement.services.pausing import pause_for_trouble
from trading.models import CoinPrice, Order

pytestmark = pytest.mark.django_db(transaction=True)


def kinds(moment):
    return [concern.kind for concern in list_concerns(now=moment)]


@pytest.mark.parametrize(
    ("limit", "kind", "total", "state"),
    [
        ("PENDING_LIMIT", "order pending", "60.00", "pending"),
        ("SETTLING_LIMIT", "order settling", "60.00", "settling"),
        ("HELD_LIMIT", "order held", "60.00", "held"),
        ("POOL_LIMIT", "pool overdue", "6.00", "aggregated"),
    ],
)
def test_orders_are_named_after_their_limit(place, claim, settings, now, limit, kind, total, state):
    if state == "held":
        settings.RISK_MAX_VALUE = 0
    order = place(total)
    if state == "settling":
        claim()
        Attempt.objects.all().delete()
    assert Order.objects.get().state == state
    begun = order.settle_by or now
    assert kinds(begun + getattr(settings, limit) - timedelta(seconds=1)) == []
    [concern] = list_concerns(now=begun + getattr(settings, limit))
    assert (concern.kind, concern.model, concern.pk) == (kind, "trading_order", order.pk)


def test_purchases_whose_outcome_is_unknown(place, claim, settings):
    place("60.00")
    claim()
    created = Attempt.objects.get().created_at
    Attempt.objects.update(state="sent", signed_at=created, valid_until=created, quantity=15, limit_price=4)
    settings.SETTLING_LIMIT = timedelta(days=1)
    assert kinds(created + settings.UNKNOWN_LIMIT - timedelta(seconds=1)) == []
    assert kinds(created + settings.UNKNOWN_LIMIT) == ["unknown purchase"]


def test_what_waits_for_a_decision(place, claim, coin, admin_user, now):
    place("60.00")
    batch = claim()
    Attempt.objects.update(state="parked", ended_at=now)
    Batch.objects.update(state="parked", reason="commission in BNB")
    raise_finding(kind=FindingKind.EXTRA, subject="order 7 of the exchange", now=now)
    pause_for_trouble(coin=coin, reason="no funds", at_least_seconds=600, now=now)
    request_intervention(
        batch=batch, action=InterventionAction.RETRY, reason="funded", requested_by=admin_user, now=now
    )
    CoinPrice.objects.update(suspended_at=now, candidate=9)
    coin.fixed_price = None
    coin.save()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed'")
    found = kinds(timezone.now() + timedelta(seconds=61))
    assert set(found) == {
        "finding", "parked batch", "pause", "waiting intervention", "suspended price", "failed job",
    }  # fmt: skip
    assert sum(count_concerns(now=now).values()) == len(found) - 1, "an intervention has a minute"


def test_costs_a_statement_for_each_kind(place, now):
    place("60.00")
    with CaptureQueriesContext(connection) as captured:
        list_concerns(now=now + timedelta(days=9))
    assert len(captured) == len(KINDS)
