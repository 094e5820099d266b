"""Settings of a test: some fields of one group."""

from copy import copy
from dataclasses import fields


def configure(settings, group, **changes):
    """Replace fields of a group, as in `configure(settings, "RISK", max_orders=3)`.

    pytest-django's fixture `settings` restores the group after the test.
    """
    changed = copy(getattr(settings, group))
    assert changes.keys() <= {field.name for field in fields(changed)}
    vars(changed).update(changes)
    setattr(settings, group, changed)
