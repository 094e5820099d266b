"""Reads the last count of what may still be sold."""

from django.db.models import Q

from trading.models import Headroom


def list_headroom() -> list[Headroom]:
    """Return the last count for all coins together and of each coin on sale. One query."""
    of_sold = Headroom.objects.filter(Q(coin=None) | Q(coin__is_sold=True)).select_related("coin")
    return list(of_sold.order_by("coin__name"))


def list_near_stops() -> list[Headroom]:
    """Return the counts of which a fifth or less is left, the longest so first. One query."""
    near = Headroom.objects.filter(Q(coin=None) | Q(coin__is_sold=True), near_since__isnull=False)
    return list(near.select_related("coin").order_by("near_since", "pk"))
