"""Which hosts, networks and origins are of this machine, of a private network, or of everybody."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network

_LOOPBACK: Final = [ip_network(each) for each in ("127.0.0.0/8", "::1/128")]
# Python's `is_private` also holds networks that are only for examples; here these are of strangers, as any other is.
_PRIVATE: Final = [
    *_LOOPBACK,
    *(ip_network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")),
    *(ip_network(each) for each in ("100.64.0.0/10", "fc00::/7", "fe80::/10")),
]
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_PRIVATE_ENDINGS: Final = (
    ".localhost", ".local", ".localdomain", ".internal", ".intranet", ".lan", ".home.arpa", ".private", ".svc", ".test",
)  # fmt: skip
# Endings below which anybody can register a name, besides those of one part such as .com.
_SHARED_ENDINGS: Final = re.compile(
    r"(co|com|net|org|gov|edu|ac)\.[a-z]{2}|(github|gitlab|vercel|netlify|pages|herokuapp|fly|web|ngrok|trycloudflare)"
    r"\.(io|app|dev|com)|[a-z0-9-]+\.amazonaws\.com|azurewebsites\.net|cloudfront\.net|appspot\.com"
)
_ORIGIN: Final = re.compile(r"https://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?")


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, or the folder of a Unix socket."""
    return host.startswith("/") or _is_named_local(host) or _lies_in(host, _LOOPBACK)


def is_private(host: str) -> bool:
    """Say whether a host is on this machine or a private network: by its address, or by the form of its name.

    A name of one part, as in Docker Compose, and one that ends as private names do count as private. A name of the
    public form does not, because the name alone does not show where its address is.
    """
    if is_loopback(host) or _lies_in(host, _PRIVATE):
        return True
    name = host.lower().rstrip(".")
    is_name = _address(host) is None and re.search("[a-z]", name) and not name.startswith("0x")  # 0 is 0.0.0.0, too
    return bool(is_name) and ("." not in name or name.endswith(_PRIVATE_ENDINGS))


def is_broad(networks: Iterable[Network], *, addresses: int) -> bool:
    """Say whether networks hold `addresses` or more of the Internet's IPv4 addresses, or a broad part of IPv6.

    All of them are added, so that two halves of the Internet count as the whole. Private networks do not count.
    """
    outside = [each for each in map(_unmapped, networks) if not _is_inside(each, _PRIVATE)]
    four = collapse_addresses(each for each in outside if isinstance(each, IPv4Network))
    six = list(collapse_addresses(each for each in outside if isinstance(each, IPv6Network)))
    # One owner has about a /32 of IPv6, or some thousand addresses of IPv4.
    blocks = sum(1 << max(0, 32 - each.prefixlen) for each in six)
    return (
        sum(each.num_addresses for each in four) >= addresses
        or blocks * 256 >= addresses
        or any(_MAPPED.subnet_of(each) for each in six)
    )


def is_open_host(pattern: str) -> bool:
    """Say whether an entry of ALLOWED_HOSTS admits the names of strangers, as `*`, `.com` and `0.0.0.0` do."""
    name = pattern.lower().rstrip(".")
    if "*" in name or name.strip("[]") in {"", "0.0.0.0", "::"}:  # noqa: S104  it is refused
        return True
    return name.startswith(".") and ("." not in name[1:] or _SHARED_ENDINGS.fullmatch(name[1:]) is not None)


def is_host_name(pattern: str) -> bool:
    """Say whether an entry of ALLOWED_HOSTS is a host name, without scheme, port and path."""
    return re.fullmatch(r"\.?[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]|\*", pattern) is not None


def is_origin(text: str) -> bool:
    """Say whether the text is an origin with TLS: `https://`, one host name, perhaps a port, and nothing else."""
    return _ORIGIN.fullmatch(text) is not None


def is_origin_of_own_names(text: str) -> bool:
    """Say whether the text is such an origin, or one for all names below a name of ours, as Django allows."""
    scheme, mark, host = text.partition("://*.")
    return (
        is_origin(f"{scheme}://{host}") and not is_open_host(f".{host.partition(':')[0]}") if mark else is_origin(text)
    )


def is_open_url(url: str) -> bool:
    """Say whether a URL leads through plain HTTP to a host that is neither here nor on a private network."""
    return not url.lower().startswith("https://") and leads_outside(url)


def leads_outside(url: str) -> bool:
    """Say whether a URL leads to a host that is neither here nor on a private network."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    return not is_private(host or "*")


def _address(host: str) -> Network | None:
    try:
        return _unmapped(ip_network(ip_address(host.strip("[]").partition("%")[0])))
    except ValueError:
        return None


def _is_named_local(host: str) -> bool:
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _lies_in(host: str, networks: Iterable[Network]) -> bool:
    address = _address(host)
    return address is not None and _is_inside(address, networks)


def _is_inside(network: Network, others: Iterable[Network]) -> bool:
    if isinstance(network, IPv4Network):
        return any(network.subnet_of(other) for other in others if isinstance(other, IPv4Network))
    return any(network.subnet_of(other) for other in others if isinstance(other, IPv6Network))


def _unmapped(network: Network) -> Network:
    """Return the IPv4 network that an IPv6 network of the form ::ffff:a.b.c.d stands for, or the network itself."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network
