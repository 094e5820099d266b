"""The environment variables, in groups. Each is declared once, with its type, default and meaning.

Only this package reads the environment for the settings. `task docs` writes config.example.env and the tables of
docs/configuration.md from its declarations.
"""

from collections.abc import Mapping
from typing import Final, Self, cast

from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from exchange_site.configuration.customers import Deposits, Limits, SignIn
from exchange_site.configuration.settlement import Jobs, Settlement, ToDo, Venue
from exchange_site.configuration.shop import Pools, Prices, Risk
from exchange_site.configuration.site import DEVELOPMENT_SECRET, Development, Django, Metrics, Serving
from exchange_site.configuration.stores import Clock, Postgres, Redis
from exchange_site.configuration.variables import Group, Variable, list_variables

_SHORTEST_SECRET: Final = 32


class Configuration(BaseModel):
    """All groups, in the order of docs/configuration.md. In production it refuses missing or public secrets."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    django: Django
    serving: Serving
    metrics: Metrics
    postgres: Postgres
    clock: Clock
    redis: Redis
    development: Development
    sign_in: SignIn
    limits: Limits
    deposits: Deposits
    pools: Pools
    prices: Prices
    risk: Risk
    venue: Venue
    settlement: Settlement
    to_do: ToDo
    jobs: Jobs

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Parse an environment. Raises ValidationError, which names the variables that are wrong."""
        variables = dict(environment)
        if not TypeAdapter(Django).validate_python(variables).debug:
            variables = {**_IN_PRODUCTION, **variables}
        return cls.model_validate(dict.fromkeys(cls.model_fields, variables))

    @model_validator(mode="after")
    def refuse_development_secrets_in_production(self) -> Self:
        """Refuse public or short secrets in production: they would let anybody forge tokens and empty wallets."""
        if self.django.debug:
            return self
        secrets = {"SECRET_KEY": self.django.secret_key, "JWT_SECRET_KEY": self.django.jwt_secret_key}
        for name, value in secrets.items():
            is_example = value == DEVELOPMENT_SECRET or value.startswith("change-me")
            if is_example or len(value) < _SHORTEST_SECRET:
                raise ValueError(f"{name} must be set to a secret of {_SHORTEST_SECRET} characters or more")
        if self.django.secret_key == self.django.jwt_secret_key:
            raise ValueError("JWT_SECRET_KEY must differ from SECRET_KEY")
        if not self.postgres.password:
            raise ValueError("POSTGRES_PASSWORD must be set")
        if self.development.failpoints:
            raise ValueError("FAILPOINTS are for tests: they end the process")
        return self


GROUPS: Final = tuple(cast("type[Group]", field.annotation) for field in Configuration.model_fields.values())

VARIABLES: Final[dict[str, Variable]] = {each.name: each for group in GROUPS for each in list_variables(group)}
_IN_PRODUCTION: Final = {
    each.name: each.words["in_production"] for each in VARIABLES.values() if "in_production" in each.words
}
