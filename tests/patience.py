"""How long tests wait on a busy machine. A wait ends with its condition, so a longer end costs a passing test nothing."""

import os

_MOST = 8.0


def stretched(seconds):
    """Return `seconds` on a quiet machine, and more by how many programs want each of its processors: eightfold at most."""
    return seconds * min(max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0), _MOST)
