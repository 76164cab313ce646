"""Deliberate bugs: each is a small patch of a production class, and the simulation has to find every one.

They prove that the checkers bite. A patch holds for the length of a block, so nothing on disk changes.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from unittest.mock import patch

from engine.adapters.pace import ThrottlePace
from engine.adapters.state.lock import FleetLock
from engine.app import answers
from engine.core import errors
from engine.core.change import Action
from engine.core.errors import QuotaFacts
from engine.core.identity import folded_owner
from engine.core.observed import Ownership
from engine.core.outcome import Outcome
from engine.core.ownership import Whose, whose
from engine.executor import begin, changes, course, lane, ownership, retry, scan
from engine.executor.assigning import Assigning
from engine.executor.calls import LaneCalls, StoppedError
from engine.executor.cause import Cause
from engine.executor.control import Control
from engine.executor.gate import Gate, GateState
from engine.executor.judge import Verdict
from engine.executor.kinds import apps
from engine.executor.kinds.apps import AppOperation
from engine.executor.kinds.owners import OwnerOperation
from engine.executor.lane import LaneRun
from engine.executor.operation import Operation, Phase
from engine.executor.step import Await, Call, Gone
from engine.executor.throttle import AdaptiveRate
from tests.simulation import guard_mutants as guards
from tests.simulation import hours_mutants as hours
from tests.simulation import late_mutants as late
from tests.simulation import plan_mutants as plans
from tests.simulation import trial_mutants as trials
from tests.simulation import update_mutants as updates
from tests.simulation.memory_journal import MemoryJournal
from tests.simulation.night import play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from engine.core.identity import AppKey


class Mutant(NamedTuple):
    """A bug with its name and the promise that it breaks."""

    name: str
    breaks: str
    apply: Callable[[], AbstractContextManager[Any]]


class Found(NamedTuple):
    """What the simulation made of a mutant; `seed` is None where it was not found within `tried` seeds."""

    seed: int | None
    tried: int
    violation: str


def hunt(mutant: Mutant, seeds: range) -> Found:
    """Play `seeds` under the bug until a check fails. An exception of the executor is a find as well."""
    for tried, seed in enumerate(seeds, 1):
        with mutant.apply():
            try:
                violations = play(seed).violations
            except Exception as error:  # noqa: BLE001 - whatever the bug comes to
                violations = [repr(error)]
        if violations:
            return Found(seed, tried, violations[0])
    return Found(None, len(seeds), "")


def _called_again(kind: type[Any], *errors_: type[Exception]) -> Any:
    """Send the call of an operation of `kind` again a second after an error of these classes, whatever it means."""
    right = retry.after_error

    def after_error(operation: Any, error: Any, now: float, *more: Any) -> Any:
        wrong = isinstance(error, errors_) and isinstance(operation, kind)
        return Call(operation.phase, now + 1.0) if wrong else right(operation, error, now, *more)

    return patch.object(lane, "after_error", after_error)


def _resend_unknown() -> Any:
    return _called_again(AppOperation, errors.OutcomeUnknown)


def _one_scan_clears() -> Any:
    return late.judged_wrongly(AppOperation, "cleared", lambda *_: Verdict.RESEND)


def _gate_never_parks() -> Any:
    return patch.object(Gate, "admits", lambda gate, _now: gate.state is not GateState.ENDED)


def _no_probe_delay() -> Any:
    return patch.object(Gate, "admits", lambda gate, _now: not gate.probing and gate.state is not GateState.ENDED)


def _zero_is_waited_for() -> Any:
    return patch.object(QuotaFacts, "never_fits", property(lambda _: False))


def _throttle_is_deaf() -> Any:
    return patch.object(AdaptiveRate, "refused", lambda *_: False)


async def _take_at_once(_pace: Any) -> None:
    return None


def _pace_is_ignored() -> Any:
    return patch.object(ThrottlePace, "take", _take_at_once)


def _anything_is_adopted() -> Any:
    return patch.object(apps, "differing_fields", lambda *_: ())


async def _always(*_: Any, **__: Any) -> bool:
    return True


@contextmanager
def _planned(kind: type[Any], *looks: str) -> Iterator[None]:
    """Find before a delete of `kind` what the plan saw, whatever is there."""

    def blind(right: Callable[..., Any]) -> Callable[..., Any]:
        return lambda operation, seen: None if isinstance(operation, kind) else right(operation, seen)

    with ExitStack() as patched:
        for look in looks:
            patched.enter_context(patch.object(changes, look, blind(getattr(changes, look))))
        yield


def _delete_is_not_read_again() -> Any:
    return _planned(AppOperation, "before_delete", "with_tag")


def _delete_without_intent() -> Any:
    return patch.object(MemoryJournal, "intend_durably", _always)


def _deadline_is_missed() -> Any:
    return patch.object(Control, "may_call", lambda control: control.cause is None)


def _lost_lock_is_not_noticed() -> Any:
    return patch.object(Control, "guard_with", lambda *_: None)


def _goes_on_after_signal() -> Any:
    def may_call(control: Control) -> bool:
        if control.cause is None and control.now() >= control.deadline_at:
            control.stop(Cause.DEADLINE)
        return control.cause is not Cause.DEADLINE

    return patch.object(Control, "may_call", may_call)


@contextmanager
def _hopeless_lane_is_retried() -> Iterator[None]:
    """Both places that know of it have to forget: the lane's switch, and the decision about a call that failed."""
    hopeless = (errors.CredentialsFailed, errors.TlsFailed)
    with (
        patch.object(errors.CredentialsFailed, "ends_lane", new=False),
        patch.object(errors.TlsFailed, "ends_lane", new=False),
        _called_again(Operation, *hopeless),
    ):
        yield


