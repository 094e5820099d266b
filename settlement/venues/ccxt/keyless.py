"""Read a venue's markets without our keys."""

from typing import Any


class KeylessMarkets:
    """A mixin for ccxt's clients. With keys, some would ask about our account before they tell the markets."""

    is_public = False

    def fetch_markets(self, params: dict[str, Any] | None = None) -> Any:
        """Return the markets, asked for as if there were no keys."""
        self.is_public = True
        try:
            return super().fetch_markets(params or {})  # type: ignore[misc]  # ccxt's class is made at run time
        finally:
            self.is_public = False

    def check_required_credentials(self, error: bool = True) -> Any:  # noqa: FBT001, FBT002  ccxt's signature
        """Say whether there are keys. ccxt raises an error about them if `error`, and else only wonders."""
        if self.is_public and not error:
            return False
        return super().check_required_credentials(error)  # type: ignore[misc]  # as above
