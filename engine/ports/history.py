"""What past runs left, as it is read back: runs, their apps, and how one run went from second to second.

The journal's reader makes these, reports and forecasts read them. Nothing here is the truth about the cloud.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from engine.core.finding import Finding
from engine.core.foreseen import Foreseen
from engine.core.hours_of_run import RunHours
from engine.core.identity import AppKey, Owner
from engine.core.outcome import GOOD_OUTCOMES, Outcome
from engine.core.trouble import Trouble
from engine.core.undoing import Updated

_MADE: Final = (Outcome.CREATED.value, Outcome.REPLACED.value)
_SECONDS_A_MINUTE: Final = 60.0
NO_END: Final = "no end"  # shown in the place of a result that a run never wrote


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A past run. Times are epoch seconds; `ended` and `exit_code` are None where it never wrote its end.

    `summary` counts its apps by outcome, `owners` its user profiles and spaces; an outcome of another version is kept
    as its text. `error` says why it did not end well; `began` is False for one that ended before it held the lock.
    """

    run_id: str
    fleet: str
    version: str
    started: float
    alive_at: float
    ended: float | None
    result: str
    exit_code: int | None
    summary: Mapping[str, int]
    owners: Mapping[str, int] = field(default_factory=dict)
    error: Trouble | None = None
    began: bool = True


@dataclass(frozen=True, slots=True)
class AppRecord:
    """What became of one app in a past run. `at` is epoch seconds, `seconds` from its first call to its end."""

    key: AppKey
    action: str
    outcome: str
    attempts: int
    seconds: float
    instance_type: str
    arn: str
    error_code: str
    error_message: str
    error_hint: str
    at: float


@dataclass(frozen=True, slots=True)
class OwnerRecord:
    """What became of one user profile or space in a past run; times as of an app."""

    owner: Owner
    action: str
    outcome: str
    attempts: int
    seconds: float
    arn: str
    error_code: str
    error_message: str
    error_hint: str
    at: float


