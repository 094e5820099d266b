"""Settings of a test: one group at a time, some fields of it."""


def configure(settings, group, **changes):
    """Replace fields of a group, as in `configure(settings, "RISK", max_orders=3)`.

    pytest-django's fixture `settings` restores the group after the test.
    """
    before = getattr(settings, group)
    assert changes.keys() <= type(before).model_fields.keys()
    setattr(settings, group, before.model_copy(update=changes))
