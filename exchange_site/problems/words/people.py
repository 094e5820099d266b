"""What is said about codes of problems: who asks, and what they may do."""

from collections.abc import Mapping
from typing import Final

from exchange_site.problems.words.form import Repeat, Words

PEOPLE: Final[Mapping[str, Words]] = {
    "invalid_credentials": Words(
        meaning=(
            "Username and password do not match an active account. An unknown name, a wrong password and a disabled"
            " account have the same answer, so that nobody learns which names exist."
        ),
        advice=(
            "Ask the customer for both again. Too many failed attempts are refused for a while.",
            "A customer who has forgotten the password can have a link sent: accounts/auth/password/forgot/.",
        ),
        repeat=Repeat.NEVER,
    ),
    "token_invalid": Words(
        meaning=(
            "There is no token, or it is of the wrong kind, or it has expired, or it was revoked: by signing out, a new"
            " password, an ended session, or a refresh token that was used twice."
        ),
        advice=(
            "Send the header Authorization: Bearer and the access token, not the refresh token.",
            "Get new tokens with the refresh token, once, and repeat the request.",
            "If the refresh gets this answer too, sign in again with the password.",
        ),
        repeat=Repeat.AFTER_CAUSE,
    ),
    "otp_required": Words(
        meaning="The account has a second factor, and the request has no one-time code.",
        advice=("Ask the customer for a code of the authenticator app, and send the same request with it as otp.",),
        repeat=Repeat.NEVER,
    ),
    "otp_invalid": Words(
        meaning="The one-time code is wrong, too old, or was used before. Each code works once.",
        advice=(
            "Ask for the next code, which the app shows within half a minute. Check the clock of the device.",
            "A recovery code works in its place, once. After five wrong codes, wait as Retry-After says.",
        ),
        repeat=Repeat.NEVER,
    ),
    "username_taken": Words(
        meaning="An account with this name exists. Upper and lower case are the same.",
        advice=("Ask for another name. If an earlier answer was lost, the account may be yours: sign in.",),
        repeat=Repeat.NEVER,
    ),
    "username_not_allowed": Words(
        meaning="The name is reserved, mixes letters of several scripts, or looks like the name of another account.",
        advice=("Ask for another name, best in letters of one script.",),
        repeat=Repeat.NEVER,
    ),
    "account_frozen": Words(
        meaning=(
            "Staff have frozen the account. Nothing that moves money works. Reading, signing in and signing out still"
            " do, and open orders are settled or refunded as usual."
        ),
        advice=("Tell the customer to write to the support of this service. A client cannot change it.",),
        repeat=Repeat.AFTER_CAUSE,
    ),
    "not_allowed": Words(
        meaning=(
            "This service does not let the caller do this, whatever the body says. detail has the reason: customers"
            " cannot deposit by themselves here, an e-mail address has to be proven first, a second factor is on"
            " already, or metrics are not for this caller."
        ),
        advice=(
            "Read detail. Some of it passes when the customer has done what it asks for, such as proving an address.",
        ),
        repeat=Repeat.AFTER_CAUSE,
    ),
}
