"""What holds for every unit test: the examples of properties, and no garbage collection of what tests are made of."""

import gc

from hypothesis import settings

from tests.support import budget

settings.register_profile("budget", budget.examples())
settings.load_profile("budget")


def pytest_collection_finish():
    """Modules and collected tests stay to the end: each full collection would look at them again, for 0.13 s."""
    gc.collect()
    gc.freeze()
