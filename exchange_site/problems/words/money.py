"""What is said about codes of problems: dollars and payouts."""

from collections.abc import Mapping
from typing import Final

from exchange_site.problems.words.form import Repeat, Words

MONEY: Final[Mapping[str, Words]] = {
    "insufficient_funds": Words(
        meaning="The wallet holds fewer dollars than the order, withdrawal or payout takes, fee included.",
        advice=(
            "Read balance with GET /api/v1/accounts/wallet/, and ask for less, or deposit first.",
            "To spend all that is there, order by total instead of amount: the charge never exceeds it.",
        ),
        repeat=Repeat.AFTER_CAUSE,
    ),
    "funds_on_hold": Words(
        meaning=(
            "The wallet holds the dollars, but a part of them cannot be paid out yet, because a bank may still take a"
            " deposit back. They can buy coins meanwhile."
        ),
        advice=("Read available with GET /api/v1/accounts/wallet/, and ask for that much at most, or wait.",),
        repeat=Repeat.AFTER_CAUSE,
    ),
    "payee_on_hold": Words(
        meaning="The payee was added a short while ago. A thief who adds one should not be paid at once.",
        advice=("Try again at the time in detail, which is usable_at of the payee, or pay to an older payee.",),
        repeat=Repeat.AFTER_CAUSE,
    ),
    "credential_hold": Words(
        meaning=(
            "A password, second factor, e-mail address or payee has changed a short while ago, so nothing is paid out:"
            " the owner, who is told of each change, should have time to object."
        ),
        advice=("Try again at the time in detail. Buying coins works meanwhile.",),
        repeat=Repeat.AFTER_CAUSE,
    ),
    "limit_exceeded": Words(
        meaning="The account has as many records of this kind as it may have. detail says how many.",
        advice=("Remove one that is not needed any more, then send the request again.",),
        repeat=Repeat.AFTER_CAUSE,
    ),
    "no_payee": Words(
        meaning="Withdrawals are payouts to a bank account here, and the customer has none that could be paid.",
        advice=("Add one with POST /api/v1/accounts/payees/. It can be used after a while.",),
        repeat=Repeat.AFTER_CAUSE,
    ),
    "payout_not_cancellable": Words(
        meaning="The payout has left, or has ended otherwise. Its money is on its way, or back in the wallet.",
        advice=("Read its state with GET /api/v1/accounts/payouts/{id}/.",),
        repeat=Repeat.NEVER,
    ),
    "payout_in_doubt": Words(
        meaning="The payout may have left: that is known when the bank's next statement has been read.",
        advice=("Wait. Read its state with GET /api/v1/accounts/payouts/{id}/ from time to time: hours, not seconds.",),
        repeat=Repeat.AFTER_CAUSE,
    ),
}
