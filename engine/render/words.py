"""The words for what a plan decides and what a run comes to, used by every format for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from engine.core.change import MAKING, Action, Change, Reason
from engine.core.outcome import Outcome
from engine.core.text import clean
from engine.core.training_plans import plan_arn
from engine.render.layout import Style

SYMBOLS: Final[Mapping[Action, str]] = {
    Action.CREATE: "+",
    Action.DELETE: "-",
    Action.DELETE_THEN_CREATE: "-/+",
    Action.ADOPT: "*",
    Action.UPDATE: "~",
    Action.NONE: "~",
}
STYLES: Final[Mapping[Action, Style]] = {
    Action.CREATE: "green",
    Action.DELETE: "red",
    Action.DELETE_THEN_CREATE: "yellow",
    Action.ADOPT: "magenta",
    Action.UPDATE: "yellow",
    Action.NONE: "cyan",
}

REASONS: Final = {
    Reason.ABSENT: "missing",
    Reason.FAILED: "its last start failed",
    Reason.QUARANTINED: "failed in several runs with the same spec",
    Reason.DELETING: "created again once it is deleted",
    Reason.PENDING: "still starting",
    Reason.MAINTENANCE: "Pending again long after its creation; SageMaker maintains or restarts it",
    Reason.IN_SYNC: "as declared",
    Reason.DRIFT: "differs from its declaration",
    Reason.DONE_ONCE: "mode once, and created before",
    Reason.DECLARED_ABSENT: "declared absent",
    Reason.EXPIRED: "expired",
    Reason.OUTSIDE_HOURS: "outside its hours",
    Reason.KEPT: "outside its hours, and its tag keeps it",
    Reason.NOT_OWNED: "should be deleted, replaced or adopted, but this fleet does not own it",
    Reason.GONE: "gone already",
    Reason.NOT_DECLARED: "no longer declared",
    Reason.ORPHANED: "no longer declared; prune is off",
    Reason.UNMANAGED: "not owned by this fleet",
    Reason.UNKNOWN_STATUS: "in a status that appfleet does not know",
    Reason.FROM_FLEET: "the fleet of --from-fleet owns it; it gets this fleet's tag and stays as it is",
    Reason.UNOWNED: "no fleet owns it; it gets this fleet's tag and stays as it is",
    Reason.FORCED: "named with --replace",
    Reason.DOMAIN_UNLISTED: "its domain could not be listed",
    Reason.DENIED: "denied by a rule",
    Reason.OWNER_MISSING: "its user profile or space cannot be used",
    Reason.TRAINING_PLAN: "its training plan cannot be used",
    Reason.NEXT_WAVE: "replaced by one of the next runs",
    Reason.FROZEN: "not deleted or replaced during a freeze",
}

OUTCOMES: Final = {
    Outcome.CREATED: "created",
    Outcome.ADOPTED: "adopted (existed already)",
    Outcome.REPLACED: "replaced",
    Outcome.DELETED: "deleted",
    Outcome.UPDATED: "updated",
    Outcome.UNCHANGED: "unchanged",
    Outcome.STILL_PENDING: "still pending",
    Outcome.PARKED: "parked (waiting for a quota)",
    Outcome.FAILED: "failed",
    Outcome.SKIPPED: "skipped",
    Outcome.DENIED: "denied by a rule",
    Outcome.INTERRUPTED: "interrupted",
}

AFTER_CANARY: Final = "after its canary"

# What a reader should know of although nothing will be done, in the order in which it is told.
TOLD_REASONS: Final = (
    Reason.DOMAIN_UNLISTED,
    Reason.DENIED,
    Reason.OWNER_MISSING,
    Reason.TRAINING_PLAN,
    Reason.NOT_OWNED,
    Reason.UNKNOWN_STATUS,
    Reason.QUARANTINED,
    Reason.PENDING,
    Reason.ORPHANED,
)

# Nothing is done about such an app although it is not as declared, so nobody should read that it is unchanged.
KEPT_BACK_REASONS: Final = frozenset(
    {Reason.OWNER_MISSING, Reason.TRAINING_PLAN, Reason.NOT_OWNED, Reason.UNKNOWN_STATUS, Reason.QUARANTINED}
)

HINTS: Final = {
    Reason.QUARANTINED: "change the spec, or apply with --retry-quarantined",
    Reason.ORPHANED: "apply --prune deletes them",
    Reason.DOMAIN_UNLISTED: "skipped until appfleet can list it",
    Reason.PENDING: "apply waits for them",
}


def outcome_words(outcome: str) -> str:
    """Return the words for an outcome that the journal kept, also for one of another version."""
    return OUTCOMES[Outcome(outcome)] if outcome in set(Outcome) else outcome


def why(change: Change) -> str:
    """Say why, with the fields that differ and both their values, and whether it waits for its canary."""
    return _why(change) if change.canary is None else f"{_why(change)}; {AFTER_CANARY}"


def _why(change: Change) -> str:
    if change.differs and change.action is not Action.ADOPT:
        parts = [_difference(change, name) for name in change.differs]
        prefix = "" if change.reason is Reason.DRIFT else f"{REASONS[change.reason]}; "
        return prefix + "; ".join(parts)
    if change.reason is Reason.EXPIRED and change.after is not None and change.after.expires is not None:
        return f"expired on {change.after.expires.isoformat()}"
    if change.reason is Reason.OUTSIDE_HOURS and change.after is not None and change.after.hours is not None:
        return clean(f"{REASONS[change.reason]} ({change.after.hours.text})")
    return REASONS[change.reason]


def _difference(change: Change, name: str) -> str:
    before = None if change.before is None else getattr(change.before.spec, name)
    after = None if change.after is None else getattr(change.after.spec, name)
    return f"{name} {shown(before)} -> {shown(after)}"


def shown(value: object) -> str:
    """Return a field's value for people; `(unset)` for None."""
    return "(unset)" if value is None else clean(str(value))


