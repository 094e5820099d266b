"""Django settings, derived from `exchange_site.configuration`; nothing here reads the environment."""

import hashlib
import logging
from datetime import timedelta
from pathlib import Path

from exchange_site.configuration import Configuration

BASE_DIR = Path(__file__).resolve().parent.parent
CONFIGURATION = Configuration()


def _listed(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


DEBUG = CONFIGURATION.DEBUG
SECRET_KEY = CONFIGURATION.SECRET_KEY
ALLOWED_HOSTS = _listed(CONFIGURATION.ALLOWED_HOSTS)
CSRF_TRUSTED_ORIGINS = _listed(CONFIGURATION.CSRF_TRUSTED_ORIGINS)

INSTALLED_APPS = [
    "exchange_site",  # before the admin and procrastinate, whose templates and command it extends
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "corsheaders",
    "csp",
    "ninja",
    "procrastinate.contrib.django",
    "wallets",
    "trading",
    "settlement",
]

MIDDLEWARE = [
    "exchange_site.middleware.RequestRecord",
    "exchange_site.middleware.OptionalTrailingSlash",
    "exchange_site.middleware.InternalPaths",
    "django.middleware.security.SecurityMiddleware",
    "exchange_site.middleware.ContentPolicy",
    "corsheaders.middleware.CorsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "exchange_site.middleware.RateLimitHeaders",
    "exchange_site.middleware.ProblemAnswers",
    "exchange_site.middleware.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "exchange_site.middleware.Authentication",
    "exchange_site.middleware.Messages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "exchange_site.urls"
WSGI_APPLICATION = "exchange_site.wsgi.application"
APPEND_SLASH = False  # a redirect would lose a request's body; see OptionalTrailingSlash

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Timeouts in milliseconds. The pool is the workers': the API's threads keep connections, see exchange_site.serve.
_POSTGRES_TIMEOUTS = (
    f"-c statement_timeout={CONFIGURATION.POSTGRES_STATEMENT_TIMEOUT_MS}"
    " -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000"
)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": CONFIGURATION.POSTGRES_DB,
        "USER": CONFIGURATION.POSTGRES_USER,
        "PASSWORD": CONFIGURATION.POSTGRES_PASSWORD,
        "HOST": CONFIGURATION.POSTGRES_HOST or "127.0.0.1",
        "PORT": str(CONFIGURATION.POSTGRES_PORT),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            "connect_timeout": 2,
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "application_name": "crypto-exchange",
            "options": _POSTGRES_TIMEOUTS,
            # Statements that come again are parsed and planned once a connection.
            "server_side_binding": CONFIGURATION.POSTGRES_PREPARE,
            "prepare_threshold": 5 if CONFIGURATION.POSTGRES_PREPARE else None,
            **(
                {"pool": {"min_size": 0, "max_size": CONFIGURATION.POSTGRES_POOL_SIZE, "timeout": 2}}
                if CONFIGURATION.POSTGRES_POOL_SIZE
                else {}
            ),
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "wallets.User"
REFUSE_COMMON_PASSWORDS = (
    not DEBUG if CONFIGURATION.REFUSE_COMMON_PASSWORDS is None else CONFIGURATION.REFUSE_COMMON_PASSWORDS
)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
]
if REFUSE_COMMON_PASSWORDS:
    AUTH_PASSWORD_VALIDATORS += [
        {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
        {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    ]

# Every key is set: what is left out, ninja-jwt would read from variables such as ALGORITHM or LEEWAY.
NINJA_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=CONFIGURATION.ACCESS_TOKEN_MINUTES),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=CONFIGURATION.REFRESH_TOKEN_DAYS),
    "ROTATE_REFRESH_TOKENS": False,  # rotation is ours, under a lock: wallets.services.tokens
    "BLACKLIST_AFTER_ROTATION": False,
    "UPDATE_LAST_LOGIN": False,
    "ALGORITHM": "HS256",
    "SIGNING_KEY": CONFIGURATION.JWT_SECRET_KEY,
    "VERIFYING_KEY": "",
    "AUDIENCE": None,
    "ISSUER": "crypto-exchange",
    "JWK_URL": None,
    "LEEWAY": 0,
    "USER_ID_FIELD": "id",
    "USER_ID_CLAIM": "user_id",
    "USER_AUTHENTICATION_RULE": "ninja_jwt.authentication.default_user_authentication_rule",
    "AUTH_TOKEN_CLASSES": ["ninja_jwt.tokens.AccessToken"],
    "TOKEN_TYPE_CLAIM": "token_type",
    "TOKEN_USER_CLASS": "ninja_jwt.models.TokenUser",
    "JTI_CLAIM": "jti",
}

