"""What the to-do page says about each kind of entry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from settlement.to_do.concerns import ConcernKind


@dataclass(frozen=True, kw_only=True)
class Words:
    """The title of a kind of entry, its urgency (a style of records.css), and advice for staff."""

    title: str
    urgency: str
    advice: str


WORDS: Final[Mapping[ConcernKind, Words]] = {
    ConcernKind.BREAK_GLASS: Words(
        title="Somebody on the server asks for the powers of a superuser",
        urgency="urgent",
        advice="If you do not know of it, revoke it on the page of the request. Every member of staff can.",
    ),
    ConcernKind.DATABASE: Words(
        title="The database may have forgotten purchases",
        urgency="urgent",
        advice=(
            "Nothing is bought, and orders wait. After a restore or a failover that lost something, run"
            " `manage.py after_restore`. It says what it did."
        ),
    ),
    ConcernKind.PARKED: Words(
        title="Parked batches",
        urgency="urgent",
        advice=(
            "See the reason, and compare the venue's own pages. Then, on the batch's page, look the purchase up again,"
            " mark it, buy again, or refund."
        ),
    ),
    ConcernKind.UNKNOWN: Words(
        title="Purchases without an answer",
        urgency="urgent",
        advice="Look for the client order id at the venue, then mark the attempt as filled or as not placed.",
    ),
    ConcernKind.FINDING: Words(
        title="Findings",
        urgency="urgent",
        advice=(
            "Our books contradict the venue's, or themselves. Each row says the next step. A finding closes by itself"
            " once the contradiction is gone; else staff close it, or decide about an unknown order, with a note."
        ),
    ),
    ConcernKind.OPENING: Words(
        title="Balances that are not compared yet",
        urgency="notice",
        advice=(
            "The comparison begins with an opening: what the account at the venue held besides our purchases. Compare"
            " the reading with the venue's own page, then book its opening, on the page of the reading."
        ),
    ),
    ConcernKind.SETTLING: Words(
        title="Orders that take long to settle",
        urgency="late",
        advice="The attempts of their batch show the reason.",
    ),
    ConcernKind.WAITING: Words(
        title="Batches that wait for a price",
        urgency="late",
        advice=(
            "They are tried again, less and less often, and refunded after `SETTLING_LIMIT_SECONDS`. If the venue's"
            " minimum or step is the reason, raise `TOP_UP_MAX` or the coin's own minimum."
        ),
    ),
    ConcernKind.PENDING: Words(
        title="Orders that nobody has claimed",
        urgency="late",
        advice="Is a worker running? Is buying paused, or another batch of the coin in doubt?",
    ),
    ConcernKind.POOL: Words(
        title="Pools beyond their time",
        urgency="late",
        advice="Is a worker running? Is buying paused, or another batch of the coin in doubt?",
    ),
    ConcernKind.FLOAT: Words(
        title="A venue account that cannot pay",
        urgency="late",
        advice=(
            "Send funds to the account: the order is then bought first. Smaller orders are bought meanwhile, and"
            " customers may cancel orders that wait."
        ),
    ),
    ConcernKind.VENUE: Words(title="Venues in use that nobody reads", urgency="late", advice="See each reason."),
    ConcernKind.HEADROOM: Words(
        title="Sales that stop until purchases have caught up",
        urgency="late",
        advice=(
            "A fifth or less may still be sold of a limit, or of what the account at the venue can pay. Find out why"
            " purchases wait, send funds to the account, or set a higher sales limit. Then sales go on by themselves."
        ),
    ),
    ConcernKind.LOSS: Words(
        title="The loss of today",
        urgency="urgent",
        advice=(
            "Find the reason: the venue's price, a fixed price that is too low, a wrong purchase. Then stop selling the"
            " coin, correct its price, or let sales go on, on the page of the stop."
        ),
    ),
    ConcernKind.PAUSE: Words(
        title="Pauses in force",
        urgency="late",
        advice="Remove the cause: buying then resumes by itself. A pause that staff set ends when staff lift it.",
    ),
    ConcernKind.SUSPENDED: Words(
        title="Coins that are not sold",
        urgency="late",
        advice=(
            "A price jumped: accept the suspect price, or set a fixed price. Up to `PRICE_DEVIATION_LIMIT` it is"
            " believed without you, once three readings and the second source agree."
            " Or there is no current price: stop selling a coin that the venue no longer trades, or set a fixed price."
        ),
    ),
    ConcernKind.JUMP: Words(
        title="Prices that have jumped",
        urgency="notice",
        advice="Sales go on. Look at the readings of the suspension, and mark it as seen.",
    ),
    ConcernKind.FAILING: Words(
        title="Work that keeps failing",
        urgency="late",
        advice="The worker's log has the error. It is tried again, less and less often; everything else goes on.",
    ),
    ConcernKind.INTERVENTION: Words(
        title="Decisions that are not carried out",
        urgency="late",
        advice="A worker carries them out. Is a worker running?",
    ),
    ConcernKind.STATEMENT: Words(
        title="Bank statements that are not credited",
        urgency="late",
        advice=(
            "Compare the statement with the bank's own page, then approve its proposal, or reject the statement on its"
            " page. The one who imported it does not approve it. A worker credits what is approved: is one running?"
        ),
    ),
    ConcernKind.UNASSIGNED: Words(
        title="Deposits of nobody",
        urgency="late",
        advice=(
            "Find out whose they are: ask the bank for the sender, and the customer for the transfer. Then assign the"
            " deposit on its page, or send it back."
        ),
    ),
    ConcernKind.PAYOUT_REQUEST: Words(
        title="Payouts that wait for approval",
        urgency="late",
        advice="Approve or reject them on the page of the payout. Another member of staff confirms an approval.",
    ),
    ConcernKind.PAYOUT_EXPORT: Words(
        title="Approved payouts that are not exported",
        urgency="late",
        advice=(
            "Run `manage.py export_payouts`: it says why one may not leave. If that stays so, reject the payout on its"
            " page, and its customer has the money again."
        ),
    ),
    ConcernKind.PAYOUT_ANSWER: Words(
        title="Payouts that the bank has not answered",
        urgency="late",
        advice=(
            "Import the paying account's statements: a line that names the payout says what came of it. Or ask the"
            " bank, and mark the payout as paid, failed or returned on its page. One that is marked as returned has to"
            " come back too: if it has not, mark it as paid."
        ),
    ),
    ConcernKind.PAYOUT_LINE: Words(
        title="Debits that name a payout and fit none",
        urgency="urgent",
        advice=(
            "Nothing is exported until two persons have decided. Ask the bank who has got the dollars. If a customer"
            " has, who has them here too, charge the debit on its page, unless the bank has brought it back: the"
            " dollars are taken from the wallet, or owed. Otherwise explain it."
        ),
    ),
    ConcernKind.DEBIT: Words(
        title="Debits that answer nothing",
        urgency="late",
        advice=(
            "Compare the bank's page. If a bank has taken a deposit back, say so on the page of the deposit. If a"
            " payout was paid, say so on the page of the payout. Then explain the debit on its page; another person"
            " confirms."
        ),
    ),
    ConcernKind.RETURN: Words(
        title="Deposits that banks took back",
        urgency="urgent",
        advice=(
            "Look at the customer, who is frozen unless the row says otherwise, and mark the return as seen. For a"
            " return without a deposit, compare the bank's page, and take the deposit back on the page of the return;"
            " or put it aside, with a second person: it is here again once its deposit comes."
        ),
    ),
    ConcernKind.DEBT: Words(
        title="Customers who owe",
        urgency="late",
        advice=(
            "What reaches their wallets pays it by itself. Otherwise take coins for it, or write it off, on the page of"
            " the debt."
        ),
    ),
    ConcernKind.HELD: Words(title="Held orders", urgency="notice", advice="Release or refund them."),
    ConcernKind.PROPOSAL: Words(
        title="Proposals that wait for a second person",
        urgency="notice",
        advice="Approve or reject them, on the page of the proposal. Their authors cannot; they can withdraw them.",
    ),
    ConcernKind.JOB: Words(
        title="Failed jobs",
        urgency="notice",
        advice="The worker's log says why. No order is lost: the sweep starts the work again.",
    ),
    ConcernKind.NAME: Words(
        title="Unclear usernames",
        urgency="notice",
        advice=(
            "From before the rules for names. Such a user signs in by the exact name only. If it is an impostor,"
            " disable the account; else agree on another name. Once the other name is gone, saving the user is enough."
        ),
    ),
    ConcernKind.STAFF_WALLET: Words(
        title="Members of staff who have a wallet",
        urgency="late",
        advice=(
            "Staff decide about prices and money, so they neither buy nor are paid. These were staff before that rule,"
            " and have or had money. Give the powers to another account of the person, and take them from this one."
        ),
    ),
}
