"""Batches of orders, the attempts to buy their coins, and the pauses, findings and interventions around them."""

from settlement.models.accounts import FORGOTTEN_AFTER, VenueAccount
from settlement.models.attempts import GIVEN_UP, IN_DOUBT, IN_FLIGHT, UNDECIDED, Attempt, AttemptState
from settlement.models.balances import AccountMove, AccountMoveKind, BalanceReading, PurchaseSum
from settlement.models.batches import NOT_CLOSED, Batch, BatchState
from settlement.models.excesses import Excess
from settlement.models.failing import BOOK_READING, PRICE_READING, SECOND_READING, FailingItem
from settlement.models.findings import Finding, FindingDecision, FindingKind
from settlement.models.installations import (
    DatabaseWatch,
    Installation,
    begin_watch,
    here,
    load_installation_code,
    new_client_order_id,
)
from settlement.models.interventions import Intervention, InterventionAction, InterventionOutcome
from settlement.models.listings import LISTS_APART, AbsentMarket
from settlement.models.pauses import Pause, PauseKind, name_paused
from settlement.models.venues import VenueEntry, VenueState, add_venues, current_venue, here_or_before, name_of_wallets

__all__ = [
    "BOOK_READING",
    "FORGOTTEN_AFTER",
    "GIVEN_UP",
    "IN_DOUBT",
    "IN_FLIGHT",
    "LISTS_APART",
    "NOT_CLOSED",
    "PRICE_READING",
    "SECOND_READING",
    "UNDECIDED",
    "AbsentMarket",
    "AccountMove",
    "AccountMoveKind",
    "Attempt",
    "AttemptState",
    "BalanceReading",
    "Batch",
    "BatchState",
    "DatabaseWatch",
    "Excess",
    "FailingItem",
    "Finding",
    "FindingDecision",
    "FindingKind",
    "Installation",
    "Intervention",
    "InterventionAction",
    "InterventionOutcome",
    "Pause",
    "PauseKind",
    "PurchaseSum",
    "VenueAccount",
    "VenueEntry",
    "VenueState",
    "add_venues",
    "begin_watch",
    "current_venue",
    "here",
    "here_or_before",
    "load_installation_code",
    "name_of_wallets",
    "name_paused",
    "new_client_order_id",
]
