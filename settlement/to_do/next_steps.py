"""What staff do about a finding: the sentences at the end of its row on the to-do page."""

from typing import Final

from settlement.models import GIVEN_UP, Finding, FindingDecision, FindingKind, current_venue
from settlement.told import digits
from settlement.venues.configured import quote_asset_or_usual

_ABOUT_ORDERS: Final = {FindingKind.MISSING, FindingKind.EXTRA, FindingKind.DIFFERS, FindingKind.LATE_FILL}

_STEPS: Final = {
    FindingKind.DIFFERS: (
        "Compare the order and its trades on the venue's own pages, and ask the venue if its answers changed. The"
        " finding closes by itself once both books agree; else close it with a note"
    ),
    FindingKind.LATE_FILL: (
        "It is booked: the coins have completed orders that waited, and the rest is the house's surplus. A commission"
        " in another asset is not booked. Ask the venue why it denied the purchase, then close the finding with a note"
    ),
    FindingKind.LEDGER: (
        "Run `manage.py verify_ledger`, and find out what wrote these rows: no service of ours does. The finding closes"
        " by itself once the rule holds again"
    ),
}


def units_of(finding: Finding) -> str:
    """Return the units of a finding's figures, in parentheses, or nothing: `2 for 40` are coins and their cost."""
    is_of_an_order = finding.kind == FindingKind.EXTRA or finding.attempt is not None
    if finding.coin is None or finding.kind not in _ABOUT_ORDERS or not is_of_an_order:
        return ""
    return f" ({finding.coin}, cost in {_quote_asset_of(finding)})"


def next_step(finding: Finding) -> str:
    """Return what staff do about an open finding."""
    match FindingKind(finding.kind):
        case FindingKind.UNTRUE:
            return _about_untrue_answer(finding)
        case FindingKind.DIFFERS if _was_given_up(finding):
            return _about_purchase_given_up(finding)
        case FindingKind.EXTRA:
            return _about_unknown_order(finding)
        case FindingKind.MISSING:
            return _about_denied_purchase(finding)
        case FindingKind.BALANCE:
            return _about_balance(finding)
        case kind:
            return _STEPS[kind]


def _about_untrue_answer(finding: Finding) -> str:
    compare = f"Buying of {finding.coin} is paused. Compare the venue's own pages"
    if finding.attempt is None or finding.attempt.batch_id is None:
        return f"{compare}, then close the finding with a note, and lift the pause"
    return (
        f"{compare}; then, in batch {finding.attempt.batch_id}, look the purchase up again, mark it, or book what was"
        " beyond the request"
    )


def _was_given_up(finding: Finding) -> bool:
    attempt = finding.attempt
    return attempt is not None and attempt.batch_id is not None and attempt.state in GIVEN_UP


def _about_purchase_given_up(finding: Finding) -> str:
    assert finding.attempt is not None
    return (
        "The purchase was given up, and the venue knows it. Compare the venue's own pages; if it was bought, mark it as"
        f" filled in batch {finding.attempt.batch_id}, which closes the finding. Once closed with a note, it cannot be"
        " booked any more"
    )


def _about_unknown_order(finding: Finding) -> str:
    if finding.decision == FindingDecision.ADOPT:
        return f"{finding.decided_by} adopts it: a worker books it once the venue's answer is plausible"
    return (
        "Find the order in the venue's history. If we sent it, adopt it: its cost and coins are then booked. If"
        " somebody else did, choose Not ours, with a note"
    )


def _about_denied_purchase(finding: Finding) -> str:
    if finding.attempt is not None:
        return (
            "We have booked it. Look for it in the venue's history, and compare the balance. The finding closes by"
            " itself if the venue knows it again; if it is really gone, claim it from the venue, and close with a note"
        )
    return (
        "Compare the venue's history and balance. The denied purchases are looked up for a day: if one turns up, its"
        " coins complete the batch, and the finding closes. Otherwise, on the batch's page, buy again or refund, and"
        " close with a note"
    )


def _quote_asset_of(finding: Finding) -> str:
    return quote_asset_or_usual(finding.venue or current_venue())


def _about_balance(finding: Finding) -> str:
    asset = finding.coin or _quote_asset_of(finding)
    what = ""
    if finding.amount:
        what = f"It is {digits(abs(finding.amount))} {asset} {'more' if finding.amount > 0 else 'less'}. "
    return (
        f"{what}Compare the venue's history of orders, deposits and withdrawals; adopt an order that we do not know, or"
        " book what was moved under account moves, with its reason"
    )
