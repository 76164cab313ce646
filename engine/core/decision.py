"""One app: what to do about it, and why. The whole table of planning, as functions of one row.

Not here: which row belongs to which declared app, and what a plan says about it in words (`planner`).

Ownership is passed beside the row, so that the question "would knowing the owner change what is done?" is asked of
these very functions (`ownership_matters`) and cannot drift apart from them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from engine.core.change import Action, Reason
from engine.core.desired import DesiredApp, Mode
from engine.core.drift import differing_fields
from engine.core.hours import why_kept
from engine.core.limits import CLOCK_SKEW_MAX_SECONDS
from engine.core.observed import AppStatus, ObservedApp, Ownership
from engine.core.plan_options import PlanOptions


class Guard(StrEnum):
    """What can keep a delete, a replace or an adoption that was asked for out of the plan."""

    OWNERSHIP = "ownership"
    ADOPTION = "adopt"
    QUOTA = "quota"
    CONVERGENCE = "convergence"


class Decision(NamedTuple):
    """What is done and why. `refused_by` is set where more was asked for."""

    action: Action
    reason: Reason
    refused_by: Guard | None = None


_ABSENT: Final = Decision(Action.CREATE, Reason.ABSENT)
_BY_STATUS: Final = {
    AppStatus.DELETED: _ABSENT,
    AppStatus.FAILED: Decision(Action.CREATE, Reason.FAILED),
    AppStatus.DELETING: Decision(Action.CREATE, Reason.DELETING),
    AppStatus.PENDING: Decision(Action.NONE, Reason.PENDING),
}
_MAINTENANCE: Final = Decision(Action.NONE, Reason.MAINTENANCE)
_UNKNOWN_STATUS: Final = Decision(Action.NONE, Reason.UNKNOWN_STATUS)
_DENIED: Final = Decision(Action.NONE, Reason.DENIED)
_DONE_ONCE: Final = Decision(Action.NONE, Reason.DONE_ONCE)
_QUARANTINED: Final = Decision(Action.NONE, Reason.QUARANTINED)
_IN_SYNC: Final = Decision(Action.NONE, Reason.IN_SYNC)
_DRIFT_REPORTED: Final = Decision(Action.NONE, Reason.DRIFT)
_OUTSIDE_HOURS: Final = Decision(Action.NONE, Reason.OUTSIDE_HOURS)
_STOPPED: Final = Decision(Action.DELETE, Reason.OUTSIDE_HOURS)
_KEPT: Final = Decision(Action.NONE, Reason.KEPT)
_GONE: Final = Decision(Action.NONE, Reason.GONE)
_UNMANAGED: Final = Decision(Action.NONE, Reason.UNMANAGED)
_NOT_OWNED: Final = Decision(Action.NONE, Reason.NOT_OWNED, Guard.OWNERSHIP)
_NOT_ADOPTED: Final = Decision(Action.NONE, Reason.NOT_OWNED, Guard.ADOPTION)
_ADOPTED: Final = Decision(Action.ADOPT, Reason.UNOWNED)
_MOVED: Final = Decision(Action.ADOPT, Reason.FROM_FLEET)
_ORPHANED: Final = Decision(Action.NONE, Reason.ORPHANED)
_PRUNED: Final = Decision(Action.DELETE, Reason.NOT_DECLARED)

# Why an app is left alone whatever is asked of it.
_HELD_BACK: Final = frozenset({Reason.DENIED, Reason.QUARANTINED})

# The statuses in which an app can be deleted. One that is unknown is never among them.
_DELETABLE: Final = frozenset({AppStatus.PENDING, AppStatus.IN_SERVICE})
# What still counts as "made by this fleet" when it carries its tag. A Failed app was never there to be used.
_MADE: Final = frozenset({AppStatus.PENDING, AppStatus.IN_SERVICE, AppStatus.DELETING, AppStatus.DELETED})

# What reading the tags of an app can tell.
_ANSWERS: Final = (Ownership.OURS, Ownership.FOREIGN, Ownership.NOBODY)


def decide_declared(
    app: DesiredApp, row: ObservedApp | None, ownership: Ownership, differs: tuple[str, ...], options: PlanOptions
) -> Decision:
    """Decide about an app that the fleet declares. `differs` is what `drifted_fields` gives for the two."""
    if row is not None and row.status is AppStatus.UNKNOWN:
        return _UNKNOWN_STATUS
    if _is_unwanted(app, options):
        return _decide_unwanted(app, row, ownership, options)
    if _adopts(app, row, ownership, options):
        return _ADOPTED if ownership is Ownership.NOBODY else _MOVED
    if options.hours.is_outside(app.hours):
        return _decide_outside(row, ownership, options)
    wanted = _decide_wanted(app, row, ownership, differs, options)
    if options.request.adopt and _is_unclear(row, ownership) and wanted.refused_by is None:
        return wanted._replace(refused_by=Guard.ADOPTION) if wanted.reason in _HELD_BACK else _NOT_ADOPTED
    return wanted


def _decide_wanted(
    app: DesiredApp, row: ObservedApp | None, ownership: Ownership, differs: tuple[str, ...], options: PlanOptions
) -> Decision:
    held_back = _held_back(app, row, ownership, options)
    if held_back is not None:
        return held_back
    if row is None:
        return _ABSENT
    if options.maintenance.holds(app.key, row):
        return _MAINTENANCE
    if row.status is not AppStatus.IN_SERVICE:
        return _BY_STATUS[row.status]
    return _decide_in_service(app, row, ownership, differs, options)


def _decide_outside(row: ObservedApp | None, ownership: Ownership, options: PlanOptions) -> Decision:
    """Decide about an app outside its hours. What is Pending is left to the next run, which sees it in service."""
    if row is None or row.status is not AppStatus.IN_SERVICE or ownership is not Ownership.OURS:
        return _OUTSIDE_HOURS
    return _KEPT if why_kept(row.keep_until, options.hours.instant) else _STOPPED


def _adopts(app: DesiredApp, row: ObservedApp | None, ownership: Ownership, options: PlanOptions) -> bool:
    """Whether this app gets the fleet's tag: one in service that nobody owns, or --from-fleet, and no rule denies."""
    asked = options.request
    if not asked.adopt or row is None or row.status is not AppStatus.IN_SERVICE or app.key in options.denied_keys:
        return False
    moves = ownership is Ownership.FOREIGN and asked.from_fleet != "" and row.foreign_fleet == asked.from_fleet
    return ownership is Ownership.NOBODY or moves


