"""Events of one app, or of the profile or space that it needs."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.identity import AppKey, Lane
from engine.ports.events.base import Event


@dataclass(frozen=True, slots=True)
class OwnershipUnread(Event, name="app.ownership_unread", level="warning"):
    """The owner of an app could not be read; appfleet neither deletes nor replaces it."""

    key: AppKey
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class AppCreateStarted(Event, name="app.create_started", level="debug"):
    """CreateApp is being sent for the `attempt`th time."""

    key: AppKey
    attempt: int
    instance_type: str


@dataclass(frozen=True, slots=True)
class AppCreated(Event, name="app.created"):
    """CreateApp was accepted; the app is not in service yet."""

    key: AppKey
    attempt: int
    seconds: float
    instance_type: str


@dataclass(frozen=True, slots=True)
class AppAdopted(Event, name="app.adopted"):
    """The app existed already, as declared, or has this fleet's tag now."""

    key: AppKey


@dataclass(frozen=True, slots=True)
class AppAdoptStarted(Event, name="app.adopt_started", level="debug"):
    """AddTags is being sent, so that the app belongs to this fleet."""

    key: AppKey
    attempt: int


@dataclass(frozen=True, slots=True)
class AppInService(Event, name="app.in_service"):
    """The app is in service, `seconds` after its first call."""

    key: AppKey
    seconds: float


@dataclass(frozen=True, slots=True)
class AppDeleteStarted(Event, name="app.delete_started"):
    """DeleteApp is being sent."""

    key: AppKey
    attempt: int


@dataclass(frozen=True, slots=True)
class AppDeleted(Event, name="app.deleted"):
    """The app is deleted."""

    key: AppKey
    seconds: float


@dataclass(frozen=True, slots=True)
class AppRetried(Event, name="app.retried", level="warning"):
    """The call failed temporarily; appfleet tries again in `delay_s` seconds."""

    key: AppKey
    attempt: int
    delay_s: float
    code: str
    message: str
    request_id: str


@dataclass(frozen=True, slots=True)
class AppOutcomeUnknown(Event, name="app.outcome_unknown", level="warning"):
    """A create or delete may have been carried out; the key is observed before anything else is sent."""

    key: AppKey
    attempt: int
    code: str
    message: str
    request_id: str


@dataclass(frozen=True, slots=True)
class AppFellBack(Event, name="app.fell_back", level="warning"):
    """appfleet tries the next instance type of the app's `fallback` list."""

    key: AppKey
    from_type: str
    to_type: str
    code: str


@dataclass(frozen=True, slots=True)
class AppFailed(Event, name="app.failed", level="error"):
    """The app ended without being in service."""

    key: AppKey
    code: str
    message: str
    hint: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class AppParked(Event, name="app.parked", level="warning"):
    """The app ended the run waiting for its quota."""

    key: AppKey
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class AppStillPending(Event, name="app.still_pending", level="warning"):
    """The app was accepted and had not settled when its time was up, or when the run ended."""

    key: AppKey
    seconds: float
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class AppSkipped(Event, name="app.skipped", level="warning"):
    """appfleet did nothing for the app, or nothing more. `action` is none if the plan left it alone.

    Of an app in quarantine, `runs` counts the runs in a row in which it failed, and `last_run` is the last of them.
    """

    key: AppKey
    code: str
    message: str
    hint: str
    action: str = ""
    runs: int | None = None
    last_run: str = ""


@dataclass(frozen=True, slots=True)
class CanaryAwaited(Event, name="canary.awaited"):
    """No app of a shape is known to run here: `key` goes first, and `waiting` others wait until it is in service."""

    key: AppKey
    shape: str
    waiting: int


@dataclass(frozen=True, slots=True)
class CanaryPassed(Event, name="canary.passed"):
    """The first app of a shape is in service, so the `waiting` others are created."""

    key: AppKey
    shape: str
    waiting: int


@dataclass(frozen=True, slots=True)
class CreatesTripped(Event, name="creates.tripped", level="error"):
    """Apps of a kind or shape failed, or too many of the run: no more are created, and `skipped` of them end so.

    Calls that are under way are finished. `lane` is missing where it is all apps of the run.
    """

    lane: Lane | None
    shape: str
    skipped: int
    code: str
    message: str
    hint: str