# Redis: prices and pool counters. Whoever waits for it waits a quarter of a second at most.
REDIS_HOST = CONFIGURATION.REDIS_HOST or "127.0.0.1"
REDIS_PORT = CONFIGURATION.REDIS_PORT
REDIS_PASSWORD = CONFIGURATION.REDIS_PASSWORD
REDIS_TIMEOUT_SECONDS = 0.2
REDIS_SKIP_SECONDS_AFTER_FAILURE = 2

# django-ratelimit's own default, spelt out: looking up a missing setting costs more than the rest of its work.
RATELIMIT_CACHE_PREFIX = "rl:"
RATELIMIT_HASH_ALGORITHM = hashlib.sha256
RATE_LIMIT_USER = CONFIGURATION.RATE_LIMIT_USER
RATE_LIMIT_ANON = CONFIGURATION.RATE_LIMIT_ANON
RATE_LIMIT_LOGIN = CONFIGURATION.RATE_LIMIT_LOGIN
RATE_LIMIT_LOGIN_ADDRESS = CONFIGURATION.login_rate_of_an_address
RATE_LIMIT_REGISTER = CONFIGURATION.RATE_LIMIT_REGISTER
RATE_LIMIT_ORDERS = CONFIGURATION.RATE_LIMIT_ORDERS
RATE_LIMIT_WALLET = CONFIGURATION.RATE_LIMIT_WALLET
TRUSTED_PROXIES = CONFIGURATION.trusted_networks

MAX_BODY_BYTES = 64 * 1024
MAX_URI_LENGTH = 4096
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024  # the admin's forms; the API's own limit is MAX_BODY_BYTES

SELF_SERVICE_DEPOSITS = DEBUG if CONFIGURATION.SELF_SERVICE_DEPOSITS is None else CONFIGURATION.SELF_SERVICE_DEPOSITS
ORDER_AGGREGATION_THRESHOLD = CONFIGURATION.ORDER_AGGREGATION_THRESHOLD
POOL_MAX_AGE = timedelta(seconds=CONFIGURATION.POOL_MAX_AGE_SECONDS)
PRICE_MAX_AGE = timedelta(seconds=CONFIGURATION.PRICE_MAX_AGE_SECONDS)
PRICE_CACHE_SECONDS = CONFIGURATION.PRICE_CACHE_SECONDS
PRICE_DEVIATION_LIMIT = CONFIGURATION.PRICE_DEVIATION_LIMIT

RISK_WINDOW = timedelta(seconds=CONFIGURATION.RISK_WINDOW_SECONDS)
RISK_MAX_ORDERS = CONFIGURATION.RISK_MAX_ORDERS
RISK_MAX_CANCELS = CONFIGURATION.RISK_MAX_CANCELS
RISK_MAX_VALUE = CONFIGURATION.RISK_MAX_VALUE

EXCHANGE_ID = CONFIGURATION.EXCHANGE_ID
EXCHANGE_URL = CONFIGURATION.EXCHANGE_URL
EXCHANGE_API_KEY = CONFIGURATION.EXCHANGE_API_KEY
EXCHANGE_API_SECRET = CONFIGURATION.EXCHANGE_API_SECRET
EXCHANGE_API_PASSWORD = CONFIGURATION.EXCHANGE_API_PASSWORD
EXCHANGE_SANDBOX = CONFIGURATION.EXCHANGE_SANDBOX
EXCHANGE_QUOTE_ASSET = CONFIGURATION.EXCHANGE_QUOTE_ASSET
EXCHANGE_RECV_WINDOW = timedelta(milliseconds=CONFIGURATION.EXCHANGE_RECV_WINDOW_MS)
EXCHANGE_CONNECT_TIMEOUT_SECONDS = CONFIGURATION.EXCHANGE_CONNECT_TIMEOUT_SECONDS
EXCHANGE_READ_TIMEOUT_SECONDS = CONFIGURATION.EXCHANGE_READ_TIMEOUT_SECONDS
EXCHANGE_TAKER_RATE = CONFIGURATION.EXCHANGE_TAKER_RATE
MAX_LOSS = CONFIGURATION.MAX_LOSS
BATCH_MAX_ORDERS = CONFIGURATION.BATCH_MAX_ORDERS
MAX_ATTEMPTS = CONFIGURATION.MAX_ATTEMPTS
LOOKUP_FIRST_WAIT_SECONDS = CONFIGURATION.LOOKUP_FIRST_WAIT_SECONDS
LOOKUP_MAX_WAIT_SECONDS = CONFIGURATION.LOOKUP_MAX_WAIT_SECONDS
NOT_FOUND_MARGIN = timedelta(seconds=CONFIGURATION.NOT_FOUND_MARGIN_SECONDS)
NOT_FOUND_TIMES = CONFIGURATION.NOT_FOUND_TIMES
PAUSE_MAX_SECONDS = CONFIGURATION.PAUSE_MAX_SECONDS
RECHECK_FIRST_WAIT = timedelta(seconds=CONFIGURATION.RECHECK_FIRST_WAIT_SECONDS)
RECHECK_FOR = timedelta(hours=CONFIGURATION.RECHECK_HOURS)
PENDING_LIMIT = timedelta(seconds=CONFIGURATION.PENDING_LIMIT_SECONDS)
SETTLING_LIMIT = timedelta(seconds=CONFIGURATION.SETTLING_LIMIT_SECONDS)
UNKNOWN_LIMIT = timedelta(seconds=CONFIGURATION.UNKNOWN_LIMIT_SECONDS)
HELD_LIMIT = timedelta(seconds=CONFIGURATION.HELD_LIMIT_SECONDS)
POOL_LIMIT = timedelta(seconds=CONFIGURATION.POOL_LIMIT_SECONDS)
SWEEP_AFTER = timedelta(seconds=CONFIGURATION.SWEEP_AFTER_SECONDS)
PRICE_REFRESH_CRON = CONFIGURATION.PRICE_REFRESH_CRON
SWEEP_CRON = CONFIGURATION.SWEEP_CRON
RESCUE_CRON = CONFIGURATION.RESCUE_CRON
STALLED_WORKER_SECONDS = CONFIGURATION.STALLED_WORKER_SECONDS
RECONCILE_CRON = CONFIGURATION.RECONCILE_CRON
RECONCILE_DAYS = CONFIGURATION.RECONCILE_DAYS
JOB_MAX_ATTEMPTS = CONFIGURATION.JOB_MAX_ATTEMPTS
JOB_RETRY_MAX_WAIT_SECONDS = CONFIGURATION.JOB_RETRY_MAX_WAIT_SECONDS
JOB_KEEP_HOURS = CONFIGURATION.JOB_KEEP_HOURS
PRICE_KEEP_DAYS = CONFIGURATION.PRICE_KEEP_DAYS

