"""The exchange simulator: a venue for development, demo and tests.

The simulator is a process of its own with a durable book. It serves the subset of Binance's spot REST API that ccxt's
`binance` class uses, and a control API that makes it misbehave. It imports neither the rest of the project nor Django
or ccxt.
"""

from typing import Final

DEFAULT_API_KEY: Final = "simulator-key"
DEFAULT_API_SECRET: Final = "simulator-secret"  # noqa: S105  opens only simulators
