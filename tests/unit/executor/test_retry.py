"""The retry decision: one class of error, one thing that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.core import errors
from engine.core.outcome import Outcome
from engine.core.settings import Backoffs, Settings
from engine.executor.course import LATE_LIMIT
from engine.executor.operation import Phase
from engine.executor.retry import after_error
from engine.executor.step import AT_ONCE, Await, Call, End, Gone, Park, StopLane
from engine.executor.troubles import trouble_of
from tests.unit.executor.parts import BACKOFF, an_operation, full

if TYPE_CHECKING:
    from engine.executor.step import Step

SETTINGS = Settings(backoffs=Backoffs(throttling=BACKOFF, limit=BACKOFF, transient=BACKOFF, capacity=BACKOFF))


def delay_of(step: Step, now: float = 0.0) -> float:
    """Return how long a call is put off, in seconds."""
    assert isinstance(step, Call)
    return step.at - now


@pytest.mark.parametrize(
    "error", [errors.Throttled("x"), errors.Unreachable("x"), errors.StorageNotReady("x"), errors.NoCapacity("x")]
)
def test_what_passes_by_itself_is_tried_again_later_and_later(error: errors.CloudError) -> None:
    operation = an_operation()
    delays = [delay_of(after_error(operation, error, 10.0, SETTINGS, 0.5), 10.0) for _ in range(6)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


@pytest.mark.parametrize("error", [errors.Throttled("slow"), errors.Unreachable("slow"), errors.NoCapacity("slow")])
def test_patience_is_counted_from_the_first_failure_of_its_kind(error: errors.CloudError) -> None:
    operation = an_operation()
    assert isinstance(after_error(operation, error, 0.0, SETTINGS, 0.5), Call)
    assert isinstance(after_error(operation, error, 59.9, SETTINGS, 0.5), Call)
    ended = after_error(operation, error, 60.0, SETTINGS, 0.5)
    assert isinstance(ended, End)
    assert ended.outcome is Outcome.FAILED
    assert ended.trouble == trouble_of(error)


def test_what_the_service_asks_for_is_waited_but_not_for_ever() -> None:
    operation = an_operation()
    assert delay_of(after_error(operation, errors.Throttled("x", retry_after_s=5.0), 0.0, SETTINGS, 0.1)) == 5.0
    assert delay_of(after_error(operation, errors.Throttled("x", retry_after_s=5_000.0), 0.0, SETTINGS, 0.1)) == 8.0


def test_a_full_quota_parks_and_a_quota_of_nothing_ends() -> None:
    """Row 4."""
    error = full()
    assert after_error(an_operation(), error, 0.0, SETTINGS, 0.5) == Park(error)
    ended = after_error(an_operation(), full(value=0), 0.0, SETTINGS, 0.5)
    assert isinstance(ended, End)
    assert ended.outcome is Outcome.FAILED


def test_a_limit_that_shows_only_in_what_was_accepted_is_waited_for_as_long_as_any_other() -> None:
    """Each create that is accepted opens its gate again, so the gate alone would never give up."""
    operation = an_operation()
    operation.fail(LATE_LIMIT, 10.0)
    error = full()
    assert after_error(operation, error, 69.9, SETTINGS, 0.5) == Park(error)
    assert after_error(operation, error, 70.0, SETTINGS, 0.5) == End(Outcome.PARKED, trouble_of(error))


@pytest.mark.parametrize("error", [full(value=0), errors.NoCapacity("x")])
def test_the_next_instance_type_is_tried_where_there_is_one(error: errors.CloudError) -> None:
    operation = an_operation(fallback=("ml.t3.large",))
    step = after_error(operation, error, 0.0, SETTINGS, 0.5)
    assert isinstance(step, Call)
    assert (step.phase, step.at, operation.instance_type) == (Phase.CREATE, AT_ONCE, "ml.t3.large")
    after_error(operation, error, 0.0, SETTINGS, 0.5)
    assert operation.instance_type == "ml.t3.large"  # it was the last one


@pytest.mark.parametrize("phase", [Phase.CREATE, Phase.DELETE])
def test_what_may_have_been_carried_out_is_observed_first(phase: Phase) -> None:
    operation = an_operation(phase=phase)
    step = after_error(operation, errors.OutcomeUnknown("reset"), 0.0, SETTINGS, 0.5)
    assert isinstance(step, Await)
    assert step.phase is {Phase.CREATE: Phase.OBSERVE_CREATE, Phase.DELETE: Phase.OBSERVE_DELETE}[phase]


def test_a_name_in_use_is_looked_at_and_asked_again_when_nothing_is_listed() -> None:
    assert after_error(an_operation(), errors.InUse("x"), 0.0, SETTINGS, 0.5) == Await(Phase.LOOK)
    again = after_error(an_operation(phase=Phase.LOOK), errors.InUse("x"), 0.0, SETTINGS, 0.5)
    assert isinstance(again, Call)
    assert (again.phase, again.at) == (Phase.CREATE, 0.5)


def test_gone_is_what_a_delete_wants_and_a_create_does_not() -> None:
    """Row 35."""
    assert after_error(an_operation(phase=Phase.DELETE), errors.AlreadyGone("x"), 0.0, SETTINGS, 0.5) == Gone()
    assert isinstance(after_error(an_operation(), errors.AlreadyGone("x"), 0.0, SETTINGS, 0.5), End)


@pytest.mark.parametrize("error", [errors.AccessDenied("no"), errors.Rejected("no"), errors.NotFound("no")])
def test_what_does_not_pass_ends_that_app_alone(error: errors.CloudError) -> None:
    """Row 22."""
    ended = after_error(an_operation(), error, 0.0, SETTINGS, 0.5)
    assert isinstance(ended, End)
    assert ended.outcome is Outcome.FAILED


def test_credentials_that_fail_stop_the_lane() -> None:
    """Row 18."""
    error = errors.CredentialsFailed("expired", hint="log in", service_code="ExpiredTokenException")
    assert after_error(an_operation(), error, 0.0, SETTINGS, 0.5) == StopLane(trouble_of(error))
    assert trouble_of(error).code == "ExpiredTokenException"
    assert trouble_of(errors.Unreachable("x")).code == "AF410"


def test_a_server_that_cannot_prove_who_it_is_stops_the_lane() -> None:
    error = errors.TlsFailed("expired", hint="renew", service_code="SSLError")
    assert after_error(an_operation(), error, 0.0, SETTINGS, 0.5) == StopLane(trouble_of(error))


def test_what_ends_a_lane_is_never_tried_again() -> None:
    """Whatever the class: each one that says so stops the lane, in every phase."""
    ending = [kind for kind in errors.all_error_classes() if issubclass(kind, errors.CloudError) and kind.ends_lane]
    assert {kind.__name__ for kind in ending} == {"CredentialsFailed", "TlsFailed"}
    for kind in ending:
        for phase in Phase:
            assert isinstance(after_error(an_operation(phase=phase), kind("x"), 0.0, SETTINGS, 0.5), StopLane)


def test_every_class_of_cloud_error_has_its_decision() -> None:
    """Row 56's cousin: an error that nobody thought of ends one app and not the run."""
    kinds = [cls for cls in errors.all_error_classes() if issubclass(cls, errors.CloudError)]
    assert len(kinds) > 10
    for kind in kinds:
        error = full() if issubclass(kind, errors.QuotaExceeded) else kind("x")
        assert after_error(an_operation(), error, 0.0, SETTINGS, 0.5) is not None
