"""Events of what many apps share: calls, domains, lanes and quota buckets."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.identity import Lane
from engine.ports.events.base import Event


@dataclass(frozen=True, slots=True)
class DomainListed(Event, name="domain.listed", level="debug"):
    """A complete scan of a domain, or of some owners in it, ended. `seconds` is how long it took."""

    domain: str
    apps: int
    pages: int
    seconds: float


@dataclass(frozen=True, slots=True)
class DomainListFailed(Event, name="domain.list_failed", level="error"):
    """A domain could not be listed; its apps will be skipped."""

    domain: str
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class EndpointNotAws(Event, name="lane.endpoint_noticed", level="warning"):
    """Calls of a lane go to an endpoint that is not AWS's own."""

    lane: Lane
    endpoint: str


@dataclass(frozen=True, slots=True)
class EndpointUnreachable(Event, name="lane.endpoint_unreachable", level="warning"):
    """No connection to an endpoint; appfleet tries again. `domains` are the first of the `count` that need it."""

    message: str
    domains: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class CallAnswered(Event, name="call.answered", level="debug"):
    """A call to the service ended: `answer` is `ok` or the kind of trouble. Feeds the counters."""

    operation: str
    answer: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CallRetried(Event, name="call.retried", level="warning"):
    """A read failed temporarily; appfleet asks again in `delay_s` seconds."""

    operation: str
    attempt: int
    delay_s: float
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LaneThrottled(Event, name="lane.throttled", level="warning"):
    """The service said ThrottlingException; the lane's create or read rate is now `rate` calls per second."""

    lane: Lane
    operation: str
    rate: float


@dataclass(frozen=True, slots=True)
class LaneRateChanged(Event, name="lane.rate_changed", level="debug"):
    """The adaptive throttle of `operation` moved, in calls per second."""

    lane: Lane
    rate: float
    operation: str = ""


@dataclass(frozen=True, slots=True)
class LaneAwaited(Event, name="lane.awaited"):
    """Another run holds the lane, or died in it. `seconds` is the longest wait if that run stays silent."""

    lane: Lane
    holder: str
    seconds: float


@dataclass(frozen=True, slots=True)
class LaneStopped(Event, name="lane.stopped", level="error"):
    """No call can succeed in this lane any more; the rest of its apps is skipped."""

    lane: Lane
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class BucketParked(Event, name="bucket.parked", level="warning"):
    """A quota is full. `bucket` names the gate; the next probe comes in `delay_s` seconds."""

    bucket: str
    delay_s: float
    waiting: int
    message: str
    value: int | None = None
    used: int | None = None


@dataclass(frozen=True, slots=True)
class TagIndexUnread(Event, name="lane.tag_index_unread"):
    """The account's index of tags could not be read; appfleet asks about apps one by one where it matters."""

    lane: Lane
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class BucketProbed(Event, name="bucket.probed"):
    """One call was sent to see whether a parked bucket has room; `ok` shows whether it had."""

    bucket: str
    ok: bool


@dataclass(frozen=True, slots=True)
class BucketReopened(Event, name="bucket.reopened"):
    """A parked bucket accepts calls again, after `seconds`."""

    bucket: str
    seconds: float


@dataclass(frozen=True, slots=True)
class BucketEnded(Event, name="bucket.ended", level="error"):
    """Waiting for the bucket is over: its limit is too small, or its time is up."""

    bucket: str
    waiting: int
    message: str
    hint: str
