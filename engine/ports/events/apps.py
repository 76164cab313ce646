"""Events of one app, or of the profile or space that it needs."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.identity import AppKey
from engine.ports.events.base import Event


@dataclass(frozen=True, slots=True)
class OwnershipUnread(Event):
    """Whose an app is could not be read; it is neither deleted nor replaced."""

    name = "app.ownership_unread"
    level = "warning"
    key: AppKey
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
    """The app was there already, as declared, or has this fleet's tag now."""

    name = "app.adopted"
    key: AppKey


@dataclass(frozen=True, slots=True)
class AppAdoptStarted(Event):
    """AddTags is being sent, so that the app belongs to this fleet."""

    name = "app.adopt_started"
    level = "debug"
    key: AppKey
    attempt: int


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
    """The app was accepted and had not settled when its time was up, or when the run ended before."""

    name = "app.still_pending"
    level = "warning"
    key: AppKey
    seconds: float
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class AppSkipped(Event):
    """Nothing was done for the app, or nothing more. `action` is none where the plan left it alone.

    Of an app in quarantine, `runs` counts the runs in a row in which it failed, and `last_run` is the last of them.
    """

    name = "app.skipped"
    level = "warning"
    key: AppKey
    code: str
    message: str
    hint: str
    action: str = ""
    runs: int | None = None
    last_run: str = ""
