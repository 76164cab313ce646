"""What a row of a complete scan, or its absence, means for what is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.core.change import Action
from engine.core.limits import ABSENT_TWICE_SECONDS, CLOCK_SKEW_MAX_SECONDS, STALE_ROW_MAX_SECONDS
from engine.core.settings import Observe
from engine.executor.judge import Scan, Verdict, believe, is_generation, judge, needs_asking
from engine.executor.operation import Phase
from tests.fleets import a_row
from tests.unit.executor.parts import an_operation

if TYPE_CHECKING:
    from engine.executor.kinds.apps import AppOperation

OBSERVE = Observe(first_after=5.0, second_after=10.0)
SENT_WALL = 1_000_000.0


def accepted(phase: Phase = Phase.SETTLE_CREATE) -> AppOperation:
    operation = an_operation(phase=phase)
    operation.ours = True
    operation.sent_wall = SENT_WALL
    operation.accepted_at = operation.unknown_at = 100.0
    return operation


def at(seconds: float) -> Scan:
    return Scan(seconds, seconds + 0.5)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("InService", Verdict.IN_SERVICE),
        ("Pending", Verdict.KEEP),
        ("Failed", Verdict.FAILED),
        ("Deleted", Verdict.REMOVED),
        ("Deleting", Verdict.REMOVED),
        ("Exploded", Verdict.KEEP),
    ],
)
def test_an_accepted_create_settles_by_its_status(status: str, verdict: Verdict) -> None:
    assert judge(accepted(), a_row(status=status, created_at=SENT_WALL), at(103.0), OBSERVE) is verdict


@pytest.mark.parametrize("status", ["InService", "Failed", "Deleted", "Deleting"])
def test_the_row_of_the_generation_before_is_never_taken_for_the_new_app(status: str) -> None:
    """Neither good news nor bad; after a while DescribeApp tells."""
    operation = accepted()
    operation.prior = a_row(status=status, created_at=500.0)
    old = a_row(status=status, created_at=500.0)
    assert judge(operation, old, at(103.0), OBSERVE) is Verdict.KEEP
    assert judge(operation, old, at(100.0 + STALE_ROW_MAX_SECONDS), OBSERVE) is Verdict.ASK


@pytest.mark.parametrize("status", ["InService", "Failed", "Deleted", "Deleting", "Pending"])
def test_a_row_from_before_our_create_by_our_clock_is_asked_about(status: str) -> None:
    """Our clock may be ahead of the service's; once it is known how far, the row is believed."""
    operation, row = accepted(), a_row(status=status, created_at=SENT_WALL - 20.0)
    asked = Verdict.KEEP if status == "Pending" else Verdict.ASK
    assert judge(operation, row, at(103.0), OBSERVE) is asked
    known = Scan(103.0, 103.5, clock_ahead_s=20.0)
    assert judge(operation, row, known, OBSERVE) is judge(accepted(), a_row(status=status, created_at=SENT_WALL),
                                                          at(103.0), OBSERVE)  # fmt: skip


@pytest.mark.parametrize("phase", [Phase.LOOK, Phase.OBSERVE_CREATE])
def test_a_stale_row_of_what_was_replaced_is_as_no_row(phase: Phase) -> None:
    operation = accepted(phase)
    operation.deleted = True
    operation.prior = a_row(created_at=500.0)
    shown = judge(operation, a_row(created_at=500.0), at(120.0), OBSERVE)
    assert shown is judge(accepted(phase), None, at(120.0), OBSERVE)


@pytest.mark.parametrize("phase", [Phase.LOOK, Phase.OBSERVE_CREATE])
def test_a_stale_row_from_before_what_was_there_last_is_as_no_row(phase: Phase) -> None:
    """The app that was replaced shows again after the new one has failed: it is gone all the longer."""
    operation = accepted(phase)
    operation.prior = a_row(status="Failed", created_at=SENT_WALL)
    shown = judge(operation, a_row(created_at=500.0), at(120.0), OBSERVE)
    assert shown is judge(accepted(phase), None, at(120.0), OBSERVE)


@pytest.mark.parametrize("phase", [Phase.LOOK, Phase.OBSERVE_CREATE])
def test_an_app_that_was_seen_going_does_not_come_back_by_a_listing_that_shows_it_as_before(phase: Phase) -> None:
    """It is as no row; what is still Deleting is waited for, and another generation is the new app."""
    operation = accepted(phase)
    operation.prior = a_row(status="Deleting", created_at=500.0)
    stale, nothing = a_row(created_at=500.4), judge(accepted(phase), None, at(120.0), OBSERVE)
    verdict = judge(operation, stale, at(120.0), OBSERVE)
    assert verdict is nothing
    if phase is Phase.LOOK:
        assert needs_asking(operation, verdict, stale)
    going = a_row(status="Deleting", created_at=500.0)
    assert judge(operation, going, at(120.0), OBSERVE) is Verdict.WAIT_DELETING
    assert judge(operation, a_row(created_at=SENT_WALL), at(120.0), OBSERVE) is Verdict.OURS


