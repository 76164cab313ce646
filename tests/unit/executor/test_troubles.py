"""What is said of what did not end well, where it is not the service that says it."""

from __future__ import annotations

import pytest

from engine.core.change import Action, Change, Reason
from engine.core.errors import LaneHeldError
from engine.core.outcome import QUARANTINED
from engine.core.trouble import Trouble
from engine.executor.troubles import QUARANTINE, kept_trouble, quarantine_of
from engine.ports.history import LastFailure
from tests.fleets import LAB, an_app


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


def test_an_app_of_a_lane_that_another_run_holds_says_so_with_a_code_of_its_own() -> None:
    app = an_app(LAB)
    change = Change(app.key, Action.NONE, Reason.DOMAIN_UNLISTED, after=app)
    held = LaneHeldError("Another run works in account 111122223333, region eu-west-1: ann", hint="Wait for it to end")
    assert kept_trouble(change, held) == Trouble("lane_held", held.message, "Wait for it to end")
