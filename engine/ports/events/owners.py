"""What happened to user profiles and spaces: made, waited for, deleted, or not to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.identity import Owner
from engine.ports.events.base import Event


@dataclass(frozen=True, slots=True)
class OwnerCallStarted(Event):
    """A call that makes or deletes a user profile or space is being sent for the `attempt`th time."""

    name = "owner.call_started"
    key: Owner
    operation: str
    attempt: int


@dataclass(frozen=True, slots=True)
class OwnerAccepted(Event):
    """The service took the call; the profile or space is Pending or Deleting now."""

    name = "owner.accepted"
    key: Owner
    operation: str
    attempt: int


@dataclass(frozen=True, slots=True)
class OwnerRetried(Event):
    """A call about a profile or space failed in a way that passes; it is made again in `delay_s` seconds."""

    name = "owner.retried"
    level = "warning"
    key: Owner
    attempt: int
    delay_s: float
    code: str
    message: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class OwnerOutcomeUnknown(Event):
    """A call about a profile or space may have been carried out; it is looked for before anything is sent again."""

    name = "owner.outcome_unknown"
    level = "warning"
    key: Owner
    attempt: int
    code: str
    message: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class OwnerSettled(Event):
    """A profile or space is as it should be: in service, or gone. `seconds` runs from its first call."""

    name = "owner.settled"
    key: Owner
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class OwnerFailed(Event):
    """A profile or space did not end well; what needs it is skipped."""

    name = "owner.failed"
    level = "error"
    key: Owner
    outcome: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class OwnersUnread(Event):
    """Profiles or spaces of a domain could not be looked at; their apps are left to the service's own answer."""

    name = "owner.unread"
    level = "warning"
    domain: str
    code: str
    message: str
