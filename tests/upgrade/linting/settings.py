"""The project's settings with the linter of migrations."""

from exchange_site.settings import *  # noqa: F403  all of them
from exchange_site.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "tests.upgrade.linting", "django_migration_linter"]
