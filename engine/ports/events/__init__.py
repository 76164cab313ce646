"""What happened, as typed facts in the past tense. The list is closed: `docs/events.md` names every one.

The executor emits these and nothing else: it never logs and never draws. Sinks (the structured log, the live
view, the counters) are functions that take one event and must not raise.
"""

from engine.ports.events.apps import (
    AppAdopted,
    AppAdoptStarted,
    AppCreated,
    AppCreateStarted,
    AppDeleted,
    AppDeleteStarted,
    AppFailed,
    AppFellBack,
    AppInService,
    AppOutcomeUnknown,
    AppParked,
    AppRetried,
    AppSkipped,
    AppStillPending,
    CanaryAwaited,
    CanaryPassed,
    CreatesTripped,
    OwnershipUnread,
)
from engine.ports.events.base import Emit, Event
from engine.ports.events.lanes import (
    BucketEnded,
    BucketParked,
    BucketProbed,
    BucketReopened,
    CallAnswered,
    CallRetried,
    DomainListed,
    DomainListFailed,
    EndpointNotAws,
    EndpointUnreachable,
    LaneAwaited,
    LaneRateChanged,
    LaneStopped,
    LaneThrottled,
    TagIndexUnread,
)
from engine.ports.events.owners import (
    OwnerAccepted,
    OwnerCallStarted,
    OwnerFailed,
    OwnerNotUpdated,
    OwnerOutcomeUnknown,
    OwnerRetried,
    OwnerSettled,
    OwnersUnread,
    UserAssigned,
    UserUnassigned,
)
from engine.ports.events.runs import (
    JournalFailed,
    LibraryWarned,
    LoopWasLate,
    NotifyFailed,
    NotifySent,
    PlanComputed,
    ProblemFound,
    ReportFailed,
    ReportKept,
    RuleFired,
    RunFinished,
    RunInterrupted,
    RunStarted,
    RunWaited,
    TelemetryFailed,
    TelemetrySent,
)
from engine.ports.events.shards import (
    ShardFinished,
    ShardProgressed,
    ShardStarted,
    WorkerLost,
    WorkersStarted,
)

__all__ = [
    "AppAdoptStarted", "AppAdopted", "AppCreateStarted", "AppCreated", "AppDeleteStarted", "AppDeleted", "AppFailed",
    "AppFellBack", "AppInService", "AppOutcomeUnknown", "AppParked", "AppRetried", "AppSkipped", "AppStillPending",
    "BucketEnded", "BucketParked", "BucketProbed", "BucketReopened", "CallAnswered", "CallRetried", "CanaryAwaited",
    "CanaryPassed", "CreatesTripped", "DomainListFailed", "DomainListed", "Emit", "EndpointNotAws",
    "EndpointUnreachable", "Event", "JournalFailed", "LaneAwaited", "LaneRateChanged", "LaneStopped", "LaneThrottled",
    "LibraryWarned", "LoopWasLate", "NotifyFailed", "NotifySent", "OwnerAccepted", "OwnerCallStarted", "OwnerFailed",
    "OwnerNotUpdated", "OwnerOutcomeUnknown", "OwnerRetried", "OwnerSettled", "OwnersUnread", "OwnershipUnread",
    "PlanComputed", "ProblemFound", "ReportFailed", "ReportKept", "RuleFired", "RunFinished", "RunInterrupted",
    "RunStarted", "RunWaited", "ShardFinished", "ShardProgressed", "ShardStarted", "TagIndexUnread", "TelemetryFailed",
    "TelemetrySent", "UserAssigned", "UserUnassigned", "WorkerLost", "WorkersStarted",
]  # fmt: skip
