#!/usr/bin/env python
"""The command line of the project: `manage.py help` lists the commands."""

import atexit
import gc
import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

if __name__ == "__main__":
    atexit.register(gc.freeze)  # Python would look through all objects again when it ends, for up to a second
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_site.settings")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError:
        from exchange_site.database.reachability import why_unreachable

        reason = None if "--traceback" in sys.argv else why_unreachable()
        if reason is None:
            raise
        sys.exit(reason)
