"""Deliberate bugs: each is a small patch of a production class, and the simulation has to find every one.

They prove that the checkers bite. A patch holds for the length of a block, so nothing on disk changes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from unittest.mock import patch

from engine.adapters.lock import FleetLock
from engine.adapters.throttle import ThrottlePace
from engine.core import errors
from engine.core.errors import QuotaFacts
from engine.core.observed import Ownership
from engine.executor import judge, lane, ownership, retry, scan, settlement
from engine.executor.control import Cause, Control
from engine.executor.gate import Gate, GateState
from engine.executor.lane import LaneRunner
from engine.executor.retry import Again
from engine.executor.throttle import AdaptiveRate
from tests.simulation.memory_journal import MemoryJournal
from tests.simulation.night import play

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


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


def _decide_again(kind: type[Exception]) -> Any:
    right = retry.decide

    def decide(operation: Any, error: Any, *more: Any) -> Any:
        return Again(1.0) if isinstance(error, kind) else right(operation, error, *more)

    return patch.object(settlement, "decide", decide)


def _resend_unknown() -> Any:
    return _decide_again(errors.OutcomeUnknown)


def _one_scan_clears() -> Any:
    return patch.object(judge, "cleared", lambda *_: judge.Verdict.RESEND)


def _absent_once_is_gone() -> Any:
    return patch.object(judge, "missed_twice", lambda *_: True)


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
    return patch.object(judge, "differing_fields", lambda *_: ())


async def _always(*_: Any) -> bool:
    return True


def _delete_is_not_read_again() -> Any:
    return patch.object(LaneRunner, "_still_as_planned", _always)


def _delete_without_intent() -> Any:
    return patch.object(MemoryJournal, "intend_durably", _always)


def _deadline_is_missed() -> Any:
    return patch.object(Control, "may_call", lambda control: control.cause is None)


def _goes_on_after_signal() -> Any:
    def may_call(control: Control) -> bool:
        if control.cause is None and control.now() >= control.deadline_at:
            control.stop(Cause.DEADLINE)
        return control.cause is not Cause.DEADLINE

    return patch.object(Control, "may_call", may_call)


def _old_row_is_believed() -> Any:
    return patch.object(judge, "STALE_ROW_MAX_SECONDS", -1.0)


def _credentials_are_retried() -> Any:
    return _decide_again(errors.CredentialsFailed)


def _half_a_scan_is_used() -> Any:
    async def first_page(self: Any, owner: Any, pages_max: int) -> Any:
        page = await self._page(owner, "")
        return list(page.rows), min(1, pages_max)

    return patch.object(scan.Scanner, "_list", first_page)


def _generation_is_ignored() -> Any:
    return patch.object(lane, "is_generation", lambda *_: True)


def _slow_start_is_skipped() -> Any:
    right = Gate.passed

    def passed(gate: Gate, *, probe: bool) -> bool:
        reopened = right(gate, probe=probe)
        gate.window = 1_000
        return reopened

    return patch.object(Gate, "passed", passed)


def _everything_is_ours() -> Any:
    return patch.object(ownership, "owned_by", lambda row, *_: replace(row, ownership=Ownership.OURS))


def _no_tag_is_ours() -> Any:
    right = ownership.owned_by

    def owned_by(row: Any, fleet: str | None, ours: str) -> Any:
        return right(row, fleet or ours, ours)

    return patch.object(ownership, "owned_by", owned_by)


def _lock_says_always_yes() -> Any:
    return patch.object(FleetLock, "_flock", lambda *_: True)


def _lock_outlives_its_run() -> Any:
    return patch.object(FleetLock, "release", lambda _: None)


def _lock_is_not_waited_for() -> Any:
    right = FleetLock.acquire
    return patch.object(FleetLock, "acquire", lambda lock, holder, _timeout_s, **more: right(lock, holder, 0.0, **more))


MUTANTS: Final = (
    Mutant("unknown-create-is-resent", "observe first", _resend_unknown),
    Mutant("one-scan-clears-an-unknown", "two scans before a resend", _one_scan_clears),
    Mutant("absent-once-is-gone", "two scans before absence", _absent_once_is_gone),
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
    Mutant("goes-on-after-a-signal", "no new calls after a signal", _goes_on_after_signal),
    Mutant("an-old-row-is-believed", "a listing may lag", _old_row_is_believed),
    Mutant("expired-credentials-are-retried", "the lane stops", _credentials_are_retried),
    Mutant("half-a-scan-is-used", "complete scans alone", _half_a_scan_is_used),
    Mutant("generation-is-ignored", "the generation of the plan", _generation_is_ignored),
    Mutant("everything-is-ours", "nothing foreign is deleted", _everything_is_ours),
    Mutant("no-tag-is-our-tag", "nothing that nobody owns is deleted", _no_tag_is_ours),
    Mutant("lock-says-always-yes", "one run a fleet", _lock_says_always_yes),
    Mutant("lock-outlives-its-run", "a dead run holds nothing", _lock_outlives_its_run),
    Mutant("lock-is-not-waited-for", "--lock-timeout", _lock_is_not_waited_for),
)