TIME_ZONE = CONFIGURATION.TIME_ZONE
USE_TZ = True
LANGUAGE_CODE = "en-us"
USE_I18N = False

# Browsers on other sites: none unless named. Tokens travel in a header, so no cookies are needed.
CORS_ALLOWED_ORIGINS = _listed(CONFIGURATION.CORS_ALLOWED_ORIGINS)
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "idempotency-key", "x-request-id"]
CORS_EXPOSE_HEADERS = ["idempotent-replayed", "link", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id"]

# Everything comes from this service. Styles inside the pages: Swagger UI, ReDoc and Procrastinate's admin have some.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "worker-src": ["blob:"],  # ReDoc searches in one
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}

FAILPOINTS = _listed(CONFIGURATION.FAILPOINTS)
FAILPOINTS_DIR = CONFIGURATION.FAILPOINTS_DIR

METRICS_TOKEN = CONFIGURATION.METRICS_TOKEN
METRICS_NETWORKS = CONFIGURATION.metrics_networks
WORKER_METRICS_PORT = CONFIGURATION.WORKER_METRICS_PORT

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        ),
    },
}

PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "tasks"
# What `manage.py procrastinate worker` does without options. Synchronous tasks run in threads, of which
# Python offers min(32, cpus + 4); finished jobs are history that the orders tell as well.
PROCRASTINATE_WORKER_DEFAULTS = {
    "concurrency": 6,
    # A notification with every job would be the queue's own limit, see docs/decisions.md; so workers look for
    # themselves, four times a second; what came in between is one purchase.
    "listen_notify": False,
    "fetch_job_polling_interval": 0.25,
    "delete_jobs": "successful",
    "shutdown_graceful_timeout": 2.0,
}

if not DEBUG:
    SECURE_SSL_REDIRECT = CONFIGURATION.SECURE_SSL_REDIRECT
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_AGE = 8 * 3600  # of staff: a working day

# One JSON object a line in production, for machines; a line of text in development.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "wallets.runtime.log_context.AddContext"}},
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "{asctime}{levelname}{name}{message}",
            "style": "{",
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
        },
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "filters": ["context"],
            "formatter": "line" if DEBUG else "json",
        },
    },
    "root": {"handlers": ["console"], "level": CONFIGURATION.LOGLEVEL.upper()},
    "loggers": {
        "exchange_site.access": {"level": "WARNING" if DEBUG else CONFIGURATION.LOGLEVEL.upper()},
        # One line per request refused would say the access log's again.
        "django.request": {"level": "ERROR"},
        "procrastinate": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}
# Nothing above names the thread, the process or the line of code, and finding them is half of what a record costs:
# https://docs.python.org/3/howto/logging.html#optimization
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
logging._srcfile = None  # noqa: SLF001  by this name in Python's documentation
