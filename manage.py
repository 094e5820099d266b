#!/usr/bin/env python
"""The command line of the project: `manage.py help` lists the commands."""

import atexit
import gc
import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    atexit.register(gc.freeze)  # Python would look through all objects again when it ends, for up to a second
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_site.settings")
    execute_from_command_line(sys.argv)
