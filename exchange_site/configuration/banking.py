"""Combinations about the persons who let money leave, and the account that it leaves; production refuses them."""

from datetime import timedelta
from typing import Final

from exchange_site.configuration.rules import is_real_venue, rule

BANKING: Final = (
    rule(
        "TWO_PERSONS",
        "must name all kinds with a real venue, and no amount above 10000 a day: one person alone could release money.",
        lambda given: is_real_venue(given) and not given.proposals.names_all,
    ),
    rule(
        "PAYOUT_ACCOUNT",
        "must be one of OUR_ACCOUNTS: no statement of another account is taken, so no payout would ever be answered.",
        lambda given: (
            bool(given.payouts.account.strip())
            and "*" not in given.deposits.accounts
            and "".join(given.payouts.account.split()).upper() not in given.deposits.accounts
        ),
    ),
    rule(
        "BREAK_GLASS_HOURS",
        "must be at least 24 with a real venue: staff need the time to read their e-mails and revoke the request.",
        lambda given: is_real_venue(given) and given.proposals.break_glass_delay < timedelta(hours=24),
    ),
)
