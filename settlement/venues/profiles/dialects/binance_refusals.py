"""What refusals mean in Binance's interface, by "Error codes", "Filters" and the changelogs of both venues."""

from typing import Final

from settlement.venues.profiles.refusals import Meaning, Refusals

REFUSALS: Final = Refusals(
    codes={
        "-1002": Meaning.VENUE,  # not authorised
        "-1003": Meaning.CALL_LIMIT,
        "-1013": Meaning.AGAIN,  # the message is invalid: refused before the matching engine
        "-1014": Meaning.COIN,  # unsupported combination
        "-1015": Meaning.ORDER_LIMIT,
        "-1016": Meaning.VENUE,  # the service is no longer there
        "-1020": Meaning.VENUE,  # an operation that is not supported
        "-1021": Meaning.AGAIN,  # clock
        "-1022": Meaning.VENUE,  # signature
        "-1099": Meaning.VENUE,  # not found, authenticated or authorised (changelog of 2019-08-15)
        # 11xx: issues with the request itself, which is ours to mend
        "-1100": Meaning.COIN,  # illegal characters
        "-1101": Meaning.COIN,  # too many parameters
        "-1102": Meaning.COIN,  # a parameter is missing, empty or malformed
        "-1103": Meaning.COIN,  # unknown parameter
        "-1104": Meaning.COIN,  # not all parameters were read
        "-1105": Meaning.COIN,  # empty parameter
        "-1106": Meaning.COIN,  # a parameter that was not required
        "-1108": Meaning.COIN,  # a parameter overflows
        "-1111": Meaning.AGAIN,  # precision
        "-1112": Meaning.COIN,  # no orders on the book
        "-1114": Meaning.COIN,  # time in force where none is required
        "-1115": Meaning.COIN,  # invalid time in force
        "-1116": Meaning.COIN,  # invalid order type
        "-1117": Meaning.COIN,  # invalid side
        "-1118": Meaning.COIN,  # client order id empty
        "-1121": Meaning.REFUSED,  # unknown symbol
        "-1128": Meaning.COIN,  # combination of parameters
        "-1130": Meaning.COIN,  # invalid data in a parameter
        "-1131": Meaning.VENUE,  # recvWindow above 60,000
        "-1135": Meaning.COIN,  # a parameter that is no JSON
        "-2014": Meaning.VENUE,  # key
        "-2015": Meaning.VENUE,  # key, address or permission
    },
    messages={  # of -1010, -2010 and -2011 ("Messages for -1010 ERROR_MSG_RECEIVED, -2010, -2011")
        "Account has insufficient balance": Meaning.COIN,
        "This action is disabled on this account": Meaning.VENUE,
        "This account may not place or cancel orders": Meaning.VENUE,
        "Rest API trading is not enabled": Meaning.VENUE,
        "This symbol is not permitted for this account": Meaning.COIN,
        "This symbol is restricted for this account": Meaning.COIN,
        "Market is closed": Meaning.COIN,
        "Price * QTY is zero or less": Meaning.AGAIN,
        "Unsupported order combination": Meaning.COIN,
        # changelog of 2023-03: a market that is not trading, or takes no immediate orders
        "This order type is not possible in this trading phase": Meaning.COIN,
        "Limit orders require GTC for this phase": Meaning.COIN,
    },
    filter_failure="Filter failure",
    filters={
        "MAX_POSITION": Meaning.REFUSED,
        "MAX_ASSET": Meaning.COIN,
        "MAX_NUM_ORDERS": Meaning.COIN,  # of the market: our next order is one too many as well
        "EXCHANGE_MAX_NUM_ORDERS": Meaning.ORDER_LIMIT,
    },
)
"""What both venues document. A profile adds what only its own venue says."""
