"""Runs on several machines that want one lane: stopped, killed, cut off from the store, with clocks of their own."""

from __future__ import annotations

from typing import Final

import pytest

from tests.simulation.leases.machine import Act
from tests.simulation.leases.mutants import MUTANTS
from tests.simulation.leases.night import play, violations

SEEDS: Final = 60
EXPECTED: Final = {
    "taken", "unclean", "lost", "stopped", "cut off", "killed", "late", "lost answer", "echo", "throttled", "not sent",
}  # fmt: skip


def test_no_call_of_an_older_holder_comes_after_one_of_a_newer() -> None:
    seen: set[str] = set()
    for seed in range(SEEDS):
        night = play(seed)
        assert not night.violations, (seed, night.violations[:5])
        seen |= night.seen
    assert seen >= EXPECTED


@pytest.mark.parametrize("name", MUTANTS)
def test_a_deliberate_bug_is_found(name: str) -> None:
    for seed in range(SEEDS):
        with MUTANTS[name]():
            night = play(seed)
        if night.violations:
            return
    pytest.fail(f"{name} was not found in {SEEDS} seeds")


def test_a_seed_tells_the_same_story_each_time() -> None:
    assert play(5) == play(5)


def test_what_is_wrong_is_named() -> None:
    acts = [Act("a", 1), Act("b", 2), Act("a", 1), Act("c", 2)]
    assert violations(acts) == [
        "a call of a in epoch 1 came after one of epoch 2",
        "epoch 2 is of b and of c",
    ]
