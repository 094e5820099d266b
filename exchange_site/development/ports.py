"""Ports on this machine's loopback address."""

import secrets
import socket
from typing import Final

from exchange_site.development.errors import PortTaken

LOOPBACK: Final = "127.0.0.1"
# Below the range from which the kernel takes the local ports of outgoing connections.
_FREE_RANGE: Final = range(20_000, 32_000)


def free_port(*, preferred: int = 0) -> int:
    """Return `preferred` when nobody listens there, else any other free port."""
    port = preferred or secrets.choice(_FREE_RANGE)
    while not is_free(port):
        port = secrets.choice(_FREE_RANGE)
    return port


def refuse_taken(name: str, port: int) -> None:
    """Raise PortTaken, which names the variable to change, when somebody listens on `port`."""
    if not is_free(port):
        raise PortTaken(name, port)


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def accepts_connections(port: int) -> bool:
    """Whether somebody answers on `port`."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
