"""Every environment variable the project reads, with its development default.

This is the one place where the environment is read. `config.example.env` lists the same variables
for operators; a test compares the two.
"""

from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEVELOPMENT_SECRET = "development-only-secret-do-not-use-in-production-0000"  # noqa: S105  refused below when DEBUG is off
SHORTEST_SECRET = 32

Seconds = Annotated[float, Field(gt=0)]
Rate = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}/[smhd]$")]
"""So many calls in a second, minute, hour or day."""


Network = IPv4Network | IPv6Network


def _networks(value: str) -> list[Network]:
    return [ip_network(part.strip()) for part in value.split(",") if part.strip()]


class Configuration(BaseSettings):
    """What the environment says. Refuses to start in production without real secrets."""

    model_config = SettingsConfigDict(env_file=None, case_sensitive=True, extra="ignore")

    # Django
    SECRET_KEY: str = DEVELOPMENT_SECRET
    JWT_SECRET_KEY: str = DEVELOPMENT_SECRET
    DEBUG: bool = True
    LOGLEVEL: str = "INFO"
    ALLOWED_HOSTS: str = "localhost,127.0.0.1,[::1]"
    CSRF_TRUSTED_ORIGINS: str = ""
    SECURE_SSL_REDIRECT: bool = True
    CORS_ALLOWED_ORIGINS: str = ""
    TIME_ZONE: str = "UTC"

    # Postgres and Redis. Empty hosts mean the embedded servers of `task dev` and the tests.
    POSTGRES_DB: str = "crypto_exchange"
    POSTGRES_USER: str = "postgres"
    POSTGRES_PASSWORD: str = ""
    POSTGRES_HOST: str = ""
    POSTGRES_PORT: int = 5432
    POSTGRES_POOL_SIZE: Annotated[int, Field(ge=0)] = 8
    POSTGRES_STATEMENT_TIMEOUT_MS: Annotated[int, Field(ge=0)] = 5000
    POSTGRES_PREPARE: bool = True
    REDIS_HOST: str = ""
    REDIS_PORT: int = 6379
    REDIS_PASSWORD: str = ""

    # Serving, and being watched
    BIND_ADDRESS: str = "127.0.0.1"
    PORT: int = 8000
    WEB_WORKERS: Annotated[int, Field(gt=0)] = 2
    WEB_THREADS: Annotated[int, Field(gt=0)] = 3
    METRICS_TOKEN: str = ""
    METRICS_NETWORKS: str | None = None
    WORKER_METRICS_PORT: Annotated[int, Field(ge=0, le=65_535)] = 0

    # Development stack
    DATA_DIR: Path = Path(".data")
    SIMULATOR_PORT: int = 9100

    # Tests of faults: where a process ends or freezes itself. See wallets/failpoints.py
    FAILPOINTS: Annotated[str, Field(pattern=r"^([a-z_.]+=(kill|stop)(,|$))*$")] = ""
    FAILPOINTS_DIR: Path = Path(".data/failpoints")

    # Sign-in
    ACCESS_TOKEN_MINUTES: Annotated[int, Field(gt=0)] = 15
    REFRESH_TOKEN_DAYS: Annotated[int, Field(gt=0)] = 14
    REFUSE_COMMON_PASSWORDS: bool | None = None

    # Limits
    RATE_LIMIT_USER: Rate = "1000/h"
    RATE_LIMIT_ANON: Rate = "60/m"
    RATE_LIMIT_LOGIN: Rate = "5/m"
    RATE_LIMIT_LOGIN_ADDRESS: Rate | None = None
    RATE_LIMIT_REGISTER: Rate = "5/m"
    RATE_LIMIT_ORDERS: Rate = "60/m"
    RATE_LIMIT_WALLET: Rate = "30/m"
    TRUSTED_PROXIES: str = ""

    # The shop
    SELF_SERVICE_DEPOSITS: bool | None = None
    ORDER_AGGREGATION_THRESHOLD: Annotated[Decimal, Field(gt=0, decimal_places=2)] = Decimal("10.00")
    POOL_MAX_AGE_SECONDS: Seconds = 3600
    PRICE_MAX_AGE_SECONDS: Seconds = 60
    PRICE_CACHE_SECONDS: Annotated[int, Field(gt=0)] = 5
    PRICE_DEVIATION_LIMIT: Annotated[Decimal, Field(gt=0)] = Decimal("0.20")
    PRICE_REFRESH_CRON: str = "* * * * * */10"

    # Risk: beyond these, an order within the window is held for staff
    RISK_WINDOW_SECONDS: Seconds = 3600
    RISK_MAX_ORDERS: Annotated[int, Field(gt=0)] = 200
    RISK_MAX_CANCELS: Annotated[int, Field(ge=0)] = 20
    RISK_MAX_VALUE: Annotated[Decimal, Field(gt=0, decimal_places=2)] = Decimal("50000.00")

    # Settlement
    EXCHANGE_ID: str = "binance"
    EXCHANGE_URL: str = ""
    EXCHANGE_API_KEY: str = ""
    EXCHANGE_API_SECRET: str = ""
    EXCHANGE_API_PASSWORD: str = ""
    EXCHANGE_SANDBOX: bool = False
    EXCHANGE_QUOTE_ASSET: str = "USDT"
    EXCHANGE_RECV_WINDOW_MS: Annotated[int, Field(ge=500, le=60_000)] = 5000
    EXCHANGE_CONNECT_TIMEOUT_SECONDS: Seconds = 3
    EXCHANGE_READ_TIMEOUT_SECONDS: Seconds = 10
    EXCHANGE_TAKER_RATE: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal("0.001")
    MAX_LOSS: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal("0.05")
    BATCH_MAX_ORDERS: Annotated[int, Field(gt=0)] = 5000
    MAX_ATTEMPTS: Annotated[int, Field(gt=0)] = 10
    LOOKUP_FIRST_WAIT_SECONDS: Seconds = 1
    LOOKUP_MAX_WAIT_SECONDS: Seconds = 60
    NOT_FOUND_MARGIN_SECONDS: Annotated[float, Field(ge=0)] = 2
    NOT_FOUND_TIMES: Annotated[int, Field(gt=0)] = 3
    PAUSE_MAX_SECONDS: Seconds = 60
    RECHECK_FIRST_WAIT_SECONDS: Seconds = 30
    RECHECK_HOURS: Annotated[float, Field(gt=0)] = 24
    SWEEP_CRON: str = "* * * * * */15"
    SWEEP_AFTER_SECONDS: Annotated[float, Field(ge=0)] = 10
    RESCUE_CRON: str = "* * * * * */30"
    STALLED_WORKER_SECONDS: Annotated[int, Field(gt=0)] = 60
    RECONCILE_CRON: str = "23 2 * * *"
    RECONCILE_DAYS: Annotated[int, Field(gt=0)] = 2
    # Beyond these, the operators' list names what stays in a state
    PENDING_LIMIT_SECONDS: Seconds = 120
    SETTLING_LIMIT_SECONDS: Seconds = 600
    UNKNOWN_LIMIT_SECONDS: Seconds = 900
    HELD_LIMIT_SECONDS: Seconds = 86_400
    POOL_LIMIT_SECONDS: Seconds = 120

    JOB_MAX_ATTEMPTS: Annotated[int, Field(gt=0)] = 8
    JOB_RETRY_MAX_WAIT_SECONDS: Annotated[int, Field(gt=0)] = 60
    JOB_KEEP_HOURS: Annotated[int, Field(gt=0)] = 72
    PRICE_KEEP_DAYS: Annotated[int, Field(gt=0)] = 30

    @property
    def login_rate_of_an_address(self) -> str:
        """Several people share an address: by default four times what an account has."""
        if self.RATE_LIMIT_LOGIN_ADDRESS:
            return self.RATE_LIMIT_LOGIN_ADDRESS
        count, period = self.RATE_LIMIT_LOGIN.split("/")
        return f"{4 * int(count)}/{period}"

    @property
    def trusted_networks(self) -> list[Network]:
        """TRUSTED_PROXIES, comma-separated addresses and networks."""
        return _networks(self.TRUSTED_PROXIES)

    @property
    def metrics_networks(self) -> list[Network]:
        """Who may read /metrics without a token: in development this machine, in production nobody unless set."""
        if self.METRICS_NETWORKS is None:
            return _networks("127.0.0.0/8,::1" if self.DEBUG else "")
        return _networks(self.METRICS_NETWORKS)

    @field_validator("TRUSTED_PROXIES", "METRICS_NETWORKS")
    @classmethod
    def refuse_what_is_no_network(cls, value: str | None) -> str | None:
        """Raises ValueError, which stops the start."""
        _networks(value or "")
        return value

    @model_validator(mode="after")
    def refuse_development_secrets_in_production(self) -> Self:
        """A forged token is a stolen wallet: production starts with secrets of its own or not at all."""
        if self.DEBUG:
            return self
        for name in ("SECRET_KEY", "JWT_SECRET_KEY"):
            value: str = getattr(self, name)
            is_example = value == DEVELOPMENT_SECRET or value.startswith("change-me")
            if is_example or len(value) < SHORTEST_SECRET:
                raise ValueError(f"{name} must be set to a secret of {SHORTEST_SECRET} characters or more")
        if self.SECRET_KEY == self.JWT_SECRET_KEY:
            raise ValueError("JWT_SECRET_KEY must differ from SECRET_KEY")
        if not self.POSTGRES_PASSWORD:
            raise ValueError("POSTGRES_PASSWORD must be set")
        if self.FAILPOINTS:
            raise ValueError("FAILPOINTS are for tests: they end the process")
        return self
