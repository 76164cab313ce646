"""Observed state: what ListApps reported, at one time.

Not here: asking for it (`executor.scan`) or judging it (`planner`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from engine.core.activity import NOT_READ, Activity
from engine.core.desired import AppSpec
from engine.core.errors import AppfleetError
from engine.core.identity import AppKey, Owner


class AppStatus(StrEnum):
    """The statuses that the service documents, and one for those that it does not."""

    PENDING = "Pending"
    IN_SERVICE = "InService"
    DELETING = "Deleting"
    FAILED = "Failed"
    DELETED = "Deleted"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, text: str) -> AppStatus:
        """Return the member for the service's word; UNKNOWN for a word that the service model does not have."""
        return _BY_TEXT.get(text, cls.UNKNOWN)

    @property
    def is_alive(self) -> bool:
        """Whether a CreateApp for the same key would collide. An unknown status counts as alive."""
        return self not in (AppStatus.FAILED, AppStatus.DELETED)


_BY_TEXT = {status.value: status for status in AppStatus if status is not AppStatus.UNKNOWN}


class Ownership(StrEnum):
    """Whose an observed app is, by its own tag `appfleet:fleet`."""

    OURS = "ours"
    FOREIGN = "foreign"  # another fleet's
    NOBODY = "nobody"
    UNREAD = "unread"  # not asked for


@dataclass(frozen=True, slots=True)
class ObservedApp:
    """One row of ListApps. `created_at` is CreationTime in epoch seconds: the generation of the key.

    `spec` holds what the row tells, server-filled fields included; never tags or recovery mode. `status_text`
    is the service's own word where `status` is UNKNOWN. `keep_until` is the tag of that name, where tags were read, and
    `activity` is known of an app that was described, not listed.
    """

    key: AppKey
    status: AppStatus
    created_at: float
    spec: AppSpec = AppSpec()
    status_text: str = ""
    ownership: Ownership = Ownership.UNREAD
    foreign_fleet: str = ""
    keep_until: str = ""
    activity: Activity = NOT_READ

    def to_json(self) -> dict[str, Any]:
        """Return the spec with the generation and the status, as `before` of a change."""
        return {**self.spec.to_json(), "generation": self.created_at, "status": self.status_text or self.status.value}


@dataclass(frozen=True, slots=True)
class ObservedDomain:
    """The rows of one domain from one complete scan, or the error that kept the scan from completing.

    `apps` holds one row a key (of several rows the alive one, then the newest). `scanned_whole` is false when
    only the owners that the selectors name were listed; nothing is pruned then but among those.
    """

    name: str
    started_at: float
    apps: Mapping[AppKey, ObservedApp] = field(default_factory=dict)
    error: AppfleetError | None = None
    scanned_whole: bool = True


@dataclass(frozen=True, slots=True)
class ObservedFleet:
    """What was observed of each domain, by the fleet's name of the domain."""

    domains: Mapping[str, ObservedDomain]

    @property
    def complete(self) -> bool:
        """Whether every domain could be listed."""
        return all(domain.error is None for domain in self.domains.values())


# How far a generation has come: of two rows of one generation the later state is the fresher.
_PROGRESS: Final = {
    status: place
    for place, status in enumerate(
        (
            AppStatus.PENDING,
            AppStatus.IN_SERVICE,
            AppStatus.FAILED,
            AppStatus.DELETING,
            AppStatus.DELETED,
            AppStatus.UNKNOWN,
        )
    )
}


def newest_by_key(rows: Iterable[ObservedApp]) -> dict[AppKey, ObservedApp]:
    """Keep one row a key: the alive one, then the newest, whatever the order of `rows`.

    A listing shows an app twice when it moved between pages, and beside the tombstone of an earlier generation.
    """
    kept: dict[AppKey, ObservedApp] = {}
    for row in rows:
        other = kept.setdefault(row.key, row)
        if other is not row and precedence(row) > precedence(other):
            kept[row.key] = row
    return kept


def precedence(row: ObservedApp) -> tuple[bool, float, int, str]:
    """Return what the row of one key to believe is the greatest in; a total order, so no listing's order decides."""
    return (row.status.is_alive, row.created_at, _PROGRESS[row.status], repr(row))


_IN_SERVICE: Final = "InService"


PASSING: Final = frozenset({"Pending", "Updating"})


_DELETING: Final = "Deleting"


_FAILED: Final = "Failed"


@dataclass(frozen=True, slots=True)
class ObservedOwner:
    """What the service tells of a profile or a space. `created_at` is epoch seconds, `status` the service's own word.

    `owner` is spelled as observed. `owner_user`, `sharing`, `app_type`, `ebs_gb` and `modified_at` are of spaces alone,
    the last two 0 where they are not shown. `arn` and `failure_reason` are empty and `settings` (UserSettings or
    SpaceSettings, as the service words them) None where only a listing was read. `managed_by` is the fleet that its tag
    names, `unread_because` why that was not read.
    """

    owner: Owner
    status: str
    created_at: float
    owner_user: str = ""
    sharing: str = ""
    app_type: str = ""
    arn: str = ""
    ownership: Ownership = Ownership.UNREAD
    managed_by: str = ""
    unread_because: str = ""
    ebs_gb: int = 0
    modified_at: float = 0.0
    sso_identity: str = ""
    failure_reason: str = ""
    settings: Mapping[str, Any] | None = field(default=None, hash=False)

    @property
    def is_passing(self) -> bool:
        """Whether it will be InService by itself, or Failed."""
        return self.status in PASSING

    @property
    def is_deleting(self) -> bool:
        """Whether somebody is deleting it."""
        return self.status == _DELETING

    @property
    def has_failed(self) -> bool:
        """Whether it was never made properly; nothing can be made in it."""
        return self.status == _FAILED

    @property
    def is_unwell(self) -> bool:
        """Whether it is Failed, or its last update or delete failed."""
        return self.status.endswith(_FAILED)
