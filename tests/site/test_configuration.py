"""docs/configuration.md and config.example.env agree with the code; production refuses unsafe values."""

import itertools
import os
import re
import subprocess
from secrets import token_hex, token_urlsafe

import pytest
from django.core.management import CommandError, call_command
from pydantic import ValidationError

from exchange_site.configuration import VARIABLES, Configuration
from exchange_site.configuration.ceilings import CEILINGS
from exchange_site.configuration.combinations import ALWAYS
from exchange_site.configuration.combinations import PRODUCTION as PRODUCTION_RULES
from exchange_site.configuration.objections import read_objections
from exchange_site.configuration.site import DEVELOPMENT_SECRET
from exchange_site.management.commands import configuration as command
from exchange_site.stack.processes import API, PROJECT, WORKER, manage

PACKAGES = ("exchange_site", "settlement", "trading", "wallets")
SECRETS = ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEYS")
SHARED = (*SECRETS, "METRICS_TOKEN", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "EXCHANGE_API_SECRET")
EVERYWHERE = "0.0.0.0"  # noqa: S104  it is refused
SIMULATOR = "http://127.0.0.1:9100"
PRODUCTION = {
    "DEBUG": "False",
    "SECRET_KEY": "k7Yq2mZ0vRw9tB4xLd8sHc3fJn6gPe1u",
    "JWT_SECRET_KEY": "Wv5bT1nQz8rKx3mC7yLj0hGd4sFp9aEo",
    "ENCRYPTION_KEYS": "Rb6uJ3nW8qXe1zKd5mVt9yGf2hLc7sPa",
    "POSTGRES_PASSWORD": "vX3pQ9rTm2Lk",
    "HOUSE_LOSS_PER_DAY": "500.00",
}
# Variables whose default depends on DEBUG or on another variable.
DERIVED = sorted(name for name, each in VARIABLES.items() if each.default is None or "in_production" in each.words)

