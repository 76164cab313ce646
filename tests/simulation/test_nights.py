"""The production executor through nights of faults: nothing doubled, lost or forgotten, and always an end."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.simulation.kinds import EXPECTED, missing
from tests.simulation.night import play
from tests.simulation.scenario import DRAWING

CHUNK: Final = 25
SEEDS: Final = 300
KNOWN: Final = tuple(
    (int(drawing), int(seed))
    for drawing, seed, _ in (
        line.split(maxsplit=2)
        for line in (Path(__file__).parent / "seeds.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
)


@pytest.mark.parametrize("seed", [seed for drawing, seed in KNOWN if drawing == DRAWING])
def test_a_seed_that_failed_once_does_not_fail_again(seed: int) -> None:
    result = play(seed)
    assert not result.violations, "\n".join([*result.violations, *result.trace[-60:]])


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_nights_of_faults_break_no_promise(first: int) -> None:
    for seed in range(first, first + CHUNK):
        result = play(seed)
        assert not result.violations, "\n".join([f"seed {seed}", *result.violations, *result.trace[-60:]])


def test_what_never_happened_in_many_nights_is_named_and_few_nights_say_nothing() -> None:
    seen = dict.fromkeys(EXPECTED, 1) | {"space parked": 0}
    assert missing(seen, 1_000) == ["space parked"]
    assert missing({}, 300) == []


def test_a_seed_tells_the_same_story_each_time() -> None:
    one, two = play(3), play(3)
    assert one == two
    assert one.trace
