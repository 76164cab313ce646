"""What a simulated account holds: domains, user profiles, spaces and apps, with nothing but their own fields.

A saved world holds these very fields (`saved_world`), without those that are `_UNSAVED`: they follow from the others.
Not here: how they change (`world`), or how they are shown to a caller (`shapes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, Field, GetPydanticSchema, PlainSerializer

from engine.core.desired import AppSpec
from engine.core.identity import SPACE, USER, Lane, OwnerKind
from engine.core.observed import AppStatus
from engine.simulator.world.values import NEVER, Count, Number, NumberOrNever

PENDING: Final = "Pending"
IN_SERVICE: Final = "InService"
UPDATING: Final = "Updating"
UPDATE_FAILED: Final = "Update_Failed"
DELETING: Final = "Deleting"
DELETED: Final = "Deleted"
FAILED: Final = "Failed"

DOMAIN_SHARED: Final = "domain-shared"  # the pseudo profile that owns a domain's RStudioServerPro app

_UNSAVED: Final = Field(exclude=True)


def _saved_as_list(kind: type[Any]) -> GetPydanticSchema:
    """Save a table of owners as a list of them; each knows its own key."""
    rows = Annotated[
        list[kind],  # type: ignore[valid-type]
        AfterValidator(lambda rows: {row.key: row for row in rows}),
        PlainSerializer(lambda table: list(table.values()), return_type=list[kind]),  # type: ignore[valid-type]
    ]
    return GetPydanticSchema(lambda _, handler: handler.generate_schema(rows))


def _without_tags(spec: AppSpec) -> AppSpec:
    if spec.tags:
        raise ValueError("the spec of an app has tags, which belong to the app")
    return spec


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
    """What one per-type quota counts; an app on a training plan, named by its ARN, counts against that alone."""

    account: str
    region: str
    app_type: str
    instance_type: str
    training_plan: str = ""


@dataclass(slots=True, eq=False)
class Profile:
    """A user profile. `due` is when its status changes by itself, in epoch seconds.

    `will_fail` is the reason with which an update will end Update_Failed, or empty.
    """

    domain_id: str
    name: str
    status: str
    created_at: Number
    modified_at: Number
    arn: str
    seq: Count
    uid: str
    tags: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    sso_identifier: str = ""
    sso_value: str = ""
    failure_reason: str = ""
    will_fail: str = ""
    due: NumberOrNever = NEVER
    gone: Annotated[bool, _UNSAVED] = field(default=False, init=False)
    live_apps: Annotated[int, _UNSAVED] = field(default=0, init=False)
    spaces: Annotated[int, _UNSAVED] = field(default=0, init=False)

    @property
    def key(self) -> str:
        """Return the name as the service compares it."""
        return self.name.lower()


@dataclass(slots=True, eq=False)
class Space:
    """A space. Its volume can be used from `storage_ready_at` on, which comes after InService.

    `ebs_changed_at` is when its volume last grew, and `will_fail` that of a Profile.
    """

    domain_id: str
    name: str
    status: str
    created_at: Number
    modified_at: Number
    arn: str
    seq: Count
    uid: str
    owner: str = ""
    sharing: str = ""
    app_type: str = ""
    ebs_gb: Count = 0
    display_name: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    storage_ready_at: Number = 0.0
    ebs_changed_at: Number = 0.0
    failure_reason: str = ""
    will_fail: str = ""
    due: NumberOrNever = NEVER
    gone: Annotated[bool, _UNSAVED] = field(default=False, init=False)
    live_apps: Annotated[int, _UNSAVED] = field(default=0, init=False)

    @property
    def key(self) -> str:
        """Return the name as the service compares it."""
        return self.name


@dataclass(slots=True, eq=False)
class Domain:
    """A domain. `user_settings` and `space_settings` are its defaults, as the API takes them."""

    domain_id: str
    name: str
    region: str
    account: str
    auth_mode: str
    created_at: Number
    arn: str
    seq: Count
    tags: dict[str, str] = field(default_factory=dict)
    user_settings: dict[str, Any] = field(default_factory=dict)
    space_settings: dict[str, Any] = field(default_factory=dict)
    profiles: Annotated[dict[str, Profile], _saved_as_list(Profile)] = field(default_factory=dict)
    spaces: Annotated[dict[str, Space], _saved_as_list(Space)] = field(default_factory=dict)
    next_uid: Count = 200_000
    gone: Annotated[bool, _UNSAVED] = field(default=False, init=False)

    @property
    def lane(self) -> Lane:
        """Return its account and region."""
        return Lane(self.account, self.region)


@dataclass(slots=True, eq=False)
class App:
    """One generation of an app. `will_fail` is the reason with which Pending will end, or empty.

    Somebody works in it until `used_until`, in epoch seconds; 0: nobody ever did.
    """

    key: AppId
    owner: str  # as it was written
    status: str
    created_at: Number
    spec: Annotated[
        AppSpec, AfterValidator(_without_tags), PlainSerializer(AppSpec.to_json)
    ]  # as ListApps shows it: without tags and recovery mode
    arn: str
    seq: Count
    bucket: Bucket
    tags: dict[str, str] = field(default_factory=dict)
    recovery_mode: bool | None = None
    failure_reason: str = ""
    will_fail: str = ""
    used_until: Number = 0.0
    ended_at: NumberOrNever = NEVER
    due: NumberOrNever = NEVER
    gone: Annotated[bool, _UNSAVED] = field(default=False, init=False)

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
