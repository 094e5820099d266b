"""Finds the address of a caller, as limits count it, before Django sees the request."""

from typing import Any, Final

from wallets.web.addresses import address_behind

_FORWARDED: Final = "x-forwarded-for"
_MOST: Final = 4000
_LONGEST: Final = 100


class Callers:
    """Finds addresses, and keeps those found lately, because it costs more than the rest of the front. One thread."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], str] = {}

    def find_address(self, scope: Any) -> str:
        """Return the address that `wallets.web.addresses.client_address` will find for the request."""
        headers = scope.headers
        forwarded = ",".join(headers.get_all(_FORWARDED)) if _FORWARDED in headers else ""
        asked = split_address(scope.client)[0], forwarded
        found = self._found.get(asked)
        if found is None:
            found = address_behind(peer=asked[0], forwarded=forwarded)
            if len(forwarded) <= _LONGEST:
                self._keep(asked, found)
        return found

    def _keep(self, asked: tuple[str, str], found: str) -> None:
        if len(self._found) >= _MOST:
            self._found.clear()
        self._found[asked] = found


def split_address(address: str) -> tuple[str, str]:
    """Split `address:port`. An IPv6 address is in brackets, perhaps with a zone (RFC 4007): both are taken off."""
    host, _, port = address.rpartition(":")
    return host.strip("[]").partition("%")[0], port
