"""Events of what many apps share: calls, domains, lanes and quota buckets."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.identity import Lane
from engine.ports.events.base import Event


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
class EndpointNotAws(Event):
    """Calls of a lane go to an endpoint that is not AWS's own."""

    name = "lane.endpoint_noticed"
    level = "warning"
    lane: Lane
    endpoint: str


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
class LaneThrottled(Event):
    """The service said ThrottlingException; the lane's create or read rate is now `rate` calls a second."""

    name = "lane.throttled"
    level = "warning"
    lane: Lane
    operation: str
    rate: float


@dataclass(frozen=True, slots=True)
class LaneRateChanged(Event):
    """The adaptive throttle of `operation` moved, in calls a second."""

    name = "lane.rate_changed"
    level = "debug"
    lane: Lane
    rate: float
    operation: str = ""


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
class TagIndexUnread(Event):
    """The account's index of tags could not be read; apps are asked one by one where it decides something."""

    name = "lane.tag_index_unread"
    lane: Lane
    code: str
    message: str


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
