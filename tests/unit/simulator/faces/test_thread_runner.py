from __future__ import annotations

import threading
import urllib.request

import pytest

from engine.core.errors import UsageError
from engine.simulator.faces.thread_runner import SimulatorThread
from tests.unit.simulator.worlds import DOMAIN_ID, START, create, make_world, statuses


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=180) as answer:  # noqa: S310 - loopback
        return bytes(answer.read())


def test_it_serves_inside_and_is_gone_behind() -> None:
    before = threading.active_count()
    with SimulatorThread(make_world()) as simulator:
        assert get(f"{simulator.url}/_appfleet/health") == b'{"status":"ok"}'
    assert threading.active_count() == before
    with pytest.raises(OSError, match="refused"):
        get(f"{simulator.url}/_appfleet/health")


def test_the_world_is_changed_between_two_requests_and_after_the_end() -> None:
    with SimulatorThread(make_world(), clock=lambda: START) as simulator:
        simulator.run(create)
        assert simulator.stats()["apps"] == {"Pending": 1}
    assert simulator.run(statuses) == {"default": "Pending"}
    assert DOMAIN_ID in simulator.world.domains


def test_what_keeps_it_from_starting_is_raised_where_it_is_started() -> None:
    with pytest.raises(UsageError, match="loopback only"), SimulatorThread(make_world(), host="0.0.0.0"):
        pass


def test_it_may_be_shut_down_over_http() -> None:
    with SimulatorThread(make_world()) as simulator:
        request = urllib.request.Request(f"{simulator.url}/_appfleet/shutdown", data=b"", method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=180) as answer:  # noqa: S310 - loopback
            assert answer.status == 200
        simulator._thread.join(10)
        assert not simulator._thread.is_alive()
