"""What the application's role may do, in the words of GRANT: one line for each table.

A new table needs a line here, and a test fails without it. A column after UPDATE is one that the code changes: give the
columns wherever some must never change. `manage.py database_roles` grants exactly this and revokes the rest.
"""

import re
from collections.abc import Iterator
from typing import Final

TABLES: Final[dict[str, str]] = {
    # wallets
    "wallets_user": "SELECT, INSERT, UPDATE",
    "wallets_user_groups": "SELECT, INSERT, DELETE",
    "wallets_user_user_permissions": "SELECT, INSERT, DELETE",
    "wallets_tokenfamily": (
        "SELECT, INSERT, UPDATE (address, current_jti, ended_at, expires_at, replaced_at, replaced_jti), DELETE"
    ),
    "wallets_knownaddress": "SELECT, INSERT, UPDATE (seen_at), DELETE",
    "wallets_secondfactor": (
        "SELECT, INSERT, UPDATE (confirmed_at, created_at, failed_at, failures, last_step, secret), DELETE"
    ),
    "wallets_recoverycode": "SELECT, INSERT, UPDATE (used_at), DELETE",
    # Rows are deleted only when they are old: a trigger refuses all younger than 30 days.
    "wallets_securityevent": "SELECT, INSERT, DELETE",
    # To lock a proposal's row takes the right to change a column of it. A trigger refuses every change.
    "wallets_proposal": "SELECT, INSERT, UPDATE (id)",
    "wallets_proposalrecord": "SELECT, INSERT",
    "wallets_breakglass": "SELECT, INSERT, UPDATE (ended_at, ended_by_id, note, outcome)",
    "wallets_wallet": "SELECT, INSERT, UPDATE (balance, cost, frozen)",
    "wallets_transaction": "SELECT, INSERT",
    # A trigger on returns changes `returned`.
    "wallets_deposit": (
        "SELECT, INSERT, UPDATE (approved_by_id, customer_id, decided_at, decided_by_id, note, reference, returned, "
        "state)"
    ),
    "wallets_return": (
        "SELECT, INSERT, UPDATE (approved_by_id, customer_id, decided_by_id, deposit_id, line_id, named, note, owed, "
        "reference, seen_at, seen_by_id, state, taken, won_at)"
    ),
    "wallets_receivable": "SELECT, INSERT, UPDATE (amount, since)",
    "wallets_statement": "SELECT, INSERT, UPDATE (decided_at, decided_by_id, state)",
    # The texts change when they are sealed for a customer, and when `rotate_keys` encrypts them anew, like those below.
    "wallets_statementline": (
        "SELECT, INSERT, UPDATE (contradicts_id, counterparty, deposit_id, originals, payout_id, reference, "
        "reference_hash, seen_at, seen_by_id, text)"
    ),
    "wallets_storedkey": "SELECT, UPDATE (key)",
    "wallets_personalkey": "SELECT, INSERT, UPDATE (destroyed_at, key)",
    "wallets_closedaccount": "SELECT, INSERT, UPDATE (erased_at)",
    "wallets_payee": "SELECT, INSERT, UPDATE (account, name, removed_at, routing)",
    "wallets_payout": (
        "SELECT, INSERT, UPDATE (approved_at, bank_reference, came_back_as_id, cancelled_at, failed_at, file_id, "
        "is_automatic, paid_at, reason, rejected_at, returned_at, sent_at, state)"
    ),
    "wallets_payoutfile": "SELECT, INSERT, UPDATE (content, written_at)",
    # trading
    "trading_coin": "SELECT, INSERT, UPDATE",
    "trading_closedmarket": "SELECT, INSERT, DELETE",
    "trading_coinprice": "SELECT, INSERT, UPDATE",
    "trading_dayloss": "SELECT, INSERT, UPDATE (charge, coins, cost, counted_at)",
    "trading_headroom": ("SELECT, INSERT, UPDATE (counted_at, most, near_since, room, stopped_since, used, whole)"),
    "trading_order": (
        "SELECT, INSERT, "
        "UPDATE (batch_id, booked_fee, cancelled_at, completed_at, reason, rebate, refunded_at, settle_by, settling_at,"
        " state)"
    ),
    "trading_pricereading": "SELECT, INSERT, DELETE",
    "trading_pricerule": "SELECT, INSERT",
    "trading_review": "SELECT, INSERT, UPDATE (decided_at, decided_by_id, decision, note)",
    "trading_saleslimit": "SELECT, INSERT",
    "trading_salesstop": ("SELECT, INSERT, UPDATE (ceiling, loss, reason, resumed_at, resumed_by_id, stopped_at)"),
    "trading_shop": "SELECT, INSERT, UPDATE",
    "trading_suspension": (
        "SELECT, INSERT, UPDATE (ended_at, ended_price, outcome, readings, second, seen_at, seen_by_id)"
    ),
    "trading_unclearcoin": "SELECT, INSERT, DELETE",
    # settlement
    "settlement_absentmarket": "SELECT, INSERT, UPDATE (first_at, latest_at, lists), DELETE",
    "settlement_accountmove": "SELECT, INSERT",
    "settlement_attempt": (
        "SELECT, INSERT, "
        "UPDATE (answer, asks, budget, clock_offset, commission, cost, ended_at, excused, executed, limit_price, "
        "lookups, next_step_at, not_found, quantity, reason, recheck_at, signed_at, state, valid_until, venue, "
        "venue_order_id)"
    ),
    "settlement_balancereading": (
        "SELECT, INSERT, UPDATE (agreed_at, amount, difference, expected, proposed, read_at, steady_since)"
    ),
    "settlement_batch": (
        "SELECT, INSERT, DELETE, "
        "UPDATE (charged, closed_at, denials, needed, orders_count, reason, reserved, resume_at, state, turns_given)"
    ),
    "settlement_databasewatch": (
        "SELECT, INSERT, UPDATE (beat, doubt, doubted_at, doubted_place, found, known_at, place, statements_since, "
        "stopped_at)"
    ),
    "settlement_excess": "SELECT, INSERT",
    "settlement_failingitem": "SELECT, INSERT, UPDATE (error, last_at, retry_at, times), DELETE",
    # Django's update_or_create() writes every time, found_at too.
    "settlement_finding": (
        "SELECT, INSERT, UPDATE (amount, attempt_id, closed_at, closed_by_id, decided_by_id, decision, found_at, note, "
        "ours, seen_at, theirs)"
    ),
    "settlement_installation": "SELECT, INSERT",
    "settlement_intervention": "SELECT, INSERT, UPDATE (decided_at, detail, outcome, venue_answer)",
    # Workers of the previous release change is_of_calls.
    "settlement_pause": "SELECT, INSERT, UPDATE (is_of_calls, reason, set_at, set_by_id, times, until), DELETE",
    "settlement_purchasesum": "SELECT, INSERT, UPDATE (cost, count, last_ended, received, until)",
    "settlement_venueaccount": (
        "SELECT, INSERT, UPDATE (free, read_at, short_at, short_coin_id, short_of, short_since)"
    ),
    "settlement_venueentry": "SELECT, INSERT, UPDATE (priority, state)",
    # Procrastinate
    "procrastinate_events": "SELECT, INSERT, UPDATE, DELETE",
    "procrastinate_jobs": "SELECT, INSERT, UPDATE, DELETE",
    "procrastinate_periodic_defers": "SELECT, INSERT, UPDATE, DELETE",
    "procrastinate_workers": "SELECT, INSERT, UPDATE, DELETE",
    # Django. Content types and permissions are written by migrations.
    "auth_group": "SELECT, INSERT, UPDATE, DELETE",
    "auth_group_permissions": "SELECT, INSERT, DELETE",
    "auth_permission": "SELECT",
    "django_admin_log": "SELECT, INSERT",
    "django_content_type": "SELECT",
    "django_migrations": "SELECT",
    "django_session": "SELECT, INSERT, UPDATE, DELETE",
}

ROUTINES: Final = "procrastinate_"
"""The role may execute the functions whose names begin like this."""

_PRIVILEGE: Final = re.compile(r"(?P<name>[A-Z]+)(?: \((?P<columns>[a-z0-9_, ]+)\))?(?:, |$)")


def list_privileges(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield each privilege of a table with its column, or with None if the privilege is for all columns."""
    for found in _PRIVILEGE.finditer(text):
        for column in found["columns"].split(", ") if found["columns"] else [None]:
            yield found["name"], column


def list_append_only() -> list[str]:
    """Return the tables whose rows are only ever added."""
    return [table for table, text in TABLES.items() if text == "SELECT, INSERT"]
