"""The project's settings, with tasks that block the event loop or a lane for ever."""

from exchange_site.settings import *  # noqa: F403  all of them

PROCRASTINATE_IMPORT_PATHS = ["tests.settlement.blocking_tasks"]
