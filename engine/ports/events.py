"""What happened, as typed facts in the past tense. The list is closed: `docs/events.md` names every one.

The executor emits these and nothing else: it never logs and never draws. Sinks (the structured log, the live
view, the counters) are functions that take one event and must not raise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from engine.core.identity import AppKey, Lane


@dataclass(frozen=True, slots=True)
class Event:
    """The base. `name` is what the log calls it, `level` how loud it is (debug, info, warning, error)."""

    name: ClassVar[str] = ""
    level: ClassVar[str] = "info"

    def facts(self) -> dict[str, Any]:
        """Give the fields by name, without those that are None or empty."""
        return {item.name: value for item in fields(self) if (value := getattr(self, item.name)) not in (None, "")}


Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run began; `changes` will be made."""

    name = "run.started"
    fleet: str
    version: str
    changes: int


@dataclass(frozen=True, slots=True)
class RunWaited(Event):
    """The last run of this fleet died; `seconds` passed before anything was listed, so that its last calls show."""

    name = "run.waited"
    seconds: float


@dataclass(frozen=True, slots=True)
class PlanComputed(Event):
    """A plan was made."""

    name = "plan.computed"
    fingerprint: str
    create: int
    delete: int
    delete_then_create: int
    none: int
    unmanaged: int
    denied: int
    complete: bool


@dataclass(frozen=True, slots=True)
class RuleFired(Event):
    """A rule or a guardrail had something to say."""

    name = "rule.fired"
    level = "warning"
    rule: str
    enforcement: str
    key: str
    message: str
    source: str


@dataclass(frozen=True, slots=True)
class DomainListed(Event):
    """A complete scan of a domain, or of some owners in it, ended. `seconds` is how long it took."""

    name = "domain.listed"
    level = "debug"
    domain: str
    apps: int
    pages: int
    seconds: float


@dataclass(frozen=True, slots=True)
class DomainListFailed(Event):
    """A domain could not be listed; its apps will be skipped."""

    name = "domain.list_failed"
    level = "error"
    domain: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class OwnershipUnread(Event):
    """Whose an app is could not be read; it is neither deleted nor replaced."""

    name = "app.ownership_unread"
    level = "warning"
    key: AppKey
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class CallAnswered(Event):
    """A call to the service ended: `answer` is `ok` or the kind of trouble. Feeds the counters."""

    name = "call.answered"
    level = "debug"
    operation: str
    answer: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CallRetried(Event):
    """A read failed in a way that passes; it is asked again in `delay_s` seconds."""

    name = "call.retried"
    level = "warning"
    operation: str
    attempt: int
    delay_s: float
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class AppCreateStarted(Event):
    """CreateApp is being sent for the `attempt`th time."""

    name = "app.create_started"
    level = "debug"
    key: AppKey
    attempt: int
    instance_type: str


@dataclass(frozen=True, slots=True)
class AppCreated(Event):
    """CreateApp was accepted; the app is not in service yet."""

    name = "app.created"
    key: AppKey
    attempt: int
    seconds: float
    instance_type: str


@dataclass(frozen=True, slots=True)
class AppAdopted(Event):
    """The app was there already, as declared."""

    name = "app.adopted"
    key: AppKey


@dataclass(frozen=True, slots=True)
class AppInService(Event):
    """The app is in service, `seconds` after its first call."""

    name = "app.in_service"
    key: AppKey
    seconds: float


@dataclass(frozen=True, slots=True)
class AppDeleteStarted(Event):
    """DeleteApp is being sent."""

    name = "app.delete_started"
    key: AppKey
    attempt: int


@dataclass(frozen=True, slots=True)
class AppDeleted(Event):
    """The app is gone."""

    name = "app.deleted"
    key: AppKey
    seconds: float


@dataclass(frozen=True, slots=True)
class AppRetried(Event):
    """The call failed in a way that passes; it is tried again in `delay_s` seconds."""

    name = "app.retried"
    level = "warning"
    key: AppKey
    attempt: int
    delay_s: float
    code: str
    message: str
    request_id: str


@dataclass(frozen=True, slots=True)
class AppOutcomeUnknown(Event):
    """A create or delete may have been carried out; the key is observed before anything else is sent."""

    name = "app.outcome_unknown"
    level = "warning"
    key: AppKey
    attempt: int
    code: str
    message: str
    request_id: str


@dataclass(frozen=True, slots=True)
class AppFellBack(Event):
    """The next instance type of the app's `fallback` list is tried."""

    name = "app.fell_back"
    level = "warning"
    key: AppKey
    from_type: str
    to_type: str
    code: str


@dataclass(frozen=True, slots=True)
class AppFailed(Event):
    """The app ended without being in service."""

    name = "app.failed"
    level = "error"
    key: AppKey
    code: str
    message: str
    hint: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class AppParked(Event):
    """The app ended the run waiting for its quota."""

    name = "app.parked"
    level = "warning"
    key: AppKey
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class AppStillPending(Event):
    """The app was accepted and had not settled when its time was up."""

    name = "app.still_pending"
    level = "warning"
    key: AppKey
    seconds: float


@dataclass(frozen=True, slots=True)
class AppSkipped(Event):
    """Nothing was done for the app, or nothing more."""

    name = "app.skipped"
    level = "warning"
    key: AppKey
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LaneThrottled(Event):
    """The service said ThrottlingException; the lane's create or read rate is now `rate` calls a second."""

    name = "lane.throttled"
    level = "warning"
    lane: Lane
    operation: str
    rate: float


@dataclass(frozen=True, slots=True)
class LaneRateChanged(Event):
    """The adaptive throttle moved, in calls a second."""

    name = "lane.rate_changed"
    level = "debug"
    lane: Lane
    rate: float


@dataclass(frozen=True, slots=True)
class LaneStopped(Event):
    """No call can succeed in this lane any more; what is left of it is skipped."""

    name = "lane.stopped"
    level = "error"
    lane: Lane
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class BucketParked(Event):
    """A quota is full. `bucket` names the gate; the next probe comes in `delay_s` seconds."""

    name = "bucket.parked"
    level = "warning"
    bucket: str
    delay_s: float
    waiting: int
    message: str
    value: int | None = None
    used: int | None = None


@dataclass(frozen=True, slots=True)
class BucketProbed(Event):
    """One call was sent to see whether a parked bucket has room; `ok` says whether it had."""

    name = "bucket.probed"
    bucket: str
    ok: bool


@dataclass(frozen=True, slots=True)
class BucketReopened(Event):
    """A parked bucket takes calls again, after `seconds`."""

    name = "bucket.reopened"
    bucket: str
    seconds: float


@dataclass(frozen=True, slots=True)
class BucketEnded(Event):
    """Waiting for the bucket is over: its limit is too small, or its time is up."""

    name = "bucket.ended"
    level = "error"
    bucket: str
    waiting: int
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class JournalFailed(Event):
    """The journal could not be written. Said once a run; creates go on."""

    name = "journal.failed"
    level = "error"
    message: str


@dataclass(frozen=True, slots=True)
class LibraryWarned(Event):
    """A library that we use logged a warning or worse."""

    name = "library.warned"
    level = "warning"
    logger: str
    message: str


@dataclass(frozen=True, slots=True)
class RunInterrupted(Event):
    """The run was asked to stop, or its deadline came: no new calls."""

    name = "run.interrupted"
    level = "warning"
    cause: str


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """The run ended; `result` is its one word, the counts are its outcomes."""

    name = "run.finished"
    result: str
    seconds: float
    summary: dict[str, int]
    exit_code: int
