"""What holds for every test: no example of hypothesis is judged by how long it took."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

from tests import warm
from tests.dealing import dealt, is_long

if TYPE_CHECKING:
    import pytest

# A busy machine is not a failing test: without a deadline only what a property asserts can fail it.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("untimed")
# Under nohup a SIGHUP is ignored, by every process of the tests too, and a test that waits for one would wait forever.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_sessionstart() -> None:
    """Say that there is no event loop yet, so that nobody makes one by asking for it.

    A plugin asks before each test; the loop that it got would be left open by the first test that runs its own.
    """
    asyncio.set_event_loop(None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deal the tests among the workers of a run, if it has several."""
    workers: int = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers > 1:
        items[:] = dealt(items, workers, lambda item: is_long(item.nodeid))


def pytest_sessionfinish() -> None:
    """End the process that this one's commands were forked from."""
    warm.end_server()
