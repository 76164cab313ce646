"""A run in several workers: each has its share of what takes long, and no test is lost or run twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.architecture.files import ROOT
from tests.dealing import LONG, dealt

if TYPE_CHECKING:
    from collections.abc import Sequence


def long_first(piece: Sequence[str]) -> bool:
    return list(piece) == sorted(piece, key=lambda test: not test.startswith("long"))


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(
    ("long", "short"), [(0, 0), (0, 5), (5, 0), (1, 1), (13, 40), (40, 13), (100, 1), (700, 7_000)]
)
def test_each_worker_begins_with_its_share_of_the_long_ones(workers: int, long: int, short: int) -> None:
    tests = [*(f"a{number}" for number in range(short // 2)), *(f"long{number}" for number in range(long))]
    tests += [f"z{number}" for number in range(short - short // 2)]
    order = dealt(tests, workers, lambda test: test.startswith("long"))
    assert sorted(order) == sorted(tests)
    if short < long * 2:
        return  # pieces of long ones alone
    pieces = []
    for worker in range(workers):
        size = len(order) // (workers - worker)
        pieces.append(order[:size])
        del order[:size]
    counts = [sum(test.startswith("long") for test in piece) for piece in pieces]
    assert max(counts) - min(counts) <= 1
    assert all(map(long_first, pieces))


def test_what_takes_long_is_there() -> None:
    assert [name for name in LONG if not (ROOT / name).exists()] == []
