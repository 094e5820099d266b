"""Checks at start: a venue that cannot be used is refused in one sentence, before customers find out."""

import logging
from typing import Any, Final

from django.core.checks import CheckMessage, Error

from settlement.services.venue_checks import check_account, list_coins_on_sale
from settlement.venues.checking import list_venues

logger = logging.getLogger(__name__)

VENUE_TAG: Final = "venue"


def check_settings(**_: Any) -> list[CheckMessage]:
    """Return an error for each setting with which a venue cannot be used. Asks nobody, and loads no ccxt."""
    return [Error(fault, id="settlement.E001") for venue in list_venues() for fault in venue.find_faults()]


def find_faults_of_venues() -> list[str]:
    """Return the reasons why a worker cannot buy: settings, missing keys, and what the venues say of our accounts.

    A venue that does not answer is no reason: it may do so later, and it is logged.
    """
    faults: list[str] = []
    for venue in list_venues():
        found = [*venue.find_faults()] or [*venue.find_missing_keys()]
        if not found:
            account = check_account(configured=venue, coins=list_coins_on_sale())
            if account.fault and not account.is_certain:
                logger.warning("the venue's terms are not known: %s", account.fault)
            found = [account.fault] if account.fault and account.is_certain else []
        faults += found
    return faults