def _half_a_scan_is_used() -> Any:
    async def first_page(self: Any, owner: Any, pages_max: int) -> Any:
        page = await self._page(owner, "")
        return list(page.rows), min(1, pages_max)

    return patch.object(scan.Scanner, "_list", first_page)


def _generation_is_ignored() -> Any:
    return patch.object(course, "is_generation", lambda *_: True)


def _slow_start_is_skipped() -> Any:
    right = Gate.passed

    def passed(gate: Gate, sent_at: float, *, probe: bool) -> bool:
        reopened = right(gate, sent_at, probe=probe)
        gate.window = 1_000
        return reopened

    return patch.object(Gate, "passed", passed)


def _whose_apps_are(told: Callable[[Whose], Whose]) -> Any:
    right = ownership.read_ownership

    async def read_ownership(run: Any, observed: Any, questions: Any) -> dict[AppKey, Whose]:
        return {key: told(whose) for key, whose in (await right(run, observed, questions)).items()}

    return patch.object(answers, "read_ownership", read_ownership)


def _everything_is_ours() -> Any:
    return _whose_apps_are(lambda _: Whose(Ownership.OURS))


def _no_tag_is_ours() -> Any:
    return _whose_apps_are(lambda found: Whose(Ownership.OURS) if found.ownership is Ownership.NOBODY else found)


def _lock_says_always_yes() -> Any:
    return patch.object(FleetLock, "_flock", lambda *_: True)


def _lock_outlives_its_run() -> Any:
    return patch.object(FleetLock, "release", lambda _: None)


def _lock_is_not_waited_for() -> Any:
    right = FleetLock.acquire
    return patch.object(FleetLock, "acquire", lambda lock, holder, _timeout_s, **more: right(lock, holder, 0.0, **more))


def _create_before_delete_settled() -> Any:
    right = LaneRun.act

    def act(at: LaneRun, operation: Any, step: Any, gate: Any = None) -> None:
        replaces = operation.change.action is Action.DELETE_THEN_CREATE
        settled = isinstance(step, Await) and step.phase is Phase.SETTLE_DELETE and replaces
        right(at, operation, Gone() if settled else step, gate)

    return patch.object(LaneRun, "act", act)


def _does_not_await_deleting(where: Any, name: str) -> Any:
    right = getattr(where, name)

    def first_phase(change: Any) -> Phase:
        phase: Phase = right(change)
        return Phase.CREATE if phase is Phase.AWAIT_DELETING else phase

    return patch.object(where, name, first_phase)


def _deleting_is_not_awaited() -> Any:
    return _does_not_await_deleting(begin, "first_phase")


def _space_before_its_profile() -> Any:
    return patch.object(begin.Leaving, "before", lambda *_: ())


