"""The environment variables, in groups. Each is declared once, with its type, default and meaning.

Only this package reads the environment for the settings. `task docs` writes config.example.env and the tables of
docs/configuration.md from its declarations.
"""

from collections.abc import Mapping
from typing import Final, Self, cast

from pydantic import BaseModel, ConfigDict, PrivateAttr, TypeAdapter, ValidationError

from exchange_site.configuration.combinations import judge
from exchange_site.configuration.customers import Deposits, Limits, PersonalData, SecurityLog, SignIn
from exchange_site.configuration.mail import Mail
from exchange_site.configuration.objections import Objection, error_of, explain, read_objections, with_example
from exchange_site.configuration.payouts import Payouts
from exchange_site.configuration.persons import Proposals
from exchange_site.configuration.settlement import Jobs, Settlement, ToDo, Venue
from exchange_site.configuration.shop import Losses, Pools, Prices, Quotes, Risk
from exchange_site.configuration.site import Development, Django, Encryption, Metrics, Serving
from exchange_site.configuration.sources import resolve
from exchange_site.configuration.stores import Clock, Postgres, Redis
from exchange_site.configuration.telemetry import Telemetry
from exchange_site.configuration.variables import Group, Variable, list_variables
from exchange_site.configuration.venues import read_further_venues


class Configuration(BaseModel):
    """All groups, in the order of docs/configuration.md."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    django: Django
    encryption: Encryption
    serving: Serving
    metrics: Metrics
    telemetry: Telemetry
    postgres: Postgres
    clock: Clock
    redis: Redis
    development: Development
    sign_in: SignIn
    security_log: SecurityLog
    mail: Mail
    personal_data: PersonalData
    limits: Limits
    deposits: Deposits
    payouts: Payouts
    pools: Pools
    prices: Prices
    quotes: Quotes
    risk: Risk
    losses: Losses
    proposals: Proposals
    venue: Venue
    settlement: Settlement
    to_do: ToDo
    jobs: Jobs

    _further_venues: dict[str, Venue] = PrivateAttr(default_factory=dict)

    @property
    def further_venues(self) -> dict[str, Venue]:
        """The groups of further venues, by their names."""
        return self._further_venues

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Parse an environment, with the files and URLs that it names, and judge the values together.

        Raises ValidationError with every sentence at once: about values of a wrong form, and about combinations that
        are refused (`combinations.py`). It repeats no value of a secret.
        """
        found = resolve(environment, secrets=SECRETS)
        configuration, wrong = cls._parse_usable(found.variables)
        further, refused = read_further_venues(environment)
        configuration.further_venues.update(further)
        objections = [*found.objections, *wrong, *refused]
        named = {each.variable for each in objections}
        judged = judge(configuration, secrets=_secrets_of(configuration))
        objections += [each for each in judged if each.variable not in named]
        if objections:
            raise error_of(objections)
        return configuration

    @classmethod
    def read_or_exit(cls, environment: Mapping[str, str]) -> Self:
        """Parse an environment; end the process with exit code 1 if it is refused, and print only the sentences."""
        try:
            return cls.read(environment)
        except ValidationError as error:
            raise SystemExit(explain(error)) from None

    @classmethod
    def _parse_usable(cls, variables: Mapping[str, str]) -> tuple[Self, list[Objection]]:
        """Parse the values that have the right form, so that these can be judged, and return what the others lack.

        Without a DEBUG of the right form they are not judged: nobody knows whether as values of production.
        """
        objections: list[Objection] = []
        wrong: set[str] = set()
        while True:
            try:
                configuration = cls._parse(variables)
                break
            except ValidationError as error:
                objections += [with_example(each, _example_of(each.variable)) for each in read_objections(error)]
            wrong = {each.variable for each in objections}
            if not wrong & variables.keys():
                raise error_of(objections)
            variables = {name: value for name, value in variables.items() if name not in wrong}
        if "DEBUG" in wrong:
            raise error_of(objections)
        return configuration, objections

    @classmethod
    def _parse(cls, variables: Mapping[str, str]) -> Self:
        if not TypeAdapter(Django).validate_python(variables).debug:
            variables = {**_IN_PRODUCTION, **variables}
        return cls.model_validate(dict.fromkeys(cls.model_fields, variables))


def resolve_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with the values of the files and URLs that it names. What cannot be used is left out."""
    return resolve(environment, secrets=SECRETS).variables


def _example_of(name: str) -> str:
    """Return a value of a variable that has the right form; empty if there is none, or if it would be a secret."""
    variable = VARIABLES.get(name)
    if variable is None or variable.words.get("secret"):
        return ""
    return variable.words.get("such_as") or variable.default or ""


def _secrets_of(configuration: Configuration) -> dict[str, str]:
    """Return the secrets that are set, by the names of their variables."""
    values = {
        str(field.validation_alias): getattr(group, name)
        for group in dict(configuration).values()
        for name, field in type(group).__pydantic_fields__.items()
    }
    found = {name: values[name] for name in SECRETS if values[name] and not name.endswith("_URL")}
    return {name: ",".join(value) if isinstance(value, list) else value for name, value in found.items()}


GROUPS: Final = tuple(cast("type[Group]", field.annotation) for field in Configuration.model_fields.values())

VARIABLES: Final[dict[str, Variable]] = {each.name: each for group in GROUPS for each in list_variables(group)}
SECRETS: Final = tuple(each.name for each in VARIABLES.values() if each.words.get("secret"))
_IN_PRODUCTION: Final = {
    each.name: each.words["in_production"] for each in VARIABLES.values() if "in_production" in each.words
}
