"""The order of a run in several workers: each begins with its share of the long tests, and ends with short ones.

A worker gets a piece of the whole list, and takes from the end of another's when it has run its own. As they are
collected, one worker would get all that waits for processes, and the others would find long tests alone at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

# What runs commands, as processes most of them, or many nights.
LONG: Final = (
    "tests/architecture/test_readme.py",
    "tests/architecture/test_schemas.py",
    "tests/compat/",
    "tests/e2e/",
    "tests/recipes/",
    "tests/simulation/",
)


def is_long(nodeid: str) -> bool:
    """Whether a test is one of those that take long."""
    return nodeid.startswith(LONG)


def dealt(tests: Sequence[T], workers: int, is_long: Callable[[T], bool]) -> list[T]:
    """Return `tests` in an order in which each worker's piece has as many long ones, and has them first."""
    long = [test for test in tests if is_long(test)]
    short = [test for test in tests if not is_long(test)]
    order: list[T] = []
    for worker in range(workers):
        piece = long[worker::workers]
        size = (len(tests) - len(order)) // (workers - worker)  # as the scheduler cuts it
        count = max(0, size - len(piece))
        order += piece + short[:count]
        del short[:count]
    return order + short
