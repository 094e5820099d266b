"""Finds the address that a request comes from."""

import ipaddress
import re
from typing import Final

from django.conf import settings
from django.http import HttpRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

CUSTOMER_PREFIX: Final = 64  # a customer gets at least one /64, RFC 6177
WIDER_PREFIXES: Final = (56, 48)  # and often one of these, RFC 6177 and RIPE-690

# Some proxies append a port: 203.0.113.7:51234, [2001:db8::1]:443, or, without brackets, 2001:db8::1:51234.
_BRACKETS: Final = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?")
_PORT: Final = re.compile(r":[0-9]{1,5}$")


def client_address(request: HttpRequest) -> str:
    """Return the caller's address: the peer's, or the last hop before the proxies that TRUSTED_PROXIES names.

    X-Forwarded-For is ignored if any other peer sends it, and the header Forwarded (RFC 7239) is not read at all. An
    IPv6 address is replaced by its /64 network.
    """
    return _counted(_find_caller_of(request))


def address_behind(*, peer: str, forwarded: str) -> str:
    """Return the same as `client_address`, from the peer's address and the value of X-Forwarded-For."""
    return _counted(_find_caller(peer, forwarded))


def _counted(address: Address | None) -> str:
    """Return the text under which an address is counted."""
    if address is None:
        return "unknown"
    return str(address) if address.version == 4 else _network(address, CUSTOMER_PREFIX)  # noqa: PLR2004  the IP version


def exact_address(request: HttpRequest) -> str:
    """Return the caller's address itself, for records; an empty text if it is unknown."""
    address = _find_caller_of(request)
    return str(address) if address else ""


def wider_networks(address: str) -> tuple[str, ...]:
    """Return the /56 and the /48 around the /64 that `client_address` returned; nothing for IPv4."""
    if ":" not in address:
        return ()
    first = ipaddress.IPv6Network(address).network_address
    return tuple(_network(first, prefix) for prefix in WIDER_PREFIXES)


def _find_caller_of(request: HttpRequest) -> Address | None:
    return _find_caller(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""))


def _find_caller(peer: str, forwarded: str) -> Address | None:
    address, hops = _parsed(peer), forwarded.split(",")
    while address and hops and _is_trusted(address):
        hop = _parsed(hops.pop())
        if hop is None:
            break
        address = hop
    return address


def _parsed(text: str) -> Address | None:
    """Return the address without port, quotes and zone; None for anything else. A mapped IPv4 address is IPv4."""
    text = text.strip().strip('"')
    if found := _BRACKETS.fullmatch(text):
        text = found[1]
    for written in (text, _PORT.sub("", text)):
        try:
            address = ipaddress.ip_address(written.partition("%")[0])
        except ValueError:
            continue
        return getattr(address, "ipv4_mapped", None) or address
    return None


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in settings.LIMITS.trusted_proxies)


def _network(address: Address, prefix: int) -> str:
    return str(ipaddress.ip_network((address, prefix), strict=False))
