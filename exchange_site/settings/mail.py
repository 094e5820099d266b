"""E-mail, by Django's own backends."""

from exchange_site.settings.environment import configuration

_MAIL = configuration.mail

if _MAIL.host:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
elif configuration.django.debug:
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
else:
    # Not the console: logs hold no tokens.
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
EMAIL_HOST = _MAIL.host
EMAIL_PORT = _MAIL.port
EMAIL_HOST_USER = _MAIL.user
EMAIL_HOST_PASSWORD = _MAIL.password
EMAIL_USE_TLS = _MAIL.tls == "starttls"
EMAIL_USE_SSL = _MAIL.tls == "implicit"
EMAIL_TIMEOUT = _MAIL.timeout_seconds
DEFAULT_FROM_EMAIL = _MAIL.sender