def test_an_app_from_before_our_call_that_is_taken_over_settles_without_a_question() -> None:
    operation, old = accepted(Phase.LOOK), a_row(created_at=500.0)
    assert judge(operation, old, at(103.0), OBSERVE) is Verdict.ADOPT
    believe(operation, old)
    operation.phase = Phase.SETTLE_CREATE
    assert judge(operation, old, at(106.0), OBSERVE) is Verdict.IN_SERVICE


@pytest.mark.parametrize("phase", [Phase.SETTLE_CREATE, Phase.AWAIT_DELETING, Phase.SETTLE_DELETE])
def test_one_scan_that_misses_an_app_is_not_enough(phase: Phase) -> None:
    """Row 28."""
    operation = accepted(phase)
    operation.change = an_operation(action=Action.DELETE, before=a_row(created_at=1.0)).change
    gone = {
        Phase.SETTLE_CREATE: Verdict.REMOVED,
        Phase.AWAIT_DELETING: Verdict.CREATE,
        Phase.SETTLE_DELETE: Verdict.DELETED,
    }[phase]
    assert judge(operation, None, at(103.0), OBSERVE) is Verdict.KEEP
    assert judge(operation, None, at(105.0), OBSERVE) is Verdict.KEEP
    assert judge(operation, None, at(103.5 + ABSENT_TWICE_SECONDS), OBSERVE) is gone


def test_an_app_that_is_seen_again_was_never_gone() -> None:
    operation = accepted()
    judge(operation, None, at(103.0), OBSERVE)
    judge(operation, a_row(status="Pending", created_at=SENT_WALL), at(106.0), OBSERVE)
    assert judge(operation, None, at(120.0), OBSERVE) is Verdict.KEEP


def test_an_unknown_create_is_not_judged_too_early() -> None:
    operation = accepted(Phase.OBSERVE_CREATE)
    assert judge(operation, a_row(created_at=SENT_WALL), at(104.9), OBSERVE) is Verdict.KEEP


def test_an_unknown_create_that_stands_there_is_ours() -> None:
    """Row 9: our own unknown, found by name, age and spec."""
    operation = accepted(Phase.OBSERVE_CREATE)
    assert judge(operation, a_row(status="Pending", created_at=SENT_WALL), at(106.0), OBSERVE) is Verdict.OURS


def test_an_app_from_long_before_our_call_is_somebody_elses() -> None:
    """Row 38."""
    operation = accepted(Phase.OBSERVE_CREATE)
    old = a_row(created_at=SENT_WALL - CLOCK_SKEW_MAX_SECONDS - 1)
    assert judge(operation, old, at(106.0), OBSERVE) is Verdict.ADOPT


def test_something_else_under_the_name_is_a_conflict() -> None:
    """Row 8: a different spec is reported and left alone."""
    operation = accepted(Phase.OBSERVE_CREATE)
    other = a_row(instance_type="ml.m5.large", created_at=SENT_WALL)
    assert judge(operation, other, at(106.0), OBSERVE) is Verdict.CONFLICT
    strange = a_row(status="Exploded", created_at=SENT_WALL)
    assert judge(operation, strange, at(106.0), OBSERVE) is Verdict.CONFLICT


def test_an_unknown_create_is_sent_again_after_two_scans_that_do_not_show_it() -> None:
    operation = accepted(Phase.OBSERVE_CREATE)
    assert judge(operation, None, at(105.0), OBSERVE) is Verdict.KEEP
    assert judge(operation, None, at(110.0), OBSERVE) is Verdict.KEEP  # too soon behind the first
    assert judge(operation, None, at(115.5), OBSERVE) is Verdict.RESEND


@pytest.mark.parametrize(("status", "verdict"), [("Failed", Verdict.FAILED), ("Deleted", Verdict.REMOVED)])
def test_a_new_tombstone_is_what_became_of_an_unknown_create_once_two_scans_show_nothing_else(
    status: str, verdict: Verdict
) -> None:
    operation = accepted(Phase.OBSERVE_CREATE)
    tombstone = a_row(status=status, created_at=SENT_WALL)
    assert judge(operation, tombstone, at(106.0), OBSERVE) is Verdict.KEEP
    assert judge(operation, tombstone, at(117.0), OBSERVE) is verdict


def test_a_tombstone_of_another_instance_type_is_not_that_of_an_unknown_create() -> None:
    operation = accepted(Phase.OBSERVE_CREATE)
    tombstone = a_row(status="Failed", created_at=SENT_WALL, instance_type="ml.p5.48xlarge")
    assert judge(operation, tombstone, at(106.0), OBSERVE) is Verdict.KEEP
    assert judge(operation, tombstone, at(117.0), OBSERVE) is Verdict.RESEND


def test_an_old_tombstone_says_nothing_about_an_unknown_create() -> None:
    operation = accepted(Phase.OBSERVE_CREATE)
    operation.prior = a_row(status="Failed", created_at=SENT_WALL - 10)
    old = a_row(status="Failed", created_at=SENT_WALL - 10)
    assert judge(operation, old, at(106.0), OBSERVE) is Verdict.KEEP
    assert judge(operation, old, at(120.0), OBSERVE) is Verdict.RESEND


