"""Quotas of the last day are read back as if a stranger had written them; what is not ours is asked for again."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.state.state_dir import StateDir
from engine.app.quotas import CACHE_NAME, QuotaCache
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
    parts: Any = SimpleNamespace(state=state)
    return QuotaCache(parts, refresh=False, clock=lambda: NOW)


def test_what_was_kept_comes_back(state: StateDir) -> None:
    cache(state).keep(LINK, {"Studio Apps": QuotaValue("L-1", 5)})
    assert cache(state).values(LINK) == {"Studio Apps": QuotaValue("L-1", 5)}


@pytest.mark.parametrize(
    "value", [[1, 5], ["L-1", -1], ["L-1", 1e999], ["L-1", 10**400], ["L-1", True], ["L-1", None], ["L-1"], 7, None]
)
def test_a_value_that_no_run_keeps_is_asked_for_again(state: StateDir, value: Any) -> None:
    cache(state).keep(LINK, {"Studio Apps": QuotaValue("L-1", 5)})
    document = json.loads(state.read(CACHE_NAME) or b"")
    (entry,) = document["lanes"].values()
    entry["quotas"]["Studio Apps"] = value
    state.write_atomically(CACHE_NAME, json.dumps(document).encode())
    assert cache(state).values(LINK) is None


@pytest.mark.parametrize("at", [None, "now", -1.0, 1e999, -1e999, float("nan"), NOW + 1.0, 10**400, []])
def test_a_time_that_no_run_keeps_is_asked_for_again(state: StateDir, at: Any) -> None:
    cache(state).keep(LINK, {"Studio Apps": QuotaValue("L-1", 5)})
    document = json.loads(state.read(CACHE_NAME) or b"")
    next(iter(document["lanes"].values()))["at"] = at
    state.write_atomically(CACHE_NAME, json.dumps(document).encode())
    assert cache(state).values(LINK) is None