# Values that production refuses, and the variables with which its sentences begin.
DANGEROUS = [
    ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
    ({"EMAIL_HOST": "mail.example.org", "EMAIL_TLS": "none"}, "EMAIL_TLS"),
    ({"SENTRY_DSN": "http://key@errors.example.org/1"}, "SENTRY_DSN"),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example.org:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ({"EMAIL_LINK_URL": "http://shop.example.org"}, "EMAIL_LINK_URL"),
    ({"EMAIL_LINK_URL": "https://shop.example.org/#/"}, "EMAIL_LINK_URL"),
    ({"HASHING_SLOTS": "3"}, "HASHING_SLOTS"),
    ({"WEB_THREADS": "1"}, "HASHING_SLOTS"),
    ({"ALLOWED_HOSTS": "shop.example.org,*"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": "*.example.org"}, "ALLOWED_HOSTS ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": ".com"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": ".co.uk"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": ".github.io"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": "."}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": EVERYWHERE}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": "[::]"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": " , "}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": "https://shop.example.org"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": "shop.example.org:443"}, "ALLOWED_HOSTS"),
    ({"TRUSTED_PROXIES": "0.0.0.0/0"}, "TRUSTED_PROXIES"),
    ({"TRUSTED_PROXIES": "::/0"}, "TRUSTED_PROXIES"),
    ({"TRUSTED_PROXIES": "10.0.0.1,0.0.0.0/1,128.0.0.0/1"}, "TRUSTED_PROXIES"),
    ({"TRUSTED_PROXIES": "1.0.0.0/8"}, "TRUSTED_PROXIES"),
    ({"TRUSTED_PROXIES": ",".join(f"{number}.0.0.0/9" for number in range(1, 100))}, "TRUSTED_PROXIES"),
    ({"TRUSTED_PROXIES": "2000::/3"}, "TRUSTED_PROXIES"),
    ({"TRUSTED_PROXIES": "::ffff:0:0/96"}, "TRUSTED_PROXIES"),
    ({"TRUSTED_PROXIES": "::/80"}, "TRUSTED_PROXIES"),
    ({"METRICS_NETWORKS": "0.0.0.0/0"}, "METRICS_NETWORKS"),
    ({"METRICS_NETWORKS": "0.0.0.0/4"}, "METRICS_NETWORKS"),
    ({"METRICS_NETWORKS": "127.0.0.0/8,::/0"}, "METRICS_NETWORKS"),
    ({"METRICS_NETWORKS": "203.0.0.0/15"}, "METRICS_NETWORKS"),
    ({"CORS_ALLOWED_ORIGINS": "*"}, "CORS_ALLOWED_ORIGINS"),
    ({"CORS_ALLOWED_ORIGINS": "null"}, "CORS_ALLOWED_ORIGINS"),
    ({"CORS_ALLOWED_ORIGINS": "http://shop.example.org"}, "CORS_ALLOWED_ORIGINS"),
    ({"CORS_ALLOWED_ORIGINS": "https://shop.example.org,http://localhost:3000"}, "CORS_ALLOWED_ORIGINS"),
    ({"CORS_ALLOWED_ORIGINS": "https://shop.example.org/path"}, "CORS_ALLOWED_ORIGINS"),
    ({"CORS_ALLOWED_ORIGINS": "https://*.example.org"}, "CORS_ALLOWED_ORIGINS"),
    ({"CORS_ALLOWED_ORIGINS": "file://"}, "CORS_ALLOWED_ORIGINS"),
    ({"CSRF_TRUSTED_ORIGINS": "*"}, "CSRF_TRUSTED_ORIGINS"),
    ({"CSRF_TRUSTED_ORIGINS": "https://*"}, "CSRF_TRUSTED_ORIGINS"),
    ({"CSRF_TRUSTED_ORIGINS": "https://*.com"}, "CSRF_TRUSTED_ORIGINS"),
    ({"CSRF_TRUSTED_ORIGINS": "http://shop.example.org"}, "CSRF_TRUSTED_ORIGINS"),
    ({"ACCESS_TOKEN_MINUTES": "525600"}, "ACCESS_TOKEN_MINUTES"),
    ({"ACCESS_TOKEN_MINUTES": "1441"}, "ACCESS_TOKEN_MINUTES"),
    ({"REFRESH_TOKEN_DAYS": "366"}, "REFRESH_TOKEN_DAYS"),
    ({"MAX_LOSS": "0.99"}, "MAX_LOSS"),
    ({"MAX_LOSS": "0.2501"}, "MAX_LOSS"),
    ({"MAX_LOSS_OF_AN_ORDER": "0.0501"}, "MAX_LOSS_OF_AN_ORDER"),
    ({"MAX_LOSS": "0.005"}, "MAX_LOSS_OF_AN_ORDER"),
    ({"BUY_SLACK": "0.2501"}, "BUY_SLACK"),
    ({"HOUSE_LOSS_PER_DAY": ""}, "HOUSE_LOSS_PER_DAY"),
    ({"HOUSE_LOSS_PER_DAY_AND_COIN": "500.01"}, "HOUSE_LOSS_PER_DAY_AND_COIN"),
    ({"EXCHANGE_TAKER_RATE": "0.5"}, "EXCHANGE_TAKER_RATE"),
    ({"EXCHANGE_QUOTE_ASSET": "BTC"}, "EXCHANGE_QUOTE_ASSET"),
    ({"EXCHANGE_QUOTE_ASSET": "EUR"}, "EXCHANGE_QUOTE_ASSET"),
    ({"ORDER_AGGREGATION_THRESHOLD": "1000000"}, "ORDER_AGGREGATION_THRESHOLD"),
    ({"POOL_MAX_AGE_SECONDS": "31536000"}, "POOL_MAX_AGE_SECONDS"),
    ({"PRICE_MAX_AGE_SECONDS": "86400"}, "PRICE_MAX_AGE_SECONDS"),
    ({"REQUEST_TIMEOUT_SECONDS": "3600"}, "REQUEST_TIMEOUT_SECONDS"),
    ({"WEB_QUEUE_SECONDS": "3600"}, "WEB_QUEUE_SECONDS"),
    ({"PRICE_CACHE_SECONDS": "3600"}, "PRICE_CACHE_SECONDS"),
    ({"PRICE_MAX_AGE_SECONDS": "10", "PRICE_CACHE_SECONDS": "30"}, "PRICE_CACHE_SECONDS"),
    ({"PRICE_DEVIATION_LIMIT": "1000"}, "PRICE_DEVIATION_LIMIT"),
    ({"PRICE_JUMP_LIMIT": "0.21"}, "PRICE_JUMP_LIMIT"),
    ({"PRICE_VALID_SECONDS": "301"}, "PRICE_VALID_SECONDS"),
    ({"PRICE_VALID_SECONDS": "14.9"}, "PRICE_VALID_SECONDS"),
    ({"PRICE_REFRESH_CRON": "* * * * * */11"}, "PRICE_VALID_SECONDS"),
    ({"PRICE_REFRESH_CRON": "* * * * *"}, "PRICE_VALID_SECONDS"),
    ({"PRICE_FROZEN_SECONDS": "3601"}, "PRICE_FROZEN_SECONDS"),
    ({"PRICE_CHECK_VENUE_ID": "binance"}, "PRICE_CHECK_VENUE_ID"),
    ({"PRICE_CHECK_VENUE_ID": "okx", "EXCHANGE_URL": "https://127.0.0.1:9"}, "PRICE_CHECK_VENUE_ID"),
    ({"RISK_WINDOW_SECONDS": "0.1"}, "RISK_WINDOW_SECONDS"),
    ({"EXCHANGE_CONNECT_TIMEOUT_SECONDS": "86400"}, "EXCHANGE_CONNECT_TIMEOUT_SECONDS"),
    ({"EXCHANGE_READ_TIMEOUT_SECONDS": "inf"}, "EXCHANGE_READ_TIMEOUT_SECONDS"),
    ({"EXCHANGE_CALL_TIMEOUT_SECONDS": "86400"}, "EXCHANGE_CALL_TIMEOUT_SECONDS"),
    ({"EXCHANGE_LIST_TIMEOUT_SECONDS": "86400"}, "EXCHANGE_LIST_TIMEOUT_SECONDS"),
    ({"WORKER_STANDSTILL_SECONDS": "5"}, "WORKER_STANDSTILL_SECONDS"),
    ({"LOOKUP_MAX_WAIT_SECONDS": "86400"}, "LOOKUP_MAX_WAIT_SECONDS"),
    ({"PAUSE_MAX_SECONDS": "86400"}, "PAUSE_MAX_SECONDS"),
    ({"EXCHANGE_MAX_WAIT_SECONDS": "60000"}, "EXCHANGE_MAX_WAIT_SECONDS"),
    ({"EXCHANGE_MARKETS_MAX_AGE_SECONDS": "3600"}, "EXCHANGE_MARKETS_MAX_AGE_SECONDS"),
    ({"TOP_UP_MAX": "1000000.00"}, "TOP_UP_MAX"),
    ({"RISK_MAX_HELD": "1000000"}, "RISK_MAX_HELD"),
    ({"QUOTE_TTL_SECONDS": "61"}, "QUOTE_TTL_SECONDS"),
    ({"MAX_ATTEMPTS": "1000000"}, "MAX_ATTEMPTS"),
    ({"RISK_MAX_ORDERS": "1000000"}, "RISK_MAX_ORDERS"),
    ({"RISK_MAX_CANCELS": "1000000"}, "RISK_MAX_CANCELS"),
    ({"RISK_MAX_VALUE": "1000000000000"}, "RISK_MAX_VALUE"),
    ({"NOT_FOUND_TIMES": "1"}, "NOT_FOUND_TIMES"),
    ({"STALLED_WORKER_SECONDS": "5"}, "STALLED_WORKER_SECONDS"),
    ({"STALLED_WORKER_SECONDS": "86400"}, "STALLED_WORKER_SECONDS"),
    ({"JOB_RETRY_MAX_WAIT_SECONDS": "86400"}, "JOB_RETRY_MAX_WAIT_SECONDS"),
    ({"LOOKUP_FIRST_WAIT_SECONDS": "86400"}, "LOOKUP_FIRST_WAIT_SECONDS"),
    ({"SWEEP_AFTER_SECONDS": "86400"}, "SWEEP_AFTER_SECONDS"),
    ({"CLOCK_MAX_DRIFT_SECONDS": "31536000"}, "CLOCK_MAX_DRIFT_SECONDS"),
    ({"SECURITY_LOG_MOST_PER_MINUTE": "1000000000"}, "SECURITY_LOG_MOST_PER_MINUTE"),
    ({"REFRESH_GRACE_SECONDS": "31536000"}, "REFRESH_GRACE_SECONDS"),
    ({"REFRESH_GRACE_SECONDS": "301"}, "REFRESH_GRACE_SECONDS"),
    *(
        ({name: rate}, name)
        for name in VARIABLES
        if name.startswith("RATE_LIMIT_")
        for rate in ("100000000/m", "999999999/d", "500/s")
        if name != "RATE_LIMIT_LOGIN"
    ),
    ({"RATE_LIMIT_LOGIN": "1000000/h"}, "RATE_LIMIT_LOGIN RATE_LIMIT_LOGIN_ADDRESS"),
    ({"RATE_LIMIT_LOGIN": "2/s"}, "RATE_LIMIT_LOGIN"),
    ({"RATE_LIMIT_LOGIN": "100000000/m", "EXCHANGE_URL": SIMULATOR}, "RATE_LIMIT_LOGIN RATE_LIMIT_LOGIN_ADDRESS"),
    ({"SELF_SERVICE_DEPOSITS": "True"}, "SELF_SERVICE_DEPOSITS"),
    ({"SELF_SERVICE_PAYOUTS": "True"}, "SELF_SERVICE_PAYOUTS"),
    ({"TWO_PERSONS": ""}, "TWO_PERSONS"),
    ({"TWO_PERSONS": "price_rule, fixed_price"}, "TWO_PERSONS"),
    ({"TWO_PERSONS": "all, release_order:999999999"}, "TWO_PERSONS"),
    ({"TWO_PERSONS": "all, payout:10000.01"}, "TWO_PERSONS"),
    ({"PAYOUT_ACCOUNT": "DE89370400440532013000"}, "PAYOUT_ACCOUNT"),
    ({"PAYOUT_ACCOUNT": "123456789", "OUR_ACCOUNTS": "DE89370400440532013000=12345678"}, "PAYOUT_ACCOUNT"),
    ({"PROPOSAL_HOURS": "337"}, "PROPOSAL_HOURS"),
    ({"BREAK_GLASS_HOURS": "23.9"}, "BREAK_GLASS_HOURS"),
    ({"SELF_SERVICE_DEPOSITS": "True", "EXCHANGE_URL": "https://api.binance.com"}, "SELF_SERVICE_DEPOSITS"),
    ({"EXCHANGE_URL": "http://simulator.example.org:9100"}, "EXCHANGE_URL"),
    ({"EXCHANGE_URL": "http://8.8.8.8:9100"}, "EXCHANGE_URL"),
    ({"EXCHANGE_URL": "ftp://api.binance.com"}, "EXCHANGE_URL"),
    ({"EXCHANGE_URL": "http://[::1:9100"}, "EXCHANGE_URL"),
    ({"EXCHANGE_URL": "simulator:9100"}, "EXCHANGE_URL"),
    ({"EXCHANGE_API_KEY": "of-the-venue"}, "EXCHANGE_API_KEY"),
    ({"EXCHANGE_API_SECRET": "9vTq4LxZ"}, "EXCHANGE_API_KEY"),
    ({"EXCHANGE_API_KEY": "simulator-key", "EXCHANGE_API_SECRET": "simulator-secret"}, "EXCHANGE_API_SECRET"),
    ({"SECURE_SSL_REDIRECT": "False"}, "SECURE_SSL_REDIRECT"),
    ({"REFUSE_COMMON_PASSWORDS": "False"}, "REFUSE_COMMON_PASSWORDS"),
    ({"STAFF_SECOND_FACTOR": "False"}, "STAFF_SECOND_FACTOR"),
    ({"PAYOUT_PROVEN_EMAIL": "False"}, "PAYOUT_PROVEN_EMAIL"),
    ({"REDIS_HOST": "redis"}, "REDIS_PASSWORD"),
    ({"REDIS_HOST": "10.0.0.7"}, "REDIS_PASSWORD"),
    ({"REDIS_URL": "redis://10.0.0.7"}, "REDIS_PASSWORD"),
    ({"REDIS_HOST": "redis", "REDIS_PASSWORD": "redis"}, "REDIS_PASSWORD"),
    ({"REDIS_HOST": "redis.example.org"}, "REDIS_PASSWORD REDIS_TLS"),
    ({"REDIS_HOST": "203.0.113.9", "REDIS_PASSWORD": "Zt6wKq1xLm4v"}, "REDIS_TLS"),
    ({"POSTGRES_HOST": "db.example.org"}, "POSTGRES_SSLMODE"),
    ({"POSTGRES_HOST": "10.0.0.7,203.0.113.7", "POSTGRES_SSLMODE": "allow"}, "POSTGRES_SSLMODE"),
    ({"DATABASE_URL": "postgres://shop@203.0.113.7/shop?sslmode=disable"}, "POSTGRES_SSLMODE"),
    ({"FAILPOINTS": "claim.committed=kill"}, "FAILPOINTS"),
    ({"LOAD_TEST": "True"}, "LOAD_TEST"),
    ({"LOAD_TEST": "True", "EXCHANGE_URL": "https://api.binance.com"}, "LOAD_TEST"),
    ({"POSTGRES_PASSWORD": "postgres"}, "POSTGRES_PASSWORD"),
    # Only DEBUG is asked for there: see PUBLIC_DEBUG.
    ({"DEBUG": "True", "BIND_ADDRESS": EVERYWHERE}, "BIND_ADDRESS"),
]  # fmt: skip
HARMLESS = [
    {"BIND_ADDRESS": EVERYWHERE},
    {"ALLOWED_HOSTS": "shop.example.org,.shop.example.org,203.0.113.7,[2001:db8::7],localhost"},
    {"CSRF_TRUSTED_ORIGINS": "https://shop.example.org,https://*.shop.example.org,https://shop.example.org:8443"},
    {"CORS_ALLOWED_ORIGINS": "https://shop.example.org,https://[2001:db8::7]:8443"},
    {"TRUSTED_PROXIES": "10.0.0.0/8,172.30.250.0/24,192.168.0.0/16,fc00::/7,104.16.0.0/13,2400:cb00::/32,2a06:98c0::/29"},
    {"METRICS_NETWORKS": "10.0.0.0/8,203.0.113.0/24,2001:db8::/32"},
    {"ACCESS_TOKEN_MINUTES": "1440", "REFRESH_TOKEN_DAYS": "365", "REFRESH_GRACE_SECONDS": "300", "MAX_LOSS": "0.25"},
    {"LOAD_TEST": "True", "EXCHANGE_URL": SIMULATOR, "HOUSE_LOSS_PER_DAY": ""},
    {"HOUSE_LOSS_PER_DAY_AND_COIN": "500.00"},
    {"LOAD_TEST": "True", "EXCHANGE_URL": SIMULATOR, "RATE_LIMIT_LOGIN": "100000000/m", "RISK_WINDOW_SECONDS": "0.1"},
    {"SELF_SERVICE_DEPOSITS": "True", "SECURE_SSL_REDIRECT": "False", "EXCHANGE_URL": "http://simulator:9100"},
    {"SELF_SERVICE_DEPOSITS": "True", "EXCHANGE_SANDBOX": "True"},
    {"PAYOUT_ACCOUNT": "DE89 3704 0044 0532 0130 00", "OUR_ACCOUNTS": "DE89370400440532013000"},
    {"PAYOUT_ACCOUNT": "123456789", "OUR_ACCOUNTS": "DE89370400440532013000=123456789"},
    {"TWO_PERSONS": "", "EXCHANGE_SANDBOX": "True"}, {"TWO_PERSONS": "all, release_order:5"},
    {"BREAK_GLASS_HOURS": "1", "EXCHANGE_SANDBOX": "True"}, {"BREAK_GLASS_HOURS": "48"},
    {"REDIS_HOST": "redis", "REDIS_PASSWORD": "Zt6wKq1xLm4v"},
    {"REDIS_URL": "rediss://shop:Zt6wKq1xLm4v@redis.example.org"},
    {"POSTGRES_HOST": "postgres"},
    {"POSTGRES_HOST": "db.internal,10.0.0.7", "POSTGRES_SSLMODE": "disable"},
    {"POSTGRES_HOST": "/var/run/postgresql"},
    {"POSTGRES_HOST": "db.example.org", "POSTGRES_SSLMODE": "require"},
    {"POSTGRES_HOST": "db.example.org", "POSTGRES_SSLMODE": "verify-full", "POSTGRES_SSLROOTCERT": "system"},
    {"LOGLEVEL": "debug"},
]  # fmt: skip
PUBLIC_DEBUG = [
    *(
        ({"BIND_ADDRESS": each}, "BIND_ADDRESS")
        for each in (EVERYWHERE, "::", "0", "203.0.113.7", "8.8.8.8", "2001:db8::7")
    ),
    *(({"BIND_ADDRESS": each}, "BIND_ADDRESS") for each in ("shop.example.org", "::ffff:8.8.8.8", "")),
    *(
        ({"ALLOWED_HOSTS": each}, "ALLOWED_HOSTS")
        for each in ("*", "shop.example.org", ".example.org", "localhost,8.8.8.8")
    ),
]

PAGE = command.PAGE.read_text()
OF_THE_CODE, OTHERS = PAGE.split("## Docker Compose")
OF_COMPOSE, OF_TOOLS = OTHERS.split("## Outside of the application")
EXAMPLE = dict(re.findall(r"^([A-Z_]+)='?(.*?)'?$", command.EXAMPLE.read_text(), re.MULTILINE))


def rows(part):
    """Return the rows of the tables, variable → default. Some rows have two variables."""
    listed = {}
    for line in re.findall(r"^\| (`.*)\|$", part, re.MULTILINE):
        names, default, _unit, _meaning = (cell.strip() for cell in line.split("|"))
        listed |= dict.fromkeys(re.findall(r"`(\w+)`", names), default)
    return listed


def text_of(cell):
    """Return a cell's default in the form of an environment variable."""
    return "" if cell == "none" else re.fullmatch(r"`(.*)`", cell)[1]


def in_mode(cell, *, production):
    """Return the default of a mode, from a cell that may have one for development and one for production."""
    development, _, other = cell.partition(", in production ")
    return text_of(other if other and production else development)


DOCUMENTED = rows(OF_THE_CODE)


@pytest.mark.parametrize(
    ("written", "rendered"),
    [(PAGE, command.render_page(PAGE)), (command.EXAMPLE.read_text(), command.render_example())],
    ids=["page", "example"],
)
def test_the_committed_files_are_up_to_date(written, rendered):
    assert written == rendered, "the configuration has changed: run `task docs`"


class TestThePage:
    def test_lists_every_variable_and_no_other(self):
        assert DOCUMENTED.keys() == VARIABLES.keys()

    @pytest.mark.parametrize("name", sorted(VARIABLES.keys() - {*SECRETS, *DERIVED}))
    def test_shows_the_default_of_the_code(self, name):
        assert Configuration.read({name: text_of(DOCUMENTED[name])}) == Configuration.read({})

    @pytest.mark.parametrize("name", SECRETS)
    def test_says_that_the_default_secrets_are_public(self, name):
        assert VARIABLES[name].default == DEVELOPMENT_SECRET
        assert DOCUMENTED[name] == "a public one, in production none"

    @pytest.mark.parametrize("production", [False, True])
    def test_shows_defaults_that_depend_on_debug_or_another_variable(self, production):
        given = PRODUCTION if production else {}
        shown = {name: in_mode(DOCUMENTED[name], production=production) for name in DERIVED}
        assert Configuration.read({**given, **shown}) == Configuration.read(given)

    def test_lists_the_other_variables_of_compose_with_their_defaults(self):
        read = re.findall(r"\$\{([A-Z_]+)(?::-([^}]*))?", (PROJECT / "docker-compose.yml").read_text())
        own = {name: default for name, default in reversed(read) if name not in VARIABLES}
        shown = {name: cell.split(", ")[0] for name, cell in rows(OF_COMPOSE).items()}
        assert shown.pop("COMPOSE_PROFILES") == "none"
        assert {name: text_of(cell) for name, cell in shown.items()} == own

    def test_lists_the_variables_that_other_code_reads(self):
        files = [path for package in PACKAGES for path in (PROJECT / package).rglob("*.py")]
        files += [PROJECT / name for name in ("manage.py", ".ci/packages.py", ".ci/package_index.py")]
        code = "\n".join(path.read_text() for path in files)
        read = set(re.findall(r"""os\.environ(?:\.get|\.setdefault)?[\[(]["']([A-Z_]+)["']""", code))
        read |= set(re.findall(r'"([A-Z_]+)" (?:not )?in os\.environ', code))
        read |= set(re.findall(r'\bif not environment\.get\("([A-Z_]+)"\)', code))
        shell = "\n".join((PROJECT / name).read_text() for name in ("Taskfile.yml", ".ci/install"))
        read |= set(re.findall(r"\$\{([A-Z_]+)", shell))
        assert read - VARIABLES.keys() == rows(OF_TOOLS).keys()


class TestTheExampleFile:
    """test_commands.py tests that the file lists every variable."""

    @pytest.mark.parametrize("name", sorted(EXAMPLE.keys() - {*SECRETS}))
    def test_has_the_default_of_the_code(self, name):
        assert Configuration.read({name: EXAMPLE[name]}) == Configuration.read({})

    def test_is_read_by_a_shell(self):
        """Without quotes a shell would run a program for each schedule, such as `*`, a file of the folder."""
        script = f"set -eua; unset PATH; . {command.EXAMPLE}; /usr/bin/env -0"
        done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False, env={})
        assert (done.returncode, done.stderr) == (0, "")
        read = dict(each.split("=", 1) for each in done.stdout.split("\0") if each)
        assert {name: read.get(name) for name in EXAMPLE} == EXAMPLE

    def test_leaves_out_variables_whose_default_depends_on_others(self):
        assert sorted(VARIABLES.keys() - EXAMPLE.keys()) == DERIVED