@pytest.mark.parametrize("phase", [Phase.OBSERVE_CREATE, Phase.LOOK])
def test_an_app_that_is_being_deleted_is_waited_for(phase: Phase) -> None:
    """Row 10."""
    assert judge(accepted(phase), a_row(status="Deleting", created_at=1.0), at(106.0), OBSERVE) is Verdict.WAIT_DELETING


def test_a_name_in_use_is_adopted_when_it_is_as_declared() -> None:
    operation = accepted(Phase.LOOK)
    operation.ours = False
    assert judge(operation, a_row(created_at=1.0), at(101.0), OBSERVE) is Verdict.ADOPT
    assert judge(operation, a_row(instance_type="ml.m5.large"), at(101.0), OBSERVE) is Verdict.CONFLICT


@pytest.mark.parametrize("row", [None, a_row(status="Failed"), a_row(status="Deleted")])
def test_a_name_in_use_that_is_not_listed_is_asked_again(row: object) -> None:
    assert judge(accepted(Phase.LOOK), row, at(101.0), OBSERVE) is Verdict.TRY_LATER  # type: ignore[arg-type]


def test_a_create_behind_a_delete_waits_until_it_has_settled() -> None:
    operation = accepted(Phase.AWAIT_DELETING)
    operation.prior = a_row(status="Deleting", created_at=5.0)
    assert judge(operation, a_row(status="Deleting", created_at=5.0), at(101.0), OBSERVE) is Verdict.KEEP
    assert judge(operation, a_row(status="InService", created_at=5.0), at(101.0), OBSERVE) is Verdict.KEEP  # it lags
    assert judge(operation, a_row(status="Deleted", created_at=5.0), at(101.0), OBSERVE) is Verdict.CREATE
    operation.ours = False
    assert judge(operation, a_row(status="Pending", created_at=SENT_WALL), at(101.0), OBSERVE) is Verdict.ADOPT


@pytest.mark.parametrize(
    ("row", "settling", "observed"),
    [
        (a_row(status="Deleting", created_at=5.0), Verdict.KEEP, Verdict.DELETING),
        (a_row(status="Deleted", created_at=5.0), Verdict.DELETED, Verdict.DELETED),
        (a_row(status="Failed", created_at=5.0), Verdict.DELETED, Verdict.DELETED),
        (a_row(status="InService", created_at=999.0), Verdict.DELETED, Verdict.DELETED),  # made again by somebody
        (a_row(status="InService", created_at=5.0), Verdict.KEEP, Verdict.KEEP),
        (None, Verdict.KEEP, Verdict.KEEP),  # absence is believed the second time
    ],
)
def test_a_delete_is_judged_by_the_generation_that_it_was_sent_for(
    row: object, settling: Verdict, observed: Verdict
) -> None:
    for phase, verdict in ((Phase.SETTLE_DELETE, settling), (Phase.OBSERVE_DELETE, observed)):
        operation = an_operation(phase=phase, action=Action.DELETE, before=a_row(created_at=5.0))
        operation.unknown_at = operation.accepted_at = 90.0
        assert judge(operation, row, at(101.0), OBSERVE) is verdict  # type: ignore[arg-type]


@pytest.mark.parametrize("phase", [Phase.SETTLE_DELETE, Phase.OBSERVE_DELETE, Phase.AWAIT_DELETING])
@pytest.mark.parametrize("status", ["Deleted", "Failed", "InService"])
def test_a_row_of_an_earlier_app_does_not_tell_the_end_of_the_one_that_is_deleted(status: str, phase: Phase) -> None:
    """A listing that lags far behind leaves out the app and shows what had its name before."""
    operation = an_operation(phase=phase, action=Action.DELETE, before=a_row(created_at=5_000.0))
    operation.prior = operation.change.before
    operation.unknown_at = operation.accepted_at = 90.0
    earlier = a_row(status=status, created_at=5.0)
    assert judge(operation, earlier, at(101.0), OBSERVE) is Verdict.KEEP
    verdict = judge(operation, earlier, at(101.5 + ABSENT_TWICE_SECONDS), OBSERVE)
    assert verdict in (Verdict.DELETED, Verdict.CREATE)  # as of an app that two listings do not show ...
    assert needs_asking(operation, verdict, earlier)  # ... so DescribeApp is asked


def test_an_unknown_delete_is_sent_again_after_two_scans_that_show_the_app() -> None:
    operation = an_operation(phase=Phase.OBSERVE_DELETE, action=Action.DELETE, before=a_row(created_at=5.0))
    operation.unknown_at = 100.0
    alive = a_row(created_at=5.0)
    assert judge(operation, alive, at(101.0), OBSERVE) is Verdict.KEEP
    assert judge(operation, alive, at(106.0), OBSERVE) is Verdict.KEEP
    assert judge(operation, alive, at(117.0), OBSERVE) is Verdict.RESEND


def test_a_generation_is_told_by_its_creation_time() -> None:
    """Row 34."""
    assert is_generation(a_row(created_at=5.0), a_row(created_at=5.4))
    assert not is_generation(a_row(created_at=5.0), a_row(created_at=7.0))
    assert not is_generation(a_row(), None)
