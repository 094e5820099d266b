"""The connection to Postgres."""

from exchange_site.settings.environment import configuration

_POSTGRES = configuration.postgres

# Only workers use the pool: each thread of the API keeps a connection, see exchange_site.serve. The timeouts belong to
# the role, see exchange_site.database.timeouts.
# The pool gives up connecting as soon as its clients do. It would wait longer and longer otherwise, and a worker would
# do nothing for that long after an outage.
_POOL = {"min_size": 0, "max_size": _POSTGRES.pool_size, "timeout": 2, "reconnect_timeout": 2}
DATABASES = {
    "default": {
        "ENGINE": "wallets.runtime.postgres",
        "NAME": _POSTGRES.name,
        "USER": _POSTGRES.user,
        "PASSWORD": _POSTGRES.password,
        "HOST": ",".join(_POSTGRES.hosts),
        "PORT": ",".join(map(str, _POSTGRES.ports)),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            # For each host. The first that accepts writes is taken, so a standby or a demoted primary never is.
            "connect_timeout": 2,
            "target_session_attrs": "read-write",
            "sslmode": _POSTGRES.sslmode,
            **({"sslrootcert": _POSTGRES.sslrootcert} if _POSTGRES.sslrootcert else {}),
            # A peer that is gone without a word is noticed after 25 s at most.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
            "application_name": "crypto-exchange",
            # Each connection parses and plans a repeated statement once.
            "server_side_binding": _POSTGRES.prepare,
            "prepare_threshold": 5 if _POSTGRES.prepare else None,
            **({"pool": _POOL} if _POSTGRES.pool_size else {}),
        },
        # A cursor of the server outlives a statement, but a pooler gives the next statement to another session.
        "DISABLE_SERVER_SIDE_CURSORS": not _POSTGRES.prepare,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
