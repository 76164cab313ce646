"""What is decided about one app, or one user profile or space: the action, the reason, what was there and what will be.

Not here: how it is decided (`decision`, `owner_planner`), and the plan that holds every decision (`plan`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from engine.core.application import Application
from engine.core.desired import DesiredApp, DesiredOwner
from engine.core.identity import AppKey, Owner
from engine.core.observed import AppStatus, ObservedApp, ObservedOwner
from engine.core.owner_settings import Difference


class Action(StrEnum):
    """What will be done to one app."""

    CREATE = "create"
    DELETE = "delete"
    DELETE_THEN_CREATE = "delete_then_create"
    ADOPT = "adopt"  # give it this fleet's tag, and nothing else
    UPDATE = "update"  # change the settings of a profile or space in place
    NONE = "none"


MAKING: Final = frozenset({Action.CREATE, Action.DELETE_THEN_CREATE})


DESTROYING: Final = frozenset({Action.DELETE, Action.DELETE_THEN_CREATE})


class Reason(StrEnum):
    """Why."""

    ABSENT = "absent"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    DELETING = "deleting"
    PENDING = "pending"
    MAINTENANCE = "maintenance"  # Pending long after it was made
    IN_SYNC = "in_sync"
    DRIFT = "drift"
    DONE_ONCE = "done_once"
    DECLARED_ABSENT = "declared_absent"
    EXPIRED = "expired"
    OUTSIDE_HOURS = "outside_hours"
    KEPT = "kept"  # outside its hours, and its tag keeps it
    NOT_OWNED = "not_owned"
    GONE = "gone"
    NOT_DECLARED = "not_declared"
    ORPHANED = "orphaned"
    UNMANAGED = "unmanaged"
    UNKNOWN_STATUS = "unknown_status"
    UNOWNED = "unowned"  # apply --adopt
    FROM_FLEET = "from_fleet"  # apply --adopt --from-fleet: it is another fleet's until then
    FORCED = "forced"  # apply --replace KEY
    DOMAIN_UNLISTED = "domain_unlisted"
    DENIED = "denied"
    OWNER_MISSING = "owner_missing"
    TRAINING_PLAN = "training_plan"  # it cannot run the app
    FROZEN = "frozen"  # a delete or a replace is due, and nothing is deleted or replaced now
    NEXT_WAVE = "next_wave"  # a replace is due, and this run makes no more of them


CANARY: Final = "canary"  # shown in place of the reason of what waits for the first app of its shape


@dataclass(frozen=True, slots=True)
class Change:
    """The decision about one key, of whatever action.

    `before` is the observed row, spelled as observed, and `after` the desired app, also of a declared app that
    shall go; either may be None. `differs` names the declared fields that are not as observed. `canary` is the app of
    the same shape that goes first, where this one waits for it.
    """

    key: AppKey
    action: Action
    reason: Reason
    before: ObservedApp | None = None
    after: DesiredApp | None = None
    differs: tuple[str, ...] = ()
    canary: AppKey | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `changes` in `plan --format json`: what stood there before, and what will stand there.

        A tombstone is nothing that stood there: it vanishes after a day, and a fingerprint that was approved must not.
        """
        before = self.before if self.before is not None and self.before.status is not AppStatus.DELETED else None
        after = self.after if self.action is not Action.DELETE else None
        shown = {
            "key": str(self.key),
            "domain": self.key.domain,
            "owner_kind": self.key.owner_kind,
            "owner": self.key.owner,
            "app_type": self.key.app_type,
            "app_name": self.key.app_name,
            "action": self.action.value,
            "reason": self.reason.value,
            "before": None if before is None else before.to_json(),
            "after": None if after is None else _after_json(after),
            "differs": list(self.differs),
        }
        if self.canary is not None:
            shown["canary"] = {"key": str(self.canary), "reason": shown["reason"]}
            shown["reason"] = CANARY
        return shown

    @property
    def alone(self) -> Change:
        """The same decision, whatever it waits for: what is approved does not depend on what a journal knows."""
        return self if self.canary is None else replace(self, canary=None)


def _after_json(app: DesiredApp) -> dict[str, Any]:
    shown = app.spec.to_json()
    if app.fallback:
        shown["fallback"] = list(app.fallback)
    return shown


class OwnerReason(StrEnum):
    """Why something is, or is not, done about an owner."""

    ABSENT = "absent"
    DELETING = "deleting"
    PENDING = "pending"
    OFFBOARDED = "offboarded"
    UNDONE = "undone"
    OWNER_DRIFT = "owner_drift"
    FROM_FLEET = "from_fleet"  # apply --adopt --from-fleet: another fleet manages it until then
    UNASSIGNED = "unassigned"  # an earlier run made it and did not come to assign its user


@dataclass(frozen=True, slots=True)
class OwnerChange:
    """What is done about one owner: made, updated, deleted, or (`none`) waited for or reported.

    `assigned_to` is the application to which the user of a new profile is assigned. `differs` holds the declared fields
    that are not as observed.
    """

    owner: Owner
    action: Action
    reason: OwnerReason
    before: ObservedOwner | None = None
    after: DesiredOwner | None = None
    assigned_to: Application | None = None
    differs: tuple[Difference, ...] = ()

    @property
    def updates(self) -> tuple[Difference, ...]:
        """The differences that an update takes away."""
        return tuple(one for one in self.differs if one.can_be_updated) if self.action is Action.UPDATE else ()

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `owners` in `plan --format json`; with `key` and `differs` where something differs."""
        more = {"key": str(self.owner), "differs": [one.to_json() for one in self.differs]} if self.differs else {}
        before = None
        if self.before is not None:
            before = {"status": self.before.status, "generation": self.before.created_at}
        shown = {
            "owner": str(self.owner),
            "domain": self.owner.domain,
            "kind": self.owner.kind,
            "name": self.owner.name,
            "action": self.action.value,
            "reason": self.reason.value,
            "before": before,
            "after": None if self.after is None else declared_json(self.after),
            **more,
        }
        return shown if self.assigned_to is None else {**shown, "assigned_to": self.assigned_to.arn}


def declared_json(owner: DesiredOwner) -> dict[str, Any]:
    """Return the fields of an owner that the fleet declares, and no others."""
    names = ("execution_role", "sso_identity", "owner_user", "sharing", "app_type", "ebs_gb", "idle_minutes")
    shown: dict[str, Any] = {name: value for name in names if (value := getattr(owner, name)) not in (None, "")}
    if owner.settings:
        shown["settings"] = dict(owner.settings)
    if owner.tags:
        shown["tags"] = dict(owner.tags)
    return shown