@dataclass(frozen=True, slots=True)
class IntentRecord:
    """A call that a run meant to make; its outcome is not known where the run never wrote its end."""

    key: AppKey
    operation: str
    spec_hash: str
    at: float


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A past run with its apps, sorted by key, the calls whose apps have no outcome, and its owners, sorted.

    `unknown_owners` are those that were to be made or deleted and have no outcome. `apps_left_out` counts what is not
    in `apps`, where the reader asked for a bounded number of them.
    """

    run: RunRecord
    apps: tuple[AppRecord, ...]
    open_intents: tuple[IntentRecord, ...]
    owners: tuple[OwnerRecord, ...] = ()
    unknown_owners: tuple[Owner, ...] = ()
    apps_left_out: int = 0


@dataclass(frozen=True, slots=True)
class RunTrail:
    """What an undo must know of a run besides what became of its apps, profiles and spaces.

    `updated` are the fields that its updates changed. `in_doubt` are those that it meant to make and of which it wrote
    no outcome. `again` and `apps_again` are those that a later run of its fleet made or deleted.
    """

    updated: Mapping[Owner, Updated] = field(default_factory=dict)
    in_doubt: tuple[Owner, ...] = ()
    again: tuple[Owner, ...] = ()
    apps_again: frozenset[AppKey] = frozenset()


@dataclass(frozen=True, slots=True)
class LastFailure:
    """The run that last counted against an app that failed in a row: `started` is epoch seconds."""

    run_id: str
    started: float
    outcome: str
    message: str


class Mark(StrEnum):
    """What happened to an app at one moment, in one letter: that is how the journal keeps it."""

    CALLED = "c"
    ACCEPTED = "a"
    RETRIED = "r"
    UNKNOWN = "u"
    FELL_BACK = "b"
    DELETING = "d"
    ENDED = "e"


class BucketState(StrEnum):
    """What a quota bucket became, in one letter."""

    PARKED = "p"
    REOPENED = "o"
    ENDED = "x"


@dataclass(frozen=True, slots=True)
class BucketMark:
    """A quota bucket changed, `at_s` seconds after the run began, with `waiting` apps behind it.

    `value` and `used` are what the service said of the quota, or None.
    """

    at_s: float
    bucket: str
    state: BucketState
    waiting: int = 0
    value: int | None = None
    used: int | None = None


@dataclass(frozen=True, slots=True)
class CallSlots:
    """Answers counted in slots of `width_s` seconds: operation -> kind of answer -> a count for each slot.

    `rates` holds the allowed calls a second by what is paced ("writes", "reads"), summed over the lanes, for each slot.
    Slots beyond the end of a list are empty, and a rate goes on as it was.
    """

    width_s: float = 1.0
    answers: Mapping[str, Mapping[str, tuple[int, ...]]] = field(default_factory=dict)
    rates: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptApps:
    """Apps of a run that nothing was called for although they are not as declared, with the one reason they share."""

    outcome: str
    error: Trouble
    keys: tuple[AppKey, ...]


@dataclass(frozen=True, slots=True)
class RunWords:
    """What the result of a run said beside its apps.

    `summary` counts all declared apps by outcome, also those that nothing was called for. `calls` counts answers by
    operation and kind, `prices` are USD per hour by domain, app type
    and instance type, written with slashes. `asked` are the options that decide what the run was about.
    `reserved` names the bucket of each app that was worked on and is on a training plan. `forecast` is None where
    there was none, or nothing to compare it with. `hours` is what was done because of hours.
    """

    seconds: float = 0.0
    summary: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    errors: tuple[Trouble, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    kept: tuple[KeptApps, ...] = ()
    prices: Mapping[str, float] = field(default_factory=dict)
    asked: tuple[tuple[str, str], ...] = ()
    reserved: Mapping[AppKey, str] = field(default_factory=dict)
    forecast: Foreseen | None = None
    hours: tuple[RunHours, ...] = ()


@dataclass(frozen=True, slots=True)
class RunTimeline:
    """How one run went. Everything is empty where the run left none, as runs of earlier versions did.

    `marks` are (seconds after the run began, what happened) by app; `queued_s` is when its calls could begin. `words`
    is None when the run never wrote its end. `lost` counts what was left out for being too much.
    """

    queued_s: float = 0.0
    marks: Mapping[AppKey, tuple[tuple[float, Mark], ...]] = field(default_factory=dict)
    calls: CallSlots = field(default_factory=CallSlots)
    buckets: tuple[BucketMark, ...] = ()
    words: RunWords | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class PastRun:
    """A past run in numbers, for a line of the history.

    `seconds` is how long it took, to its last sign of life where it never wrote its end. `settle_median_s` is the
    median of what its created apps took. `throttled` counts throttled calls, None where the run left no counts.
    `is_running`: it wrote no end, and still holds its lock.
    """

    run: RunRecord
    seconds: float
    settle_median_s: float | None
    throttled: int | None
    wanted: int | None
    forecast: Foreseen | None = None
    is_running: bool = False

    @property
    def result(self) -> str:
        """The result in a word, also of a run that has none."""
        return self.run.result or ("running" if self.is_running else NO_END)

    @property
    def created(self) -> int:
        """How many apps it created or replaced."""
        return sum(self.run.summary.get(outcome, 0) for outcome in _MADE)

    @property
    def not_well(self) -> int:
        """How many apps did not end well."""
        return sum(count for outcome, count in self.run.summary.items() if outcome not in GOOD_OUTCOMES)

    @property
    def creates_per_minute(self) -> float:
        """How many apps it created or replaced per minute."""
        return self.created / self.seconds * _SECONDS_A_MINUTE if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class RunStory:
    """All that is kept of one run, and the run of the same fleet before it, for the differences."""

    detail: RunDetail
    timeline: RunTimeline
    before: RunDetail | None
    before_timeline: RunTimeline | None = None
