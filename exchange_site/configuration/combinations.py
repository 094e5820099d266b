"""Combinations of values with which no process starts: a table of predicates and sentences.

Each sentence names the variable and says what to do instead. docs/configuration.md lists them.
"""

# ruff: noqa: PLR2004  each number stands beside its sentence

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from typing import TYPE_CHECKING, Final

from exchange_site.configuration.addresses import (
    is_broad,
    is_host_name,
    is_loopback,
    is_open_host,
    is_open_url,
    is_origin,
    is_origin_of_own_names,
    is_private,
)
from exchange_site.configuration.banking import BANKING
from exchange_site.configuration.ceilings import CEILINGS
from exchange_site.configuration.objections import Objection
from exchange_site.configuration.reporting import REPORTING, REPORTING_NEEDS
from exchange_site.configuration.rules import is_real_venue, must_be_on, rule, spends_real_money
from exchange_site.configuration.secrecy import is_same_secret, is_weak_key, is_weak_password
from exchange_site.configuration.site import DEVELOPMENT_SECRET

if TYPE_CHECKING:
    from exchange_site.configuration import Configuration


def judge(configuration: "Configuration", *, secrets: Mapping[str, str]) -> list[Objection]:
    """Return the objections of all rules that apply. `secrets` are those that are set, by variable."""
    rules = [*ALWAYS]
    if not configuration.django.debug:
        rules += PRODUCTION if configuration.development.load_test else [*PRODUCTION, *CEILINGS]
    found = [Objection(rule.variable, rule.sentence) for rule in rules if rule.refuses(configuration)]
    return found if configuration.django.debug else [*found, *_find_equal(secrets)]


def _find_equal(secrets: Mapping[str, str]) -> Iterator[Objection]:
    for (first, one), (second, other) in combinations(secrets.items(), 2):
        if is_same_secret(one, other) and DEVELOPMENT_SECRET not in {one, other}:  # said already
            yield Objection(second, f"{second} must differ from {first}, and must not be a part of it or hold it.")


def _has_weak_database_password(given: "Configuration") -> bool:
    postgres = given.postgres
    return bool(postgres.password) and is_weak_password(postgres.password, names=(postgres.user, postgres.name))


# In development, too.
ALWAYS: Final = (
    *REPORTING_NEEDS,
    rule(
        "SECRET_KEY",
        "must not be empty: leave it out for development, or set it to a secret.",
        lambda given: given.django.debug and not given.django.secret_key,
    ),
    rule(
        "JWT_SECRET_KEY",
        "must not be empty: leave it out for development, or set it to a secret.",
        lambda given: given.django.debug and not given.django.jwt_secret_key,
    ),
    rule(
        "BIND_ADDRESS",
        "must be of this machine or a private network while DEBUG is on, because error pages show code and settings:"
        " name the private address of one interface, or set DEBUG=False.",
        lambda given: given.django.debug and not is_private(given.serving.bind_address),
    ),
    rule(
        "ALLOWED_HOSTS",
        "must not name public hosts or * while DEBUG is on: set DEBUG=False to serve them.",
        lambda given: given.django.debug and any(
            host != "0.0.0.0" and not is_private(host.removeprefix(".")) for host in given.django.allowed_hosts  # noqa: S104  of older installations
        ),
    ),
    rule(
        "SELF_SERVICE_DEPOSITS",
        "must be False with a real venue: customers would buy coins with money that they credited to themselves."
        " Set EXCHANGE_SANDBOX=True, or EXCHANGE_URL to the simulator, for a trial.",
        lambda given: given.deposits.self_service and spends_real_money(given),
    ),
    rule(
        "SELF_SERVICE_PAYOUTS",
        "must be False with a real venue: withdrawals would leave the books, and nobody would send the money."
        " Set EXCHANGE_SANDBOX=True, or EXCHANGE_URL to the simulator, for a trial.",
        lambda given: given.payouts.self_service and spends_real_money(given),
    ),
    rule(
        "HASHING_SLOTS",
        "must be smaller than WEB_THREADS: a flood of sign-ins would stop every other request.",
        lambda given: given.sign_in.hashing_slots >= given.serving.web_threads,
    ),
    rule(
        "EXCHANGE_URL",
        "must begin with https:// unless it leads to this machine or a private network.",
        lambda given: bool(given.venue.url) and is_open_url(given.venue.url),
    ),
)  # fmt: skip