def _is_unclear(row: ObservedApp | None, ownership: Ownership) -> bool:
    """Whether an app stands there that is another's, or whose tags could not be read."""
    claimed = ownership in (Ownership.FOREIGN, Ownership.UNREAD)
    return claimed and row is not None and row.status is AppStatus.IN_SERVICE


def decide_undeclared(row: ObservedApp, ownership: Ownership, *, prune: bool) -> Decision:
    """Decide about an observed app that is neither Deleted nor Failed and that the fleet does not declare."""
    if ownership is not Ownership.OURS:
        return _UNMANAGED
    if row.status is AppStatus.UNKNOWN:
        return _UNKNOWN_STATUS
    if row.status not in _DELETABLE:
        return _GONE
    return _PRUNED if prune else _ORPHANED


def drifted_fields(app: DesiredApp, row: ObservedApp | None, options: PlanOptions) -> tuple[str, ...]:
    """Name the declared fields that differ: only of an app in service that is still wanted."""
    if row is None or row.status is not AppStatus.IN_SERVICE or _is_unwanted(app, options):
        return ()
    if options.hours.is_outside(app.hours):
        return ()
    return differing_fields(app, row.spec)


def ownership_matters(app: DesiredApp | None, row: ObservedApp, options: PlanOptions, *, prune: bool) -> bool:
    """Whether what is done about `row` depends on whose it is, and that has not been read yet.

    `app` is None for what the fleet does not declare.
    """
    if row.ownership is not Ownership.UNREAD or not row.status.is_alive:
        return False  # the service gives no tags of what is Deleted or Failed
    if app is None:
        actions = {decide_undeclared(row, whose, prune=prune).action for whose in _ANSWERS}
    else:
        differs = drifted_fields(app, row, options)
        actions = {decide_declared(app, row, whose, differs, options).action for whose in _ANSWERS}
    return len(actions) > 1


