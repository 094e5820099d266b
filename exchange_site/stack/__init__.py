"""Run everything on one machine: servers from wheels, a supervisor, the demo.

This package is for development and tests only; production has servers of its own.
"""