def _app_before_its_owner() -> Any:
    return patch.object(AppOperation, "after", property(lambda _: ()))


def _owner_is_not_settled() -> Any:
    def settling(_operation: Any, row: Any, _scan: Any) -> Verdict:
        return Verdict.KEEP if row is None else Verdict.IN_SERVICE

    return late.judged_wrongly(OwnerOperation, "_settling", settling)


def _unknown_owner_is_resent() -> Any:
    return _called_again(OwnerOperation, errors.OutcomeUnknown)


def _one_look_clears_an_owner() -> Any:
    return late.judged_wrongly(OwnerOperation, "cleared", lambda *_: Verdict.RESEND)


def _owner_before_its_delete_settled() -> Any:
    return _does_not_await_deleting(begin, "first_owner_phase")


def _owner_is_not_read_again() -> Any:
    return _planned(OwnerOperation, "before_delete", "with_tag")


def _owner_tag_is_not_read_again() -> Any:
    return _planned(OwnerOperation, "with_tag")


def _tag_of_nobody_will_do() -> Any:
    right = whose
    return patch.object(changes, "whose", lambda value, ours: right(value or ours, ours))


def _switch_is_asked_once() -> Any:
    return patch.object(LaneCalls, "_check", lambda *_: None)


@contextmanager
def _stopped_lane_still_calls() -> Iterator[None]:
    def check(_calls: LaneCalls, may_call: Callable[[], bool]) -> None:
        if not may_call():
            raise StoppedError

    with (
        patch.object(LaneCalls, "_check", check),
        patch.object(LaneRun, "may_call", lambda at: at.control.may_call()),
    ):
        yield


def _every_owner_is_ours() -> Any:
    async def read_owners(_run: Any, owners: Any) -> Any:
        return {folded_owner(row.owner): replace(row, ownership=Ownership.OURS) for row in owners}

    return patch.object(answers, "read_owners", read_owners)


def _owner_with_what_is_in_it() -> Any:
    right = begin.Leaving.before

    def before(leaving: Any, change: Any) -> Any:
        return () if change.action is Action.DELETE else right(leaving, change)

    return patch.object(begin.Leaving, "before", before)


def _everybody_is_assigned() -> AbstractContextManager[Any]:
    """Assign the user of a profile however it ended."""
    real = Assigning.take

    def take(self: Assigning, result: Any) -> None:
        real(self, replace(result, outcome=Outcome.CREATED))

    return patch.object(Assigning, "take", take)


def _the_unassigned_are_forgotten() -> AbstractContextManager[Any]:
    return patch.object(Assigning, "findings", [])