def _is_unwanted(app: DesiredApp, options: PlanOptions) -> bool:
    return app.mode is Mode.ABSENT or app.is_expired(options.today)


def _decide_unwanted(app: DesiredApp, row: ObservedApp | None, ownership: Ownership, options: PlanOptions) -> Decision:
    if row is None or row.status not in _DELETABLE:
        return _GONE
    declared_absent = app.mode is Mode.ABSENT
    reason = Reason.DECLARED_ABSENT if declared_absent else Reason.EXPIRED
    if ownership is Ownership.OURS:
        return Decision(Action.DELETE, reason)
    if not declared_absent:
        return _UNMANAGED
    # Naming the key speaks for an app that has no tag. What another fleet claims, or may claim, is never touched.
    if app.key in options.allow_destructive and ownership is Ownership.NOBODY:
        return Decision(Action.DELETE, reason)
    return _NOT_OWNED


def _held_back(app: DesiredApp, row: ObservedApp | None, ownership: Ownership, options: PlanOptions) -> Decision | None:
    """Decide about an app that is wanted and all the same left alone; None for every other."""
    if app.key in options.denied_keys:
        return _DENIED
    forced = app.key in options.request.replace_keys
    if app.mode is Mode.ONCE and not forced and not _is_half_replaced(app, row, options):
        made = row is not None and ownership is Ownership.OURS and row.status in _MADE
        if made or (app.key in options.once_done and not _has_failed(row)):
            return _DONE_ONCE
    if app.key in options.quarantined and not options.request.retry_quarantined:
        return _QUARANTINED
    return None


def _has_failed(row: ObservedApp | None) -> bool:
    """Whether what a run was not waited for (--no-wait), or what came after it, never got into service."""
    return row is not None and row.status is AppStatus.FAILED


def _is_half_replaced(app: DesiredApp, row: ObservedApp | None, options: PlanOptions) -> bool:
    """Whether an earlier run deleted the app to replace it, and the new one was not seen in service."""
    return app.key in options.half_replaced and (row is None or row.status is not AppStatus.IN_SERVICE)


def _decide_in_service(
    app: DesiredApp, row: ObservedApp, ownership: Ownership, differs: tuple[str, ...], options: PlanOptions
) -> Decision:
    forced = app.key in options.request.replace_keys
    if not (differs or forced):
        return _IN_SYNC
    if not (forced or options.wants_replace):
        return _DRIFT_REPORTED
    if not forced and _came_of_a_replace(row, options.replaced_at.get(app.key)):
        return Decision(Action.NONE, Reason.DRIFT, Guard.CONVERGENCE)
    if ownership is not Ownership.OURS:
        return _NOT_OWNED if forced else _DRIFT_REPORTED
    reason = Reason.FORCED if forced else Reason.DRIFT
    if not options.has_room(app, row.spec):
        return Decision(Action.NONE, reason, Guard.QUOTA)
    return Decision(Action.DELETE_THEN_CREATE, reason)


def _came_of_a_replace(row: ObservedApp, replaced_at: float | None) -> bool:
    """Whether this very app is what a replace with the same spec made, so that another one would change nothing."""
    return replaced_at is not None and abs(row.created_at - replaced_at) <= CLOCK_SKEW_MAX_SECONDS