class TestGroups:
    def test_do_not_print_secrets(self):
        secrets = {
            name: f"hidden-{name}" for name in VARIABLES if re.search("SECRET|PASSWORD|TOKEN$|API_KEY|_KEYS$", name)
        }
        secrets.pop("REFUSE_COMMON_PASSWORDS")
        assert len(secrets) == 11
        urls = {
            "DATABASE_URL": "postgres://u:hidden-POSTGRES_PASSWORD@h",
            "REDIS_URL": "redis://u:hidden-REDIS_PASSWORD@h",
        }
        given = {**secrets, **urls, "EXCHANGE_SANDBOX": "True"}
        assert "hidden" not in repr(Configuration.read(given))

    def test_headers_of_a_collector_may_be_percent_encoded(self):
        """As OpenTelemetry says: a header such as `authorization` has a space."""
        given = {"OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20bWU6c2VjcmV0==, x-tenant=a%2Cb"}
        found = Configuration.read(given).telemetry.headers_of_otlp()
        assert found == {"authorization": "Basic bWU6c2VjcmV0==", "x-tenant": "a,b"}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("RISK_MAX_ORDERS", "0"), ("RISK_MAX_VALUE", "1.001"), ("RATE_LIMIT_LOGIN", "many"), ("DEBUG", "?"),
            ("RISK_MAX_VALUE_OF_COINS", "PEPE"), ("RISK_MAX_VALUE_OF_COINS", "PEPE=-1"), ("RISK_MAX_VALUE_OF_COINS", "PEPE=1,PEPE=2"),
            ("RISK_MAX_VALUE_OF_COINS", "pepe=1"), ("RISK_MAX_VALUE_OF_COINS", "=1"), ("RISK_MAX_VALUE_OF_COINS", "PEPE/USDT=1"),
            ("RISK_WINDOW_SECONDS", "0"), ("RISK_WINDOW_SECONDS", "1e400"), ("SWEEP_AFTER_SECONDS", "-1"),
            ("EXCHANGE_RECV_WINDOW_MS", "499"), ("EXCHANGE_RECV_WINDOW_MS", "60001"), ("EXCHANGE_TAKER_RATE", "1"),
            ("TRUSTED_PROXIES", "10.0.0.1/8"), ("LOGLEVEL", "verbose"), ("TIME_ZONE", "Nowhere"), ("TIME_ZONE", "/etc/passwd"),
            ("PORT", "0"), ("REDIS_PORT", "65536"), ("REDIS_HOST", "a,b"), ("REDIS_HOST", "redis:6379"), ("POSTGRES_PORT", "x"),
            ("POSTGRES_HOST", "db:5432"), ("POSTGRES_PORT", "5432,5433"), ("POSTGRES_SSLMODE", "full"), ("REDIS_USER", "shop"),
            ("POSTGRES_SSLMODE", "verify-full"), ("POSTGRES_SSLROOTCERT", "/nowhere.pem"), ("REDIS_CA_FILE", "/nowhere.pem"), ("WORKER_METRICS_PORT", "65536"), ("SELF_SERVICE_DEPOSITS", ""),
            ("SENTRY_DSN", "errors.example.org"), ("SENTRY_DSN", "https://errors.example.org/1"), ("SENTRY_DSN", "https://key@errors.example.org"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"), ("OTEL_EXPORTER_OTLP_HEADERS", "key"), ("OTEL_TRACES_SAMPLER_ARG", "1.1"),
        ],
    )  # fmt: skip
    def test_refuse_a_value_of_a_wrong_form_and_name_the_variable(self, name, value):
        with pytest.raises(ValidationError, match=name):
            Configuration.read({name: value})


