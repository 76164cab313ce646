"""What happened to user profiles and spaces: made, updated, waited for, deleted, or not to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.identity import Owner
from engine.ports.events.base import Event


@dataclass(frozen=True, slots=True)
class OwnerCallStarted(Event, name="owner.call_started"):
    """A call that creates or deletes a user profile or space is being sent for the `attempt`th time."""

    key: Owner
    operation: str
    attempt: int


@dataclass(frozen=True, slots=True)
class OwnerAccepted(Event, name="owner.accepted"):
    """The service accepted the call; the profile or space is Pending or Deleting now."""

    key: Owner
    operation: str
    attempt: int


@dataclass(frozen=True, slots=True)
class OwnerRetried(Event, name="owner.retried", level="warning"):
    """A call about a profile or space failed temporarily; appfleet tries again in `delay_s` seconds."""

    key: Owner
    attempt: int
    delay_s: float
    code: str
    message: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class OwnerOutcomeUnknown(Event, name="owner.outcome_unknown", level="warning"):
    """A call about a profile or space may have been carried out; appfleet looks for it before it sends more."""

    key: Owner
    attempt: int
    code: str
    message: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class OwnerSettled(Event, name="owner.settled"):
    """A profile or space is as declared: in service, or deleted. `seconds` runs from its first call."""

    key: Owner
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class OwnerFailed(Event, name="owner.failed", level="error"):
    """A profile or space did not end well; the apps that need it are skipped."""

    key: Owner
    outcome: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class OwnerNotUpdated(Event, name="owner.not_updated", level="warning"):
    """A profile or space could not be updated yet, or only in part; a later run updates it, and its apps go ahead."""

    key: Owner
    outcome: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class UserAssigned(Event, name="owner.user_assigned"):
    """The user of a new profile is assigned to the application of its domain in IAM Identity Center."""

    key: Owner
    user: str
    application: str


@dataclass(frozen=True, slots=True)
class UserUnassigned(Event, name="owner.user_unassigned", level="warning"):
    """The user of a new profile could not be assigned; a finding of the run has a command that does it."""

    key: Owner
    user: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class OwnersUnread(Event, name="owner.unread", level="warning"):
    """Profiles or spaces of a domain could not be read; the service's own answer decides about their apps."""

    domain: str
    code: str
    message: str
