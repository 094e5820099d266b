"""A request that Granian has handed over."""

import time
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Arrival:
    """Granian's scope and protocol of a request, its body once it is here, and when it began (monotonic seconds)."""

    scope: Any
    proto: Any
    body: bytes = b""
    begun: float = field(default_factory=time.monotonic)
