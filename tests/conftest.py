"""What holds for every test."""

import pytest
from hypothesis import settings

from tests.progress_line import ProgressLine

# A busy machine makes a right answer late, never wrong: no example is timed.
settings.register_profile("easel", deadline=None)
settings.load_profile("easel")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ProgressLine(reporter), "progress-line")
