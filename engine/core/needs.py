"""What a plan creates with: each distinct image, version, lifecycle configuration, role, training plan and type.

Pure, as everything about a preflight but the asking. Not here: what follows from the answers (`preflight`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from engine.core.buckets import bucket_of
from engine.core.change import MAKING, Action, Reason
from engine.core.desired import AppSpec, DesiredApp, DesiredFleet, DesiredOwner, holder_of
from engine.core.identity import USER, Lane, Owner
from engine.core.made_from import SETTINGS_OF, Arn, image_of, version_of
from engine.core.plan import Plan
from engine.core.quota_text import quota_name
from engine.core.training_plans import plan_arn, tried_fallback


class Kind(StrEnum):
    """What an app is made from or runs on."""

    IMAGE = "image"
    VERSION = "image version"
    SCRIPT = "lifecycle configuration"
    ROLE = "execution role"
    TRAINING_PLAN = "training plan"
    TYPE = "instance type"


class Need(NamedTuple):
    """One thing that the plan creates with, in one account and region.

    `name` is an ARN or an instance type. `domain` is set where it is asked whether the domain attaches it for apps of
    `app_type`; else that it exists. `alias` is of an image's version, `instance_type` what a training plan reserves.
    """

    kind: Kind
    name: str
    lane: Lane
    alias: str = ""
    app_type: str = ""
    domain: str = ""
    instance_type: str = ""

    @property
    def shown(self) -> str:
        """Return what is checked: that something is there, or that a domain attaches it."""
        return f"attachment of {self.thing} to domain {self.domain}" if self.domain else self.thing

    @property
    def thing(self) -> str:
        """Return `image data-science` or `version 1.2 of image data-science`."""
        arn = Arn.of(self.name)
        word = self.name if arn is None else arn.name
        if self.kind is not Kind.VERSION or arn is None:
            return f"{self.kind} {word}"
        image = image_of(AppSpec(image_version_arn=self.name)) or arn
        return f"version {self.alias or word} of image {image.name}"


class Question(NamedTuple):
    """One call: its operation, the lane, and a domain of the lane or what is described, by its name."""

    operation: str
    lane: Lane
    name: str
    version: int | None = None
    alias: str = ""


def needs_of(plan: Plan, fleet: DesiredFleet, lanes: Mapping[str, Lane]) -> dict[Need, list[str]]:
    """Return the images, roles and types that the plan needs, sorted, each with the keys of what needs it."""
    declared = {owner.owner: owner for owner in fleet.owners}
    found: defaultdict[Need, list[str]] = defaultdict(list)
    for change in plan.decisions:
        lane = lanes.get(change.key.domain)
        if lane is None or change.after is None:
            continue
        if change.action in MAKING:
            for need in _of_app(change.after, lane, declared):
                found[need].append(str(change.key))
        elif change.reason is Reason.TRAINING_PLAN:  # left out of the plan for it
            for need in _of_training_plan(change.after, lane):
                found[need].append(str(change.key))
    for owner in plan.owners:
        lane = lanes.get(owner.owner.domain)
        if owner.action is Action.CREATE and lane is not None:
            for need in _of_role(declared.get(owner.owner), lane):
                found[need].append(str(owner.owner))
    return dict(sorted(found.items()))


def _of_app(app: DesiredApp, lane: Lane, declared: Mapping[Owner, DesiredOwner]) -> Iterator[Need]:
    people = _people(declared.get(app.key.owner_key), declared)
    yield from _of_image(app, lane, people)
    yield from _of_script(app, lane, people)
    for one in people:
        yield from _of_role(one, lane)
    yield from _of_training_plan(app, lane)
    if plan_arn(app.spec.training_plan_arn) is None:
        yield from _of_types(app, lane)


def _of_image(app: DesiredApp, lane: Lane, people: list[DesiredOwner]) -> Iterator[Need]:
    spec, image, settings = app.spec, image_of(app.spec), SETTINGS_OF.get(app.key.app_type, "")
    if image is None:
        return
    yield Need(Kind.IMAGE, image.text, lane)
    if (version := Arn.of(spec.image_version_arn)) is not None:
        yield Need(Kind.VERSION, version.text, lane)
    elif spec.image_version_alias is not None:
        yield Need(Kind.VERSION, image.text, lane, alias=spec.image_version_alias)
    is_own = image.account == lane.account
    if is_own and settings and not any(has_image(one.settings, settings, image.name) for one in people):
        yield Need(Kind.IMAGE, image.text, lane, app_type=app.key.app_type, domain=app.key.domain)


def _of_script(app: DesiredApp, lane: Lane, people: list[DesiredOwner]) -> Iterator[Need]:
    script, app_type = Arn.of(app.spec.lifecycle_config_arn), app.key.app_type
    if script is None:
        return
    yield Need(Kind.SCRIPT, script.text, lane, app_type=app_type)
    settings = SETTINGS_OF.get(app_type, "")
    if settings and not any(has_script(one.settings, settings, script.text) for one in people):
        yield Need(Kind.SCRIPT, script.text, lane, app_type=app_type, domain=app.key.domain)


def _of_types(app: DesiredApp, lane: Lane) -> Iterator[Need]:
    spec, app_type = app.spec, app.key.app_type
    for kind in dict.fromkeys((spec.instance_type or "", *tried_fallback(spec, app.fallback))):
        bucket = bucket_of(lane, app_type, spec, kind)
        if quota_name(app_type, bucket.instance_type):
            yield Need(Kind.TYPE, bucket.instance_type, lane, app_type=app_type)


def _people(owner: DesiredOwner | None, declared: Mapping[Owner, DesiredOwner]) -> list[DesiredOwner]:
    """Return who an app belongs to as far as the fleet declares it: a user profile, or a space and its owner."""
    if owner is None:
        return []
    holder = holder_of(owner)
    found = None if holder is None else declared.get(holder)
    return [owner] if found is None else [owner, found]


def _of_role(owner: DesiredOwner | None, lane: Lane) -> Iterator[Need]:
    if owner is not None and owner.owner.kind == USER and owner.execution_role is not None:
        yield Need(Kind.ROLE, owner.execution_role, lane)


def _of_training_plan(app: DesiredApp, lane: Lane) -> Iterator[Need]:
    arn = app.spec.training_plan_arn
    if arn is not None and plan_arn(arn) is not None:
        yield Need(Kind.TRAINING_PLAN, arn, lane, instance_type=app.spec.instance_type or "")


def question_of(need: Need) -> Question | None:
    """Return the call that a need takes; None for what the plan itself has asked, and for what nobody can be asked."""
    if need.domain:
        return Question("DescribeDomain", need.lane, need.domain)
    arn = Arn.of(need.name)
    if arn is None or elsewhere(need, arn):
        return None
    if need.kind is Kind.IMAGE:
        return Question("DescribeImage", need.lane, arn.name)
    if need.kind is Kind.VERSION:
        image = arn if need.alias else image_of(AppSpec(image_version_arn=need.name))
        name = arn.name if image is None else image.name
        version = None if need.alias else version_of(need.name)
        return Question("DescribeImageVersion", need.lane, name, version, need.alias)
    if need.kind is Kind.SCRIPT:
        return Question("DescribeStudioLifecycleConfig", need.lane, arn.name)
    return Question("GetRole", need.lane, arn.name) if need.kind is Kind.ROLE else None


def elsewhere(need: Need, arn: Arn) -> str:
    """Return why the caller's own account cannot be asked about an ARN; empty where it can."""
    if arn.account != need.lane.account:
        return f"it is of account {arn.account}, and only account {need.lane.account} can be asked"
    if arn.region and arn.region != need.lane.region:
        return f"it is of region {arn.region}, and only {need.lane.region} can be asked"
    return ""


def has_image(settings: Mapping[str, Any], member: str, name: str) -> bool:
    """Whether settings of a domain or a profile attach an image, by its name; `member` is that of an app type."""
    rows = _rows(settings, member, "CustomImages")
    return any(isinstance(row, dict) and row.get("ImageName") == name for row in rows)


def has_script(settings: Mapping[str, Any], member: str, arn: str) -> bool:
    """Whether they attach a lifecycle configuration."""
    return arn in _rows(settings, member, "LifecycleConfigArns")


def _rows(settings: Mapping[str, Any], member: str, name: str) -> list[Any]:
    inner = settings.get(member)
    rows = inner.get(name) if isinstance(inner, Mapping) else None
    return rows if isinstance(rows, list) else []
