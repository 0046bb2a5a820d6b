"""What holds for every unit test: the examples of properties, and no garbage collection of what tests are made of."""

import gc
import signal

import pytest
from hypothesis import settings

from tests.support import budget

settings.register_profile("budget", budget.examples())
settings.load_profile("budget")


def pytest_collection_finish():
    """Modules and collected tests stay to the end: looking at them again at each collection is wasted."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def signals_as_at_a_terminal():
    """The signals as a shell's foreground leaves them: a run of the tests in the background ignores some."""
    wanted = {"SIGINT": signal.default_int_handler, "SIGHUP": signal.SIG_DFL, "SIGTERM": signal.SIG_DFL}
    before = {name: signal.signal(signal.Signals[name], handler) for name, handler in wanted.items()}
    yield
    for name, handler in before.items():
        signal.signal(signal.Signals[name], handler)
