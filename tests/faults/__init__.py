import pytest

# Let pytest show the values of a failed assert in these modules too.
pytest.register_assert_rewrite("tests.faults.truths", "tests.faults.trade")
