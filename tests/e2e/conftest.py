"""One simulator a test, ended with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.simulator.faces.thread_runner import SimulatorThread
from tests.e2e.harness import QUICK, Place, fleet_text, people

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Yield a fleet of four labs and a world in which it can be applied."""
    made = Place(tmp_path)
    made.write(fleet_text(people(4)))
    made.scenario(QUICK)
    with SimulatorThread(made.world) as simulator:
        made.simulator = simulator
        made.url = simulator.url
        yield made
