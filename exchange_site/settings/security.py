"""Security: secrets, host names, TLS, cookies, and rules for browsers."""

from exchange_site.settings.environment import configuration

_DJANGO = configuration.django

SECRET_KEY = _DJANGO.secret_key
ALLOWED_HOSTS = _DJANGO.allowed_hosts
CSRF_TRUSTED_ORIGINS = _DJANGO.csrf_trusted_origins
CSRF_FAILURE_VIEW = "exchange_site.middleware.problems.refuse_form"

if not _DJANGO.debug:
    SECURE_SSL_REDIRECT = _DJANGO.secure_ssl_redirect
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_AGE = 8 * 3600  # staff stay signed in for a working day


# Only the web pages named here may call the API from a browser. Tokens travel in a header, so no cookies are needed.
CORS_ALLOWED_ORIGINS = _DJANGO.cors_allowed_origins
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "idempotency-key", "x-request-id"]
CORS_EXPOSE_HEADERS = [
    "content-disposition",
    "idempotent-replayed",
    "link",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "x-request-id",
]

# Pages load everything from this service. Swagger UI, ReDoc and Procrastinate's admin need inline styles.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "worker-src": ["blob:"],  # ReDoc's search is a worker
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}