def refused(environment):
    """Return the sentences with which an environment is refused, or nothing."""
    try:
        Configuration.read(environment)
    except ValidationError as error:
        return [each.sentence for each in read_objections(error)]
    return []


class TestProduction:
    def test_starts_with_secrets_of_its_own(self):
        assert Configuration.read(PRODUCTION).django.debug is False

    @pytest.mark.parametrize("name", [*SECRETS, "POSTGRES_PASSWORD"])
    def test_does_not_start_without_a_secret_or_password(self, name):
        with pytest.raises(ValidationError, match=f"{name} must be set"):
            Configuration.read({key: value for key, value in PRODUCTION.items() if key != name})

    @pytest.mark.parametrize("name", SECRETS)
    @pytest.mark.parametrize("secret", [DEVELOPMENT_SECRET, 31 * "s", ""])
    def test_does_not_start_with_a_secret_that_is_public_or_short(self, name, secret):
        with pytest.raises(ValidationError, match=f"{name} must be set"):
            Configuration.read({**PRODUCTION, name: secret})

    @pytest.mark.parametrize("name", [*SECRETS, "METRICS_TOKEN"])
    @pytest.mark.parametrize(
        "secret",
        [
            32 * "s", 64 * "0", 20 * "ab", 4 * "abcdefgh", 3 * "k7Yq2mZ0vRw9", "abcdefghijklmnopqrstuvwxyz0123456789",
            "zyxwvutsrqponmlkjihgfedcba98765432", "change-me-to-50-random-characters", "please-change-this-secret-key-123456",
            "my-very-long-secret-key-for-django", "your_jwt_secret_key_goes_here_please", "Sup3rS3cr3tP@ssw0rd-Sup3rS3cr3t!!",
            "development-only-secret-do-not-use-in-production-0001", "qwertyuiopasdfghjklzxcvbnmqwertyuiop",
        ],
    )  # fmt: skip
    def test_does_not_start_with_a_secret_that_is_a_pattern_or_an_example(self, name, secret):
        [sentence] = refused({**PRODUCTION, name: secret})
        assert sentence.startswith(name)
        assert secret not in sentence

    @pytest.mark.parametrize(
        "password",
        [
            "p", "postgres", "password", "changeme", "admin", "crypto_exchange", "letmein12345", "Passw0rd123!",
            "postgrespostgres", "password-postgres", "crypto_exchange_2026", "111111111111", "123456789012", "shopuser-shopuser",
        ],
    )  # fmt: skip
    def test_does_not_start_with_a_well_known_database_password(self, password):
        [sentence] = refused({**PRODUCTION, "POSTGRES_USER": "shopuser", "POSTGRES_PASSWORD": password})
        assert sentence.startswith("POSTGRES_PASSWORD must have 12 characters")

    @pytest.mark.parametrize(("first", "second"), [*itertools.combinations(SHARED, 2)])
    def test_does_not_start_with_one_secret_for_two_purposes(self, first, second):
        for other in (PRODUCTION["SECRET_KEY"], f"{PRODUCTION['SECRET_KEY']}2", PRODUCTION["SECRET_KEY"].upper()):
            given = {**PRODUCTION, "EXCHANGE_API_KEY": "of-the-venue", first: PRODUCTION["SECRET_KEY"], second: other}
            assert any("must differ from" in sentence for sentence in refused(given))

    @pytest.mark.parametrize("make", [token_hex, token_urlsafe])
    def test_starts_with_random_secrets(self, make):
        for _ in range(200):
            names = (*SECRETS, "METRICS_TOKEN", "POSTGRES_PASSWORD", "REDIS_PASSWORD")
            assert refused({**PRODUCTION, "REDIS_HOST": "redis", **{name: make(32) for name in names}}) == []

    @pytest.mark.parametrize(("given", "names"), DANGEROUS, ids=str)
    def test_does_not_start_with_a_dangerous_combination(self, given, names):
        assert [sentence.split()[0] for sentence in refused({**PRODUCTION, **given})] == names.split()

    @pytest.mark.parametrize("given", HARMLESS, ids=str)
    def test_starts_with_a_harmless_combination(self, given):
        assert refused({**PRODUCTION, **given}) == []

    def test_shows_all_that_is_wrong_at_once_and_each_thing_once(self):
        sentences = refused(
            {**PRODUCTION, "MAX_LOSS": "0.99", "RISK_MAX_ORDERS": "many", "ALLOWED_HOSTS": "*", "PORT": "0"}
        )
        assert sorted(sentence.split()[0] for sentence in sentences) == [
            "ALLOWED_HOSTS",
            "MAX_LOSS",
            "PORT:",
            "RISK_MAX_ORDERS:",
        ]

    def test_shows_what_is_wrong_besides_a_malformed_switch(self):
        sentences = refused({"SECURE_SSL_REDIRECT": "nope", "PORT": "x", "BIND_ADDRESS": EVERYWHERE})
        assert [sentence.split()[0] for sentence in sentences] == ["SECURE_SSL_REDIRECT:", "PORT:", "BIND_ADDRESS"]

    @pytest.mark.parametrize("debug", ["Flase", " False ", ""])
    def test_judges_nothing_until_it_knows_whether_it_is_production(self, debug):
        sentences = refused(
            {**PRODUCTION, "DEBUG": debug, "PORT": "x", "ALLOWED_HOSTS": "*", "BIND_ADDRESS": EVERYWHERE}
        )
        assert [sentence.split()[0] for sentence in sentences] == ["DEBUG:", "PORT:"]
        assert sentences[0].endswith(", as in DEBUG=True, or DEBUG=False in production")

    def test_has_a_test_for_every_rule(self):
        tested = {name for _, names in DANGEROUS for name in names.split()} | {
            "SECRET_KEY",
            "JWT_SECRET_KEY",
            "ENCRYPTION_KEYS",
            "METRICS_TOKEN",
        }
        assert {rule.variable for rule in (*ALWAYS, *PRODUCTION_RULES, *CEILINGS)} <= tested


