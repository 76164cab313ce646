"""What is said of what did not end well, where it is not the service that says it."""

from __future__ import annotations

import pytest

from engine.core.outcome import QUARANTINED
from engine.executor.troubles import QUARANTINE, quarantine_of
from engine.ports.history import LastFailure


def last(message: str) -> LastFailure:
    return LastFailure("run-7", 1_000.0, "failed", message)


@pytest.mark.parametrize(
    ("runs", "failure", "words"),
    [
        (1, None, "1 run in a row with the same spec"),
        (1_200, None, "1,200 runs in a row with the same spec"),
        (3, last(""), "3 runs in a row with the same spec, last in run run-7"),
        (3, last("the image is gone."), "3 runs in a row with the same spec, last in run run-7: the image is gone"),
    ],
)
def test_a_quarantined_app_says_how_often_it_failed_where_to_look_and_why(
    runs: int, failure: LastFailure | None, words: str
) -> None:
    trouble = quarantine_of(runs, failure)
    assert (trouble.code, trouble.message) == (QUARANTINED, f"failed in {words}")
    assert trouble.hint == QUARANTINE.hint