PRODUCTION: Final = (
    rule(
        "SECRET_KEY",
        "must be set to a secret of 32 characters or more that is random, not an example or a pattern.",
        lambda given: is_weak_key(given.django.secret_key),
    ),
    rule(
        "JWT_SECRET_KEY",
        "must be set to a secret of 32 characters or more that is random, not an example or a pattern.",
        lambda given: is_weak_key(given.django.jwt_secret_key),
    ),
    rule(
        "ENCRYPTION_KEYS",
        "must be set to a secret of 32 characters or more that is random, not an example or a pattern, or to several,"
        " the newest first.",
        lambda given: any(is_weak_key(key) for key in given.encryption.keys),
    ),
    rule(
        "METRICS_TOKEN",
        "must be empty or a secret of 32 characters or more that is random, not an example or a pattern.",
        lambda given: bool(given.metrics.token) and is_weak_key(given.metrics.token),
    ),
    rule("POSTGRES_PASSWORD", "must be set.", lambda given: not given.postgres.password),
    rule(
        "POSTGRES_PASSWORD",
        "must have 12 characters or more that are no well-known password, no pattern, and not the user's or database's"
        " name.",
        _has_weak_database_password,
    ),
    rule(
        "REDIS_PASSWORD",
        "must be set, because Redis is on another host.",
        lambda given: not is_loopback(given.redis.host) and not given.redis.password,
    ),
    rule(
        "REDIS_PASSWORD",
        "must have 12 characters or more that are no well-known password and no pattern, because Redis is on another"
        " host.",
        lambda given: not is_loopback(given.redis.host) and bool(given.redis.password)
        and is_weak_password(given.redis.password, names=(given.redis.user,)),
    ),
    rule(
        "EXCHANGE_API_KEY",
        "and EXCHANGE_API_SECRET must both be set or both be empty.",
        lambda given: bool(given.venue.api_key) != bool(given.venue.api_secret),
    ),
    rule(
        "EXCHANGE_API_SECRET",
        "must be that of the venue: this one is the simulator's, which is public.",
        lambda given: is_real_venue(given) and given.venue.api_secret.startswith("simulator-"),
    ),
    rule(
        "POSTGRES_SSLMODE",
        "must be require, verify-ca or verify-full for a database that is not on this machine or a private network.",
        lambda given: given.postgres.sslmode in {"disable", "allow", "prefer"}
        and not all(is_private(host) for host in given.postgres.hosts),
    ),
    rule(
        "REDIS_TLS",
        "must be True for a Redis that is not on this machine or a private network.",
        lambda given: not given.redis.tls and not is_private(given.redis.host),
    ),
    *BANKING,
    rule(
        "EMAIL_TLS",
        "must be starttls or implicit for a mail server that is not on this machine or a private network.",
        lambda given: given.mail.tls == "none" and bool(given.mail.host) and not is_private(given.mail.host),
    ),
    rule(
        "EMAIL_LINK_URL",
        "must begin with https:// and have no # and no ?: its links hold tokens.",
        lambda given: bool(given.mail.link_url)
        and (not given.mail.link_url.startswith("https://") or bool({"#", "?"} & set(given.mail.link_url))),
    ),
    *REPORTING,
    rule("FAILPOINTS", "are for tests: they end the process.", lambda given: bool(given.development.failpoints)),
    rule(
        "LOAD_TEST",
        "must be False with a real venue.",
        lambda given: given.development.load_test and is_real_venue(given),
    ),
    rule(
        "ALLOWED_HOSTS",
        "must name a host: without one, every request gets a 400.",
        lambda given: not given.django.allowed_hosts,
    ),
    rule(
        "ALLOWED_HOSTS",
        "must hold names of your own: not *, 0.0.0.0, or an ending such as .com below which strangers have names.",
        lambda given: any(is_open_host(host) for host in given.django.allowed_hosts),
    ),
    rule(
        "ALLOWED_HOSTS",
        "must hold host names without scheme, port and path: others match nothing.",
        lambda given: not all(is_host_name(host) for host in given.django.allowed_hosts),
    ),
    rule(
        "CSRF_TRUSTED_ORIGINS",
        "must hold origins such as https://shop.example, or https://*.shop.example for names of your own.",
        lambda given: not all(is_origin_of_own_names(origin) for origin in given.django.csrf_trusted_origins),
    ),
    rule(
        "CORS_ALLOWED_ORIGINS",
        "must hold origins such as https://shop.example: no *, no null, no http:// and no path.",
        lambda given: not all(is_origin(origin) for origin in given.django.cors_allowed_origins),
    ),
    rule(
        "TRUSTED_PROXIES",
        "must name the proxies alone: with networks as broad as these, callers could say which address they have.",
        lambda given: is_broad(given.limits.trusted_proxies, addresses=1 << 24),
    ),
    rule(
        "METRICS_NETWORKS",
        "must name the scrapers' networks alone: these are so broad that strangers could read the metrics.",
        lambda given: is_broad(given.metrics.networks, addresses=1 << 16),
    ),
    rule(
        "SECURE_SSL_REDIRECT",
        "must be True with a real venue: passwords and tokens would travel in the clear.",
        lambda given: not given.django.secure_ssl_redirect and is_real_venue(given),
    ),
    must_be_on("REFUSE_COMMON_PASSWORDS", lambda given: given.sign_in.refuse_common_passwords),
    must_be_on("STAFF_SECOND_FACTOR", lambda given: given.sign_in.staff_second_factor),
    must_be_on("PAYOUT_PROVEN_EMAIL", lambda given: given.payouts.proven_email),
    rule(
        "ACCESS_TOKEN_MINUTES",
        "must be at most 1440, because a stolen token is good until it expires; REFRESH_TOKEN_DAYS keeps customers"
        " signed in.",
        lambda given: given.sign_in.access_token_minutes > 1440,
    ),
    rule("REFRESH_TOKEN_DAYS", "must be at most 365.", lambda given: given.sign_in.refresh_token_days > 365),
    rule(
        "REFRESH_GRACE_SECONDS",
        "must be at most 300: so long a stolen refresh token that was replaced yields its owner's tokens.",
        lambda given: given.sign_in.refresh_grace > timedelta(minutes=5),
    ),
    rule(
        "PRICE_CHECK_VENUE_ID",
        "must be another venue than EXCHANGE_ID: a second source of the same prices proves nothing.",
        lambda given: given.venue.check_id == given.venue.id,
    ),
    rule(
        "PRICE_CHECK_VENUE_ID",
        "must be empty with EXCHANGE_URL: the second source would be asked at the venue's address.",
        lambda given: bool(given.venue.check_id and given.venue.url),
    ),
    rule(
        "MAX_LOSS",
        "must be at most 0.25: a venue's wrong price would be paid from the house's money.",
        lambda given: given.settlement.max_loss > Decimal("0.25"),
    ),
    rule(
        "MAX_LOSS_OF_AN_ORDER",
        "must not be above MAX_LOSS: the bound of the whole purchase would stop the order first.",
        lambda given: given.settlement.max_loss_of_an_order > given.settlement.max_loss,
    ),
    rule(
        "BUY_SLACK",
        "must be at most 0.25: the house would pay for whatever the market does while a purchase is on its way.",
        lambda given: given.settlement.buy_slack > Decimal("0.25"),
    ),
    rule(
        "HOUSE_LOSS_PER_DAY_AND_COIN",
        "must not be above HOUSE_LOSS_PER_DAY.",
        lambda given: (given.losses.per_day_and_coin or 0) > (given.losses.per_day or Decimal("Infinity")),
    ),
    rule(
        "EXCHANGE_TAKER_RATE",
        "must be at most 0.05: purchases are enlarged by it.",
        lambda given: given.venue.taker_rate > Decimal("0.05"),
    ),
    rule(
        "EXCHANGE_QUOTE_ASSET",
        "must be US dollars or a coin of theirs, such as USDT, because it is booked one to one as dollars.",
        lambda given: "USD" not in given.venue.quote_asset.upper() and given.venue.quote_asset.upper() != "DAI",
    ),
    rule(
        "NOT_FOUND_TIMES",
        "must be at least 2: one early answer would make us buy twice.",
        lambda given: given.settlement.not_found_times < 2,
    ),
    rule(
        "STALLED_WORKER_SECONDS",
        "must be at least 30: jobs of living workers would run twice.",
        lambda given: given.jobs.stalled_worker_seconds < 30,
    ),
    rule(
        "WORKER_STANDSTILL_SECONDS",
        "must be at least 30: a worker that is only busy would be ended.",
        lambda given: given.jobs.standstill_seconds < 30,
    ),
)  # fmt: skip
