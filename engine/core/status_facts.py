"""What a status rests on besides the plan and the listing, and what it says of hours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from engine.core.change import Change, Reason
from engine.core.finding import Finding
from engine.core.hours import HoursAt, why_kept
from engine.core.identity import AppKey
from engine.core.maintenance import Maintenance


@dataclass(frozen=True, slots=True)
class LastSeen:
    """What the last run that had to do with an app made of it: the outcome, and what was said.

    `started` is when that run began, in epoch seconds, where it is to be shown. `hint` is what the run advised.
    """

    run_id: str
    outcome: str
    message: str
    started: float | None = None
    hint: str = ""

    @property
    def text(self) -> str:
        """Say it in one sentence."""
        when = "" if self.started is None else f" of {datetime.fromtimestamp(self.started, UTC):%Y-%m-%d %H:%M} UTC"
        return f"{self.outcome} in run {self.run_id}{when}" + (f": {self.message}" if self.message else "")


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """What is known besides the plan and the listing.

    `now` is epoch seconds. `reasons` says why Failed apps failed, where the service was asked; `failed_runs` counts the
    runs in a row in which an app failed; `last` is the journal's. `is_new` says that there is no journal, so nothing
    can be known of quarantine. `maintenance` tells which Pending apps are not new.
    """

    today: date
    now: float
    expiring_within_days: int
    slow_after_s: float
    reasons: Mapping[AppKey, str] = field(default_factory=dict)
    failed_runs: Mapping[AppKey, int] = field(default_factory=dict)
    last: Mapping[AppKey, LastSeen] = field(default_factory=dict)
    is_new: bool = False
    findings: tuple[Finding, ...] = ()
    maintenance: Maintenance = field(default_factory=Maintenance)
    hours: HoursAt = field(default_factory=HoursAt)


def words_of_hours(change: Change, at: HoursAt) -> str:
    """Return what is said of an app outside its hours: when it is back, and why it runs; empty for any other."""
    hours = None if change.after is None else change.after.hours
    if hours is None or change.reason not in (Reason.OUTSIDE_HOURS, Reason.KEPT):
        return ""
    kept = "" if change.before is None else why_kept(change.before.keep_until, at.instant)
    parts = ("outside its hours", at.back(hours), kept if change.reason is Reason.KEPT else "")
    return ", ".join(part for part in parts if part)
