"""What one look at an owner means: the whole table of phases and rows."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredOwner
from engine.core.identity import SPACE, Owner
from engine.core.observed import ObservedOwner
from engine.core.settings import Observe
from engine.executor.judge import Scan, Verdict, judge, needs_asking
from engine.executor.kinds.owners import OwnerOperation
from engine.executor.operation import Phase
from tests.fleets import LANE, SOURCE

NAME = Owner("research", SPACE, "alice-lab")
DECLARED = DesiredOwner(NAME, SOURCE, owner_user="alice", sharing="Private", app_type="JupyterLab")
OBSERVE = Observe(5.0, 10.0)


def a_row(status: str = "InService", created_at: float = 2_000.0, **more: Any) -> ObservedOwner:
    return ObservedOwner(NAME, status, created_at, **more)


BEFORE = a_row(created_at=1_000.0)


def an_operation(phase: Phase, **more: Any) -> OwnerOperation:
    action = Action.DELETE if "DELETE" in phase.name and phase is not Phase.AWAIT_DELETING else Action.CREATE
    change = OwnerChange(NAME, action, OwnerReason.ABSENT, BEFORE, DECLARED)
    operation = OwnerOperation(0, change, LANE, phase)
    for name, value in more.items():
        setattr(operation, name, value)
    return operation


def verdict(operation: OwnerOperation, row: ObservedOwner | None, began_at: float = 100.0) -> Verdict:
    return judge(operation, row, Scan(began_at, began_at + 1.0), OBSERVE)


@pytest.mark.parametrize(
    ("phase", "row", "expected"),
    [
        (Phase.SETTLE_CREATE, a_row(), Verdict.IN_SERVICE),
        (Phase.SETTLE_CREATE, a_row("Pending"), Verdict.KEEP),
        (Phase.SETTLE_CREATE, a_row("Failed"), Verdict.FAILED),
        (Phase.SETTLE_CREATE, a_row("Deleting"), Verdict.REMOVED),
        (Phase.SETTLE_CREATE, None, Verdict.KEEP),
        (Phase.LOOK, None, Verdict.TRY_LATER),
        (Phase.LOOK, a_row(), Verdict.ADOPT),
        (Phase.LOOK, a_row("Deleting"), Verdict.WAIT_DELETING),
        (Phase.LOOK, a_row("Failed"), Verdict.FAILED),
        (Phase.LOOK, a_row(owner_user="Alice", app_type="JupyterLab"), Verdict.ADOPT),
        (Phase.LOOK, a_row(owner_user="bob"), Verdict.CONFLICT),
        (Phase.LOOK, a_row(app_type="CodeEditor"), Verdict.CONFLICT),
        (Phase.OBSERVE_CREATE, a_row(), Verdict.ADOPT),
        (Phase.AWAIT_DELETING, None, Verdict.CREATE),
        (Phase.AWAIT_DELETING, a_row("Deleting"), Verdict.KEEP),
        (Phase.AWAIT_DELETING, a_row(), Verdict.ADOPT),
        (Phase.SETTLE_DELETE, None, Verdict.DELETED),
        (Phase.SETTLE_DELETE, a_row(), Verdict.DELETED),
        (Phase.SETTLE_DELETE, a_row("Deleting", 1_000.0), Verdict.KEEP),
        (Phase.SETTLE_DELETE, a_row("Delete_Failed", 1_000.0), Verdict.FAILED),
        (Phase.OBSERVE_DELETE, None, Verdict.DELETING),
        (Phase.OBSERVE_DELETE, a_row("Deleting", 1_000.0), Verdict.DELETING),
        (Phase.OBSERVE_DELETE, a_row(), Verdict.DELETED),
        (Phase.OBSERVE_DELETE, a_row(created_at=1_000.0), Verdict.KEEP),
    ],
)
def test_the_table(phase: Phase, row: ObservedOwner | None, expected: Verdict) -> None:
    assert verdict(an_operation(phase), row) is expected


def test_an_owner_that_is_ours_is_told_from_one_that_is_adopted() -> None:
    assert verdict(an_operation(Phase.OBSERVE_CREATE, ours=True), a_row()) is Verdict.OURS


@pytest.mark.parametrize("created_at", [1_000.0, 1_000.5])
def test_the_owner_that_stood_there_before_our_create_is_not_ours(created_at: float) -> None:
    operation = an_operation(Phase.OBSERVE_CREATE, ours=True, prior=BEFORE)
    assert verdict(operation, a_row(created_at=created_at)) is Verdict.ADOPT
    assert verdict(operation, a_row()) is Verdict.OURS


GOING = a_row("Deleting", 1_000.0)


@pytest.mark.parametrize("status", ["InService", "Pending", "Updating", "Update_Failed"])
@pytest.mark.parametrize("phase", [Phase.LOOK, Phase.OBSERVE_CREATE, Phase.AWAIT_DELETING])
def test_an_owner_that_was_seen_going_does_not_come_back_by_a_row_that_shows_it_as_before(
    phase: Phase, status: str
) -> None:
    """What is still going is waited for, and another one of the name is what it says."""
    nothing = Verdict.KEEP if phase is Phase.AWAIT_DELETING else verdict(an_operation(phase), None)
    operation = an_operation(phase, prior=GOING)
    assert verdict(operation, a_row(status, 1_000.4)) is nothing
    waits = Verdict.KEEP if phase is Phase.AWAIT_DELETING else Verdict.WAIT_DELETING
    assert verdict(operation, GOING) is waits
    assert verdict(operation, a_row(status)) is Verdict.ADOPT


@pytest.mark.parametrize(("status", "expected"), [("Failed", Verdict.FAILED), ("Delete_Failed", Verdict.ADOPT)])
def test_an_owner_that_was_seen_going_and_has_failed_is_no_row_that_lags(status: str, expected: Verdict) -> None:
    for phase in (Phase.LOOK, Phase.AWAIT_DELETING):
        assert verdict(an_operation(phase, prior=GOING), a_row(status, 1_000.0)) is expected


@pytest.mark.parametrize(
    ("phase", "nothing"), [(Phase.AWAIT_DELETING, Verdict.CREATE), (Phase.OBSERVE_DELETE, Verdict.DELETING)]
)
def test_an_owner_from_before_the_one_that_goes_is_as_no_row_and_asked_about(phase: Phase, nothing: Verdict) -> None:
    operation, older = an_operation(phase, prior=GOING), a_row(created_at=500.0)
    assert verdict(operation, older) is nothing
    assert needs_asking(operation, nothing, older)


def test_what_is_left_of_an_owner_after_an_unknown_create_is_what_became_of_it() -> None:
    """The service keeps no record of an owner that is gone; should it show one, two looks have to pass as for apps."""
    operation = an_operation(Phase.OBSERVE_CREATE, ours=True)
    assert [verdict(operation, a_row("Deleted"), at) for at in (100.0, 112.0)] == [Verdict.KEEP, Verdict.REMOVED]


def test_an_owner_that_was_made_long_before_our_call_is_not_ours() -> None:
    operation = an_operation(Phase.OBSERVE_CREATE, ours=True, sent_wall=5_000.0)
    assert verdict(operation, a_row(created_at=2_000.0)) is Verdict.ADOPT
    assert verdict(operation, a_row(created_at=4_990.0)) is Verdict.OURS


@pytest.mark.parametrize("status", ["InService", "Failed", "Deleting"])
def test_an_old_row_is_not_believed_for_the_new_owner_be_it_good_news_or_bad(status: str) -> None:
    """While it may lag it says nothing; after that the owner itself is asked about."""
    operation = an_operation(Phase.SETTLE_CREATE, ours=True, prior=BEFORE, accepted_at=90.0)
    assert verdict(operation, a_row(status, 1_000.0)) is Verdict.KEEP
    assert verdict(operation, a_row(status, 1_000.0), 200.0) is Verdict.ASK
    assert verdict(operation, a_row(status)) not in (Verdict.KEEP, Verdict.ASK)


def test_another_owner_that_somebody_deletes_says_that_ours_is_gone() -> None:
    assert verdict(an_operation(Phase.OBSERVE_DELETE), a_row("Deleting")) is Verdict.DELETED


@pytest.mark.parametrize("phase", [Phase.OBSERVE_CREATE, Phase.OBSERVE_DELETE])
def test_a_look_that_began_too_early_says_nothing(phase: Phase) -> None:
    assert verdict(an_operation(phase, unknown_at=98.0), None) is Verdict.KEEP


def test_an_unknown_create_is_cleared_by_two_looks_far_enough_apart() -> None:
    operation = an_operation(Phase.OBSERVE_CREATE)
    assert [verdict(operation, None, at) for at in (100.0, 105.0, 112.0)] == [
        Verdict.KEEP,
        Verdict.KEEP,
        Verdict.RESEND,
    ]


def test_an_owner_that_was_accepted_is_removed_when_two_looks_miss_it() -> None:
    operation = an_operation(Phase.SETTLE_CREATE)
    assert [verdict(operation, None, at) for at in (100.0, 105.0, 120.0)] == [
        Verdict.KEEP,
        Verdict.KEEP,
        Verdict.REMOVED,
    ]


def test_the_earlier_generation_that_a_listing_still_shows_is_no_removal() -> None:
    operation = an_operation(Phase.SETTLE_CREATE, prior=BEFORE, adopted=True, accepted_at=90.0)
    assert verdict(operation, a_row("Deleting", 1_000.0)) is Verdict.KEEP
    assert verdict(operation, a_row("Deleting", 1_000.0), 200.0) is Verdict.ASK
