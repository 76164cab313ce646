"""Desired state: what a fleet file asks for, after its layers were merged.

Not here: reading files (`config`) or comparing with what is observed (`planner`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from typing import Any, Final

from engine.core.hours import Hours
from engine.core.identity import SPACE, USER, AppKey, Owner

Tags = tuple[tuple[str, str], ...]


class Mode(StrEnum):
    """How long an app is wanted."""

    RUNNING = "running"
    ONCE = "once"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Source:
    """Where something was written: a file as the user named it, and a line that counts from 1.

    Line 0 is no line of a file: then `file` says what else it was.
    """

    file: str
    line: int

    def __str__(self) -> str:
        """Return `fleet.toml:12`."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class AppSpec:
    """The fields of an app that CreateApp takes. None: not declared, so not sent and never compared.

    `tags` is sorted by key. `recovery_mode` and `tags` are sent and never compared, since ListApps does
    not tell them.
    """

    instance_type: str | None = None
    image_arn: str | None = None
    image_version_arn: str | None = None
    image_version_alias: str | None = None
    lifecycle_config_arn: str | None = None
    training_plan_arn: str | None = None
    recovery_mode: bool | None = None
    tags: Tags = ()

    @property
    def names_image(self) -> bool:
        """Whether the app is made with an image that the fleet names."""
        return self.image_arn is not None or self.image_version_arn is not None

    def to_json(self) -> dict[str, Any]:
        """Return the declared fields alone, tags as a map."""
        shown: dict[str, Any] = {
            item.name: value
            for item in fields(self)
            if item.name != "tags" and (value := getattr(self, item.name)) is not None
        }
        if self.tags:
            shown["tags"] = dict(self.tags)
        return shown


@dataclass(frozen=True, slots=True)
class Layer:
    """One place that set fields of an app: `[defaults]`, an app definition, a team, an owner, an entry, a rule.

    `name` is how people call it (`defaults`, `apps.lab`, `team forecasting`, `rule default-lab-size`);
    `values` holds the fields that it sets, and `places` the lines of those that are checked later. Many apps share one
    Layer.
    """

    name: str
    source: Source
    values: Mapping[str, Any] = field(hash=False)
    places: Mapping[str, Source] = field(default_factory=dict, hash=False, compare=False)


@dataclass(frozen=True, slots=True)
class DesiredApp:
    """One app that should exist, or must not (`mode` absent), with every layer merged.

    `fallback` lists instance types in the order in which they are tried. `team` is empty outside teams.
    `sharing` is `Private` or `Shared` for a space's app and empty for a user's. `layers` runs from low to
    high, so the last layer that holds a field is the one that set it. `hours` None: wanted always.
    `ebs_gb` and `idle_minutes` are what the app's space declares, for rules alone; 0: nothing.
    """

    key: AppKey
    spec: AppSpec
    source: Source
    fallback: tuple[str, ...] = ()
    mode: Mode = Mode.RUNNING
    expires: date | None = None
    team: str = ""
    sharing: str = ""
    layers: tuple[Layer, ...] = field(default=(), compare=False)
    hours: Hours | None = None
    ebs_gb: int = 0
    idle_minutes: int = 0

    def is_expired(self, today: date) -> bool:
        """Whether the last day of the app (in UTC) has passed."""
        return self.expires is not None and today > self.expires


@dataclass(frozen=True, slots=True)
class DesiredDomain:
    """A SageMaker domain under the fleet's own name for it, and the credentials that reach it.

    `external_id` is what the trust policy of `role_arn` may require of who assumes it.
    """

    name: str
    domain_id: str
    region: str
    source: Source
    account: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class DesiredOwner:
    """A user profile or a space that the fleet declares.

    `settings` is passed through to the service as it is. For a profile `execution_role` and `sso_identity` may be set
    (`sso_is_guessed`: no key says it, and an address of a members file was taken); for a space `owner_user`, `sharing`,
    `app_type`, `ebs_gb` and `idle_minutes`. `default` is what the one app of a space declares: what a start from Studio
    makes there. `teams` are the teams that declare it, sorted.
    """

    owner: Owner
    source: Source
    teams: tuple[str, ...] = ()
    tags: Tags = ()
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    execution_role: str | None = None
    sso_identity: str | None = None
    sso_is_guessed: bool = False
    owner_user: str | None = None
    sharing: str = ""
    app_type: str | None = None
    ebs_gb: int | None = None
    idle_minutes: int | None = None
    default: AppSpec | None = None


@dataclass(frozen=True, slots=True)
class DesiredFleet:
    """All that a fleet file and what it includes declare.

    `apps` and `owners` are sorted by key and hold each key once. `inputs` maps every file that was read to its
    SHA-256, in hexadecimal. `prune_refusal` says why nothing may be pruned (an include glob or a members file
    that is empty looks like a fleet that lost its people), or is empty. `hours` are those that apps name, sorted.
    """

    name: str
    domains: tuple[DesiredDomain, ...]
    apps: tuple[DesiredApp, ...]
    owners: tuple[DesiredOwner, ...]
    inputs: tuple[tuple[str, str], ...]
    prune_refusal: str = ""
    hours: tuple[Hours, ...] = ()

    def apps_in(self, domain: str) -> Sequence[DesiredApp]:
        """Return the apps of a domain, which stand beside each other: the others are not looked at."""
        first = bisect_left(self.apps, domain, key=_domain_of)
        return self.apps[first : bisect_right(self.apps, domain, first, key=_domain_of)]


def _domain_of(app: DesiredApp) -> str:
    return app.key.domain


COMPARED_FIELDS: Final = (
    "instance_type",
    "image_arn",
    "image_version_arn",
    "image_version_alias",
    "lifecycle_config_arn",
    "training_plan_arn",
)


def holder_of(declared: DesiredOwner) -> Owner | None:
    """Return the user profile that owns a space; None for what is none."""
    if declared.owner.kind != SPACE or declared.owner_user is None:
        return None
    return Owner(declared.owner.domain, USER, declared.owner_user)
