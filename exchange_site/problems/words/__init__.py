"""What the page about each code says: what it means, what to do, and whether the same request may be sent again.

requests  requests that are wrong in their form
people    who asks, and what they may do
money     dollars and payouts
orders    coins, quotes and orders
times     what passes with time
form      the form of these words
"""

from collections.abc import Mapping
from typing import Final

from exchange_site.problems.words.form import Words
from exchange_site.problems.words.money import MONEY
from exchange_site.problems.words.orders import ORDERS
from exchange_site.problems.words.people import PEOPLE
from exchange_site.problems.words.requests import REQUESTS
from exchange_site.problems.words.times import TIMES

WORDS: Final[Mapping[str, Words]] = {**REQUESTS, **PEOPLE, **MONEY, **ORDERS, **TIMES}
"""What is said about each code."""
