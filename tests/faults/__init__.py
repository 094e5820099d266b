import pytest

# So that what is asserted there is shown when it fails, as in the tests themselves.
pytest.register_assert_rewrite("tests.faults.truths", "tests.faults.trade")