MUTANTS: Final = (
    Mutant("unknown-create-is-resent", "observe first", _resend_unknown),
    Mutant("one-scan-clears-an-unknown", "two scans before a resend", _one_scan_clears),
    Mutant("absent-once-is-gone", "two scans and a question before absence", late.absent_once_is_gone),
    Mutant("absence-is-not-asked-about", "DescribeApp before an absence is believed", late.absence_is_not_asked_about),
    Mutant("half-done-replace-is-forgotten", "a replace is finished", late.half_done_replace_is_forgotten),
    Mutant("calls-in-doubt-are-forgotten", "what is in doubt comes first", late.calls_in_doubt_are_forgotten),
    Mutant("create-before-a-late-delete", "a lost delete is waited for", late.create_comes_before_a_late_delete),
    Mutant("an-old-look-will-do", "a delete rests on a look just before it", late.an_old_look_will_do),
    Mutant("gate-never-parks", "a full quota is parked", _gate_never_parks),
    Mutant("probes-have-no-delay", "later and later", _no_probe_delay),
    Mutant("a-limit-of-zero-is-waited-for", "a hopeless quota ends at once", _zero_is_waited_for),
    Mutant("slow-start-is-skipped", "slow start", _slow_start_is_skipped),
    Mutant("throttle-does-not-listen", "a burst slows the lane", _throttle_is_deaf),
    Mutant("pace-is-ignored", "calls a second", _pace_is_ignored),
    Mutant("anything-is-adopted", "only what is as declared", _anything_is_adopted),
    Mutant("delete-is-not-read-again", "read just before a delete", _delete_is_not_read_again),
    Mutant("delete-without-an-intent", "a durable intent first", _delete_without_intent),
    Mutant("deadline-is-missed", "no call after the deadline", _deadline_is_missed),
    Mutant("a-lost-lock-is-not-noticed", "no call after the lock is lost", _lost_lock_is_not_noticed),
    Mutant("goes-on-after-a-signal", "no new calls after a signal", _goes_on_after_signal),
    Mutant("an-old-row-is-believed", "no row of an earlier generation", late.old_row_in_service_is_believed),
    Mutant("a-hopeless-lane-is-retried", "the lane stops", _hopeless_lane_is_retried),
    Mutant("half-a-scan-is-used", "complete scans alone", _half_a_scan_is_used),
    Mutant("generation-is-ignored", "the generation of the plan", _generation_is_ignored),
    Mutant("everything-is-ours", "nothing foreign is deleted", _everything_is_ours),
    Mutant("no-tag-is-our-tag", "nothing that nobody owns is deleted", _no_tag_is_ours),
    Mutant("lock-says-always-yes", "one run a fleet", _lock_says_always_yes),
    Mutant("lock-outlives-its-run", "a dead run holds nothing", _lock_outlives_its_run),
    Mutant("lock-is-not-waited-for", "--lock-timeout", _lock_is_not_waited_for),
    Mutant("create-before-its-delete-settled", "a replace waits for its delete", _create_before_delete_settled),
    Mutant("deleting-is-not-awaited", "no create of what is Deleting", _deleting_is_not_awaited),
    Mutant("space-before-its-profile", "profile, then space", _space_before_its_profile),
    Mutant("app-before-its-owner", "owner, then app", _app_before_its_owner),
    Mutant("owner-is-not-settled", "InService is seen, not assumed", _owner_is_not_settled),
    Mutant("unknown-owner-is-resent", "observe first, owners too", _unknown_owner_is_resent),
    Mutant("one-look-clears-an-owner", "two looks before a resend", _one_look_clears_an_owner),
    Mutant("owner-before-its-delete-settled", "no create of what is Deleting", _owner_before_its_delete_settled),
    Mutant("owner-delete-is-not-read-again", "read just before a delete", _owner_is_not_read_again),
    Mutant("owner-tag-is-not-read-again", "the tag, just before a delete", _owner_tag_is_not_read_again),
    Mutant("a-tag-of-nobody-will-do", "no tag is not our tag", _tag_of_nobody_will_do),
    Mutant("switch-is-asked-once", "the switch, after each await", _switch_is_asked_once),
    Mutant("stopped-lane-still-calls", "the lane's switch, after each await", _stopped_lane_still_calls),
    Mutant("every-owner-is-ours", "no foreign owner is deleted", _every_owner_is_ours),
    Mutant("everybody-is-assigned", "nobody whose profile was not made", _everybody_is_assigned),
    Mutant("the-unassigned-are-forgotten", "assigned, or named", _the_unassigned_are_forgotten),
    Mutant("update-tag-is-not-read-again", "the tag, just before an update", updates.tag_is_not_read_again),
    Mutant("update-is-not-read-again", "read just before an update", updates.is_not_read_again),
    Mutant("a-lost-update-is-believed", "observe first, updates too", updates.lost_one_is_believed),
    Mutant("an-accepted-update-is-done", "an update is seen, not assumed", updates.accepted_one_is_done),
    Mutant("an-ended-plan-gets-its-apps", "no app for a plan that cannot run it", plans.sent_to_an_ended_plan),
    Mutant("a-training-plan-is-no-bucket", "a full plan parks its apps alone", plans.plan_is_no_bucket),
    *(Mutant(*bug) for bug in guards.BUGS),
    Mutant("open-hours-are-closed", "nothing is stopped inside its hours", hours.open_hours_are_closed),
    Mutant("hours-are-ignored", "nothing is made outside its hours", hours.hours_are_ignored),
    Mutant("keep-until-is-not-read-again", "the tag, just before a stop", hours.tag_is_not_read_again),
    Mutant("hours-stop-what-is-not-ours", "only what is owned is stopped", hours.stops_what_is_not_ours),
    *(Mutant(*bug) for bug in trials.BUGS),
    Mutant("owner-goes-with-what-is-in-it", "apps, then spaces, then profiles", _owner_with_what_is_in_it),
)
