"""Quotas of the last day are read back as if a stranger had written them; what is not ours is asked for again."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.state.state_dir import StateDir
from engine.app.quota_cache import CACHE_NAME, QuotaCache
from engine.core.identity import Lane
from engine.core.quota_fit import QuotaValue
from tests.fleets import LANE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_795_500_000.0
LINK: Any = SimpleNamespace(lane=LANE, cloud=SimpleNamespace(endpoint=""))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDir]:
    with StateDir.open(tmp_path / "state") as opened:
        yield opened


def cache(state: StateDir) -> QuotaCache:
    return QuotaCache(state, refresh=False, clock=lambda: NOW)


def kept(state: StateDir) -> None:
    first = cache(state)
    first.keep(LINK, {"Studio Apps": QuotaValue("L-1", 5)}, ())
    first.save()


def test_many_lanes_are_read_once_and_written_once(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each lane wrote the whole file anew, with fsync."""
    used: list[str] = []
    read, write = StateDir.read, StateDir.write_atomically

    def reading(self: StateDir, *args: Any, **more: Any) -> Any:
        used.append("read")
        return read(self, *args, **more)

    def writing(self: StateDir, *args: Any, **more: Any) -> None:
        used.append("written")
        write(self, *args, **more)

    monkeypatch.setattr(StateDir, "read", reading)
    monkeypatch.setattr(StateDir, "write_atomically", writing)
    one = cache(state)
    links: list[Any] = [
        SimpleNamespace(lane=Lane(f"{number:012}", "eu-west-1"), cloud=LINK.cloud) for number in range(100)
    ]
    for link in links:
        assert one.values(link, ()) is None
        one.keep(link, {"Studio Apps": QuotaValue("L-1", 5)}, ())
    one.save()
    one.save()
    assert used == ["read", "written"]
    assert all(cache(state).values(link, ()) == {"Studio Apps": QuotaValue("L-1", 5)} for link in links)


def test_what_was_kept_comes_back(state: StateDir) -> None:
    kept(state)
    assert cache(state).values(LINK, ()) == {"Studio Apps": QuotaValue("L-1", 5)}


@pytest.mark.parametrize(
    "value", [[1, 5], ["L-1", -1], ["L-1", 1e999], ["L-1", 10**400], ["L-1", True], ["L-1", None], ["L-1"], 7, None]
)
def test_a_value_that_no_run_keeps_is_asked_for_again(state: StateDir, value: Any) -> None:
    kept(state)
    document = json.loads(state.read(CACHE_NAME) or b"")
    (entry,) = document["lanes"].values()
    entry["quotas"]["Studio Apps"] = value
    state.write_atomically(CACHE_NAME, json.dumps(document).encode())
    assert cache(state).values(LINK, ()) is None


@pytest.mark.parametrize("at", [None, "now", -1.0, 1e999, -1e999, float("nan"), NOW + 1.0, 10**400, []])
def test_a_time_that_no_run_keeps_is_asked_for_again(state: StateDir, at: Any) -> None:
    kept(state)
    document = json.loads(state.read(CACHE_NAME) or b"")
    next(iter(document["lanes"].values()))["at"] = at
    state.write_atomically(CACHE_NAME, json.dumps(document).encode())
    assert cache(state).values(LINK, ()) is None


def test_what_was_asked_by_code_is_not_taken_for_all_that_there_is(state: StateDir) -> None:
    first = cache(state)
    first.keep(LINK, {"Studio Apps": QuotaValue("L-1", 5)}, ("L-1", "L-2"))
    first.save()
    again = cache(state)
    assert again.values(LINK, ("L-2", "L-1")) == {"Studio Apps": QuotaValue("L-1", 5)}
    assert again.values(LINK, ("L-1",)) == {"Studio Apps": QuotaValue("L-1", 5)}
    assert again.values(LINK, ("L-1", "L-3")) is None
    assert again.values(LINK, ()) is None
