"""Running everything on one machine from nothing: servers from wheels, a supervisor, the demo.

For development and tests only; production has servers of its own.
"""
