"""The site: its apps, middleware, templates and static files."""

from pathlib import Path

from exchange_site.settings.environment import configuration

_DJANGO = configuration.django

BASE_DIR = Path(__file__).resolve().parents[2]

DEBUG = _DJANGO.debug

INSTALLED_APPS = [
    "exchange_site",  # before the admin, whose templates it extends, and procrastinate, whose command it extends
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
    "exchange_site.middleware.requests.RequestRecord",
    *(["exchange_site.telemetry.requests.RequestSpan"] if configuration.telemetry.otlp_endpoint else []),
    "exchange_site.middleware.requests.OptionalTrailingSlash",
    "exchange_site.middleware.requests.InternalPaths",
    "exchange_site.middleware.api.PagesBegin",  # calls of the API leave here, and pass what it names instead
    "django.middleware.security.SecurityMiddleware",
    "exchange_site.middleware.pages.ContentPolicy",
    "corsheaders.middleware.CorsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "exchange_site.middleware.requests.RateLimitHeaders",
    "exchange_site.middleware.problems.ProblemAnswers",
    "exchange_site.middleware.forms.AdminForms",
    "exchange_site.middleware.pages.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "exchange_site.middleware.pages.Authentication",
    "exchange_site.middleware.pages.Messages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "exchange_site.middleware.api.PagesEnd",
    "exchange_site.middleware.requests.HeadLikeGet",
]

ROOT_URLCONF = "exchange_site.urls"
WSGI_APPLICATION = "exchange_site.wsgi.application"
FORCE_SCRIPT_NAME = ""  # the service has a host of its own; Django looks for a prefix twice in each request otherwise
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

TIME_ZONE = _DJANGO.time_zone
USE_TZ = True
LANGUAGE_CODE = "en-us"
USE_I18N = False
FORMAT_MODULE_PATH = "exchange_site.settings.formats"

DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024  # the admin's forms; the API's own limit is LIMITS.max_body_bytes

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
