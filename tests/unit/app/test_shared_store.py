"""Which runs of a shared state a command reads."""

from __future__ import annotations

import pytest

from engine.app.shared_store import _wanted

RUNS = [f"2026{number:04}" for number in range(300)]


@pytest.mark.parametrize(
    ("newest", "since", "wanted"),
    [
        (0, "", []),
        (3, "", RUNS[-3:]),
        (500, "", RUNS[-200:]),
        (2, "nobody", RUNS[-2:]),
        (2, RUNS[290], RUNS[289:]),
        (0, RUNS[-1], RUNS[-2:]),
        (0, RUNS[0], [RUNS[0], *RUNS[-199:]]),
        (2, RUNS[5], [*RUNS[4:6], *RUNS[-198:]]),
    ],
)
def test_the_newest_are_read_and_what_follows_the_one_that_is_named(newest: int, since: str, wanted: list[str]) -> None:
    assert sorted(_wanted(RUNS, newest, since)) == wanted
