"""What a simulated account holds: domains, user profiles, spaces and apps, with nothing but their own fields.

Not here: how they change (`world`), or how they are shown to a caller (`shapes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine.core.identity import SPACE, USER
from engine.core.observed import AppStatus

if TYPE_CHECKING:
    from engine.core.desired import AppSpec
    from engine.core.identity import OwnerKind

PENDING: Final = "Pending"
IN_SERVICE: Final = "InService"
UPDATING: Final = "Updating"
DELETING: Final = "Deleting"
DELETED: Final = "Deleted"
FAILED: Final = "Failed"

DOMAIN_SHARED: Final = "domain-shared"  # the pseudo profile that owns a domain's RStudioServerPro app

NEVER: Final = float("inf")


class AppId(NamedTuple):
    """An app's key inside the world. `owner` is lower-cased for user profiles, whose names ignore case."""

    domain_id: str
    owner_kind: OwnerKind
    owner: str
    app_type: str
    app_name: str


def app_id(domain_id: str, owner_kind: OwnerKind, owner: str, app_type: str, app_name: str) -> AppId:
    """Return the key of an app as the service compares it."""
    return AppId(domain_id, owner_kind, owner.lower() if owner_kind == USER else owner, app_type, app_name)


class Bucket(NamedTuple):
    """What one per-type quota counts."""

    account: str
    region: str
    app_type: str
    instance_type: str


@dataclass(slots=True, eq=False)
class Domain:
    """A domain. `user_settings` and `space_settings` are its defaults, as the API takes them."""

    domain_id: str
    name: str
    region: str
    account: str
    auth_mode: str
    created_at: float
    arn: str
    seq: int
    tags: dict[str, str] = field(default_factory=dict)
    user_settings: dict[str, Any] = field(default_factory=dict)
    space_settings: dict[str, Any] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)  # by lower-cased name
    spaces: dict[str, Space] = field(default_factory=dict)
    next_uid: int = 200_000
    gone: bool = False


@dataclass(slots=True, eq=False)
class Profile:
    """A user profile. `due` is when its status changes by itself, in epoch seconds."""

    domain_id: str
    name: str
    status: str
    created_at: float
    modified_at: float
    arn: str
    seq: int
    uid: str
    tags: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    sso_identifier: str = ""
    sso_value: str = ""
    due: float = NEVER
    gone: bool = False
    live_apps: int = 0
    spaces: int = 0


@dataclass(slots=True, eq=False)
class Space:
    """A space. Its volume can be used from `storage_ready_at` on, which comes after InService."""

    domain_id: str
    name: str
    status: str
    created_at: float
    modified_at: float
    arn: str
    seq: int
    uid: str
    owner: str = ""
    sharing: str = ""
    app_type: str = ""
    ebs_gb: int = 0
    display_name: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    storage_ready_at: float = 0.0
    due: float = NEVER
    gone: bool = False
    live_apps: int = 0


@dataclass(slots=True, eq=False)
class App:
    """One generation of an app. `will_fail` is the reason with which Pending will end, or empty."""

    key: AppId
    owner: str  # as it was written
    status: str
    created_at: float
    spec: AppSpec  # as ListApps shows it: without tags and recovery mode
    arn: str
    seq: int
    bucket: Bucket
    tags: dict[str, str] = field(default_factory=dict)
    recovery_mode: bool | None = None
    failure_reason: str = ""
    will_fail: str = ""
    ended_at: float = NEVER
    due: float = NEVER
    gone: bool = False

    @property
    def is_alive(self) -> bool:
        """Whether it fills its quota and its name: Pending, InService or Deleting."""
        return self.status not in (FAILED, DELETED)

    @property
    def is_of_space(self) -> bool:
        """Whether its owner is a space."""
        return self.key.owner_kind == SPACE


assert {PENDING, IN_SERVICE, DELETING, DELETED, FAILED} == {  # noqa: S101 - the two vocabularies must stay one
    status.value for status in AppStatus if status is not AppStatus.UNKNOWN
}
