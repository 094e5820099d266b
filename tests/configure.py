"""Change settings for one test."""

from copy import copy
from dataclasses import fields


def configure(settings, group, **changes):
    """Replace fields of a group of settings, as in `configure(settings, "RISK", max_orders=3)`.

    pytest-django's fixture `settings` restores the group after the test.
    """
    changed = copy(getattr(settings, group))
    assert changes.keys() <= {field.name for field in fields(changed)}
    vars(changed).update(changes)
    setattr(settings, group, changed)
