"""What all tests share: how long Hypothesis searches, and what may not run side by side.

The default profile gives the same examples every time, so a red test is red for everybody;
`--hypothesis-profile=thorough` searches on, with new examples in each run.
"""

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "default", max_examples=50, derandomize=True, deadline=None, database=None
)
hypothesis.settings.register_profile("thorough", max_examples=5_000, deadline=None)
hypothesis.settings.load_profile("default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that start real processes on one worker, so one at a time."""
    for item in items:
        if item.get_closest_marker("system"):
            item.add_marker(pytest.mark.xdist_group("system"))
