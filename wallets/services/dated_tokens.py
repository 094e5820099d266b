"""ninja-jwt's tokens, dated and judged by Postgres' clock instead of the host's.

So a token from a host whose clock is wrong is good on every other host, and ends there at the same moment.
"""

from datetime import datetime
from typing import Any, Final

import jwt
from jwt.types import Options
from ninja_jwt.backends import TokenBackend
from ninja_jwt.exceptions import TokenBackendError, TokenError
from ninja_jwt.settings import api_settings
from ninja_jwt.tokens import AccessToken as _AccessToken
from ninja_jwt.tokens import RefreshToken as _RefreshToken

from wallets.runtime import clock

_SIGNED: Final[Options] = {
    "require": ["exp"],
    "verify_aud": False,
    # PyJWT asks the host for the time. `check_exp` below judges `exp`; `iat` decides nothing (RFC 7519, section 4.1.6).
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class _Backend(TokenBackend):  # type: ignore[misc]  # the library has no types
    """Checks a token's signature and issuer, and leaves its times to the token."""

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002  the library's signature
        try:
            return jwt.decode(token, self.signing_key, algorithms=[self.algorithm], issuer=self.issuer, options=_SIGNED)
        except (jwt.InvalidTokenError, ValueError) as error:  # ValueError: text that is no Unicode
            raise TokenBackendError("Token is invalid") from error


class _Dated:
    """Takes the time from our clock, where ninja-jwt takes the host's."""

    payload: dict[str, Any]
    token_backend = _Backend(
        api_settings.ALGORITHM,
        api_settings.SIGNING_KEY,
        issuer=api_settings.ISSUER,
        leeway=api_settings.LEEWAY,
        json_encoder=api_settings.JSON_ENCODER,
    )

    @property
    def current_time(self) -> datetime:
        return self._current_time

    @current_time.setter
    def current_time(self, _: datetime) -> None:
        self._current_time = clock.now()

    def check_exp(self, claim: str = "exp", current_time: datetime | None = None) -> None:
        """Raise TokenError unless the claim is a whole number of seconds (Unix time) that is not past."""
        ends_at = self.payload.get(claim)
        leeway = self.token_backend.get_leeway()
        if type(ends_at) is not int or ends_at <= ((current_time or self.current_time) - leeway).timestamp():
            raise TokenError("Token has expired")


class AccessToken(_Dated, _AccessToken):  # type: ignore[misc]  # the library has no types
    """An access token."""


class RefreshToken(_Dated, _RefreshToken):  # type: ignore[misc]  # the library has no types
    """A refresh token, which makes access tokens."""

    access_token_class = AccessToken
