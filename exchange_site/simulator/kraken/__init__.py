"""The simulator's second dialect: Kraken's spot REST API, over the same book and the same account.

Kraken's secrets are base64: its clients take the simulator's secret in that form. One market of the book is two pairs,
against USDT and against USD, which pay with the same dollars.
"""

import base64
from typing import Final

from exchange_site.simulator import DEFAULT_API_SECRET as _SECRET

DEFAULT_API_SECRET: Final = base64.b64encode(_SECRET.encode()).decode()