def instance(change: Change) -> str:
    """Return the instance type of the app to be, or of the app that is: that of what is deleted."""
    app = change.before if change.action is Action.DELETE else change.after or change.before
    spec = None if app is None else app.spec
    return clean(spec.instance_type or "") if spec is not None else ""


def fallback(change: Change) -> str:
    """Return `fallback ml.g4dn.xlarge` for an app that is made; empty where there is none."""
    types = change.after.fallback if change.after is not None and change.action in MAKING else ()
    return clean(f"fallback {', '.join(types)}") if types else ""


def on_plan(change: Change) -> str:
    """Return `on training plan p5-week-50` for an app that is made on one; empty where it is not."""
    spec = change.after.spec if change.after is not None and change.action in MAKING else None
    found = None if spec is None else plan_arn(spec.training_plan_arn)
    return "" if found is None else clean(f"on training plan {found.name}")


def made_with(change: Change, *, tags: bool = False) -> str:
    """Return `image gpu:1.2; lifecycle config setup; hours office; until 2026-12-31` of an app that is made.

    Empty for none of it. With `tags` they end it. A plan shows the names; `explain` shows the whole ARNs.
    """
    app = change.after if change.action in MAKING else None
    if app is None:
        return ""
    spec = app.spec
    image = _name_of(spec.image_version_arn or spec.image_arn)
    alias = f":{spec.image_version_alias}" if spec.image_version_alias else ""
    parts = (
        f"image {image}{alias}" if image or alias else "",
        f"lifecycle config {_name_of(spec.lifecycle_config_arn)}" if spec.lifecycle_config_arn else "",
        f"hours {app.hours.text}" if app.hours is not None else "",
        f"until {app.expires.isoformat()}" if app.expires is not None else "",
        f"tags {tags_text(spec.tags)}" if tags and spec.tags else "",
    )
    return clean("; ".join(part for part in parts if part))


def tags_text(tags: Iterable[tuple[str, str]]) -> str:
    """Return `cost-center=4711, team=vision`."""
    return ", ".join(f"{clean(key)}={clean(value)}" for key, value in tags)


def _name_of(arn: str | None) -> str:
    """Return what an ARN names: the last part without the kind before its first slash."""
    last = (arn or "").split(":", 5)[-1]
    return last.partition("/")[2] or last


def group_of(change: Change) -> str:
    """Return the heading that a change stands under: its team, or its owner where it has none."""
    team = change.after.team if change.after is not None else ""
    return f"team {clean(team)}" if team else f"{change.key.owner_kind} {clean(change.key.owner)}"
