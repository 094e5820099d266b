"""The project's settings with quicker heartbeats of workers, for which there is no environment variable."""

from exchange_site.settings import *  # noqa: F403  all of them
from exchange_site.settings import PROCRASTINATE_WORKER_DEFAULTS as _DEFAULTS

PROCRASTINATE_WORKER_DEFAULTS = {**_DEFAULTS, "update_heartbeat_interval": 0.5, "stalled_worker_timeout": 30.0}
