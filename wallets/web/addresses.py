"""Finds the address that a request comes from."""

import ipaddress
import re
from typing import Final

from django.conf import settings
from django.http import HttpRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

CUSTOMER_PREFIX: Final = 64  # a customer gets at least one /64, RFC 6177
WIDER_PREFIXES: Final = (56, 48)  # and often one of these, RFC 6177 and RIPE-690

# A proxy may append a port, and Microsoft's and others do: 203.0.113.7:51234, [2001:db8::1]:443. RFC 7239 quotes it.
_WITH_PORT: Final = re.compile(r"\[(?P<v6>[^\[\]]+)\](?::[0-9]{1,5})?|(?P<v4>[0-9.]+):[0-9]{1,5}")


def client_address(request: HttpRequest) -> str:
    """Return the caller's address: the peer's, or the last hop before the proxies that TRUSTED_PROXIES names.

    X-Forwarded-For is ignored if any other peer sends it, and the header Forwarded (RFC 7239) is not read at all. An
    IPv6 address is replaced by its /64 network.
    """
    address = _find_caller(request)
    if address is None:
        return "unknown"
    return str(address) if address.version == 4 else _network(address, CUSTOMER_PREFIX)  # noqa: PLR2004  the IP version


def wider_networks(address: str) -> tuple[str, ...]:
    """Return the /56 and the /48 around the /64 that `client_address` returned; nothing for IPv4."""
    if ":" not in address:
        return ()
    first = ipaddress.IPv6Network(address).network_address
    return tuple(_network(first, prefix) for prefix in WIDER_PREFIXES)


def _find_caller(request: HttpRequest) -> Address | None:
    address = _parsed(request.META.get("REMOTE_ADDR", ""))
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    while address and hops and _is_trusted(address):
        hop = _parsed(hops.pop())
        if hop is None:
            break
        address = hop
    return address


def _parsed(text: str) -> Address | None:
    """Return the address without port, quotes and zone; None for anything else. A mapped IPv4 address is IPv4."""
    text = text.strip().strip('"')
    if found := _WITH_PORT.fullmatch(text):
        text = found["v6"] or found["v4"]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in settings.LIMITS.trusted_proxies)


def _network(address: Address, prefix: int) -> str:
    return str(ipaddress.ip_network((address, prefix), strict=False))