class TestDevelopment:
    @pytest.mark.parametrize(("given", "name"), PUBLIC_DEBUG, ids=str)
    def test_does_not_start_where_strangers_would_see_error_pages(self, given, name):
        [sentence] = refused(given)
        assert sentence.startswith(f"{name} must")
        assert refused({**PRODUCTION, **given}) == [] or given.get("ALLOWED_HOSTS") == "*"

    @pytest.mark.parametrize(
        "given",
        [
            {"BIND_ADDRESS": "127.0.0.1"}, {"BIND_ADDRESS": "::1"}, {"BIND_ADDRESS": "localhost"},
            {"BIND_ADDRESS": "172.17.0.2"}, {"BIND_ADDRESS": "192.168.1.5"}, {"BIND_ADDRESS": "fd00::5"},
            {"ALLOWED_HOSTS": "0.0.0.0,127.0.0.1,localhost,testserver,web,shop.localhost,[::1],192.168.1.5"},
        ],
    )  # fmt: skip
    def test_starts_on_this_machine_and_private_networks(self, given):
        assert refused(given) == []

    def test_does_not_buy_with_real_keys_what_customers_credited_to_themselves(self):
        keys = {"EXCHANGE_API_KEY": "of-the-venue", "EXCHANGE_API_SECRET": "9vTq4LxZ"}
        deposits, payouts = refused(keys)
        assert deposits.startswith("SELF_SERVICE_DEPOSITS must be False with a real venue")
        assert payouts.startswith("SELF_SERVICE_PAYOUTS must be False with a real venue")
        for harmless in (
            {"SELF_SERVICE_DEPOSITS": "False", "SELF_SERVICE_PAYOUTS": "False"},
            {"EXCHANGE_SANDBOX": "True"},
            {"EXCHANGE_URL": "http://127.0.0.1:9100"},
        ):
            assert refused({**keys, **harmless}) == []

    @pytest.mark.parametrize("address", ["0:0", "0.0.0.0:0", "[::]:0", "203.0.113.7:0"])
    def test_runserver_does_not_listen_to_strangers(self, address, settings):
        settings.DEBUG = True
        with pytest.raises(CommandError, match="DEBUG is on"):
            call_command("runserver", address, "--noreload")


class TestAProcess:
    @pytest.mark.parametrize("command", [API, WORKER, manage("check"), manage("migrate")], ids=str)
    def test_ends_with_the_sentences_alone(self, command):
        environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        given = {**PRODUCTION, "SECRET_KEY": 40 * "hidden", "MAX_LOSS": "0.99", "ALLOWED_HOSTS": "*"}
        done = subprocess.run(
            command, cwd=PROJECT, env={**environment, **given}, capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stdout) == (1, "")
        first, *sentences = done.stderr.splitlines()
        assert first == "The configuration is refused:"
        assert [line.split()[1] for line in sentences] == ["SECRET_KEY", "ALLOWED_HOSTS", "MAX_LOSS"]
        assert "hidden" not in done.stderr

    def test_a_worker_of_production_does_not_start_without_the_venues_keys(self):
        environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        done = subprocess.run(
            WORKER,
            cwd=PROJECT,
            env={**environment, **PRODUCTION},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 1
        assert [line.split(" must be set")[0] for line in done.stderr.splitlines()] == [
            "CommandError: EXCHANGE_API_KEY",
            "EXCHANGE_API_SECRET",
        ]
