"""The retry decision: one class of error, one thing that follows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core import errors
from engine.core.outcome import Outcome
from engine.core.settings import Backoffs
from engine.executor.operation import Phase
from engine.executor.retry import Again, End, FallBack, Gone, Look, ObserveFirst, Park, StopLane, decide, trouble_of
from tests.unit.executor.parts import BACKOFF, an_operation, full

BACKOFFS = Backoffs(throttling=BACKOFF, limit=BACKOFF, transient=BACKOFF, capacity=BACKOFF)


@pytest.mark.parametrize(
    "error", [errors.Throttled("x"), errors.Unreachable("x"), errors.StorageNotReady("x"), errors.NoCapacity("x")]
)
def test_what_passes_by_itself_is_tried_again_later_and_later(error: errors.CloudError) -> None:
    operation = an_operation()
    delays = [decide(operation, error, 10.0, BACKOFFS, 0.5) for _ in range(6)]
    assert delays == [Again(0.5), Again(1.0), Again(2.0), Again(4.0), Again(4.0), Again(4.0)]


@pytest.mark.parametrize("error", [errors.Throttled("slow"), errors.Unreachable("slow"), errors.NoCapacity("slow")])
def test_patience_is_counted_from_the_first_failure_of_its_kind(error: errors.CloudError) -> None:
    operation = an_operation()
    assert isinstance(decide(operation, error, 0.0, BACKOFFS, 0.5), Again)
    assert isinstance(decide(operation, error, 59.9, BACKOFFS, 0.5), Again)
    ended = decide(operation, error, 60.0, BACKOFFS, 0.5)
    assert isinstance(ended, End)
    assert ended.outcome is Outcome.FAILED
    assert ended.trouble.message == "slow"


def test_what_the_service_asks_for_is_waited_but_not_for_ever() -> None:
    operation = an_operation()
    assert decide(operation, errors.Throttled("x", retry_after_s=5.0), 0.0, BACKOFFS, 0.1) == Again(5.0)
    assert decide(operation, errors.Throttled("x", retry_after_s=5_000.0), 0.0, BACKOFFS, 0.1) == Again(8.0)


def test_a_full_quota_parks_and_a_quota_of_nothing_ends() -> None:
    """Row 4."""
    error = full()
    assert decide(an_operation(), error, 0.0, BACKOFFS, 0.5) == Park(error)
    ended = decide(an_operation(), full(value=0), 0.0, BACKOFFS, 0.5)
    assert isinstance(ended, End)
    assert ended.outcome is Outcome.FAILED


@pytest.mark.parametrize("error", [full(value=0), errors.NoCapacity("x")])
def test_the_next_instance_type_is_tried_where_there_is_one(error: errors.CloudError) -> None:
    operation = an_operation(fallback=("ml.t3.large",))
    assert decide(operation, error, 0.0, BACKOFFS, 0.5) == FallBack()
    operation.choice = 1
    assert decide(operation, error, 0.0, BACKOFFS, 0.5) != FallBack()


@pytest.mark.parametrize("phase", [Phase.CREATE, Phase.DELETE])
def test_what_may_have_been_carried_out_is_observed_first(phase: Phase) -> None:
    operation = an_operation(phase=phase)
    assert decide(operation, errors.OutcomeUnknown("reset"), 0.0, BACKOFFS, 0.5) == ObserveFirst()


def test_a_name_in_use_is_looked_at_and_asked_again_when_nothing_is_listed() -> None:
    assert decide(an_operation(), errors.InUse("x"), 0.0, BACKOFFS, 0.5) == Look()
    assert decide(an_operation(phase=Phase.LOOK), errors.InUse("x"), 0.0, BACKOFFS, 0.5) == Again(0.5)


def test_gone_is_what_a_delete_wants_and_a_create_does_not() -> None:
    """Row 35."""
    assert decide(an_operation(phase=Phase.DELETE), errors.AlreadyGone("x"), 0.0, BACKOFFS, 0.5) == Gone()
    assert isinstance(decide(an_operation(), errors.AlreadyGone("x"), 0.0, BACKOFFS, 0.5), End)


@pytest.mark.parametrize("error", [errors.AccessDenied("no"), errors.Rejected("no"), errors.NotFound("no")])
def test_what_does_not_pass_ends_that_app_alone(error: errors.CloudError) -> None:
    """Row 22."""
    ended = decide(an_operation(), error, 0.0, BACKOFFS, 0.5)
    assert isinstance(ended, End)
    assert ended.outcome is Outcome.FAILED


def test_credentials_that_fail_stop_the_lane() -> None:
    """Row 18."""
    error = errors.CredentialsFailed("expired", hint="log in", service_code="ExpiredTokenException")
    assert decide(an_operation(), error, 0.0, BACKOFFS, 0.5) == StopLane(trouble_of(error))
    assert trouble_of(error).code == "ExpiredTokenException"
    assert trouble_of(errors.Unreachable("x")).code == "AF410"


def test_a_server_that_cannot_prove_who_it_is_stops_the_lane() -> None:
    error = errors.TlsFailed("expired", hint="renew", service_code="SSLError")
    assert decide(an_operation(), error, 0.0, BACKOFFS, 0.5) == StopLane(trouble_of(error))


def test_what_ends_a_lane_is_never_tried_again() -> None:
    """Whatever the class: each one that says so stops the lane, in every phase."""
    ending = [kind for kind in errors.all_error_classes() if issubclass(kind, errors.CloudError) and kind.ends_lane]
    assert {kind.__name__ for kind in ending} == {"CredentialsFailed", "TlsFailed"}
    for kind in ending:
        for phase in Phase:
            assert isinstance(decide(an_operation(phase=phase), kind("x"), 0.0, BACKOFFS, 0.5), StopLane)


def test_every_class_of_cloud_error_has_its_decision() -> None:
    """Row 56's cousin: an error that nobody thought of ends one app and not the run."""
    kinds = [cls for cls in errors.all_error_classes() if issubclass(cls, errors.CloudError)]
    assert len(kinds) > 10
    for kind in kinds:
        error = full() if issubclass(kind, errors.QuotaExceeded) else kind("x")
        assert decide(an_operation(), error, 0.0, replace(BACKOFFS), 0.5) is not None
