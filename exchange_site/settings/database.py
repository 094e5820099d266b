"""The connection to Postgres."""

from exchange_site.settings.environment import configuration

_POSTGRES = configuration.postgres

# Only workers use the pool: each thread of the API keeps a connection, see exchange_site.serve. The timeouts belong to
# the role, see exchange_site.database.timeouts.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _POSTGRES.name,
        "USER": _POSTGRES.user,
        "PASSWORD": _POSTGRES.password,
        "HOST": _POSTGRES.host,
        "PORT": str(_POSTGRES.port),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            "connect_timeout": 2,
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "application_name": "crypto-exchange",
            # Each connection parses and plans a repeated statement once.
            "server_side_binding": _POSTGRES.prepare,
            "prepare_threshold": 5 if _POSTGRES.prepare else None,
            **({"pool": {"min_size": 0, "max_size": _POSTGRES.pool_size, "timeout": 2}} if _POSTGRES.pool_size else {}),
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
