"""The least that a fleet needs of IAM: actions by what it may do, resources by domain.

Pure. The policy is for whoever calls the service: the role that a domain names, or else the caller himself. What it
takes to assume such a role is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from engine.core.bucket_url import BucketUrl, safe_name
from engine.core.desired import DesiredDomain, DesiredFleet, Mode
from engine.core.identity import SPACE, USER
from engine.core.made_from import Arn, image_of
from engine.core.owner_settings import APP_SETTINGS
from engine.core.settings import Settings
from engine.core.training_plans import plan_arn

IAM_VERSION: Final = "2012-10-17"
# The service lists by no resource, so these hold for the account; so do quotas.
_LOOKING: Final = ("sagemaker:ListApps", "sagemaker:ListDomains", "sagemaker:ListSpaces", "sagemaker:ListUserProfiles")
_TAGS: Final = "tag:GetResources"
_PRICES: Final = "pricing:GetProducts"
_QUOTAS: Final = "servicequotas:ListServiceQuotas"
_APPS: Final = ("sagemaker:AddTags", "sagemaker:CreateApp", "sagemaker:DescribeApp", "sagemaker:ListTags")
_READ_APPS: Final = ("sagemaker:DescribeApp", "sagemaker:ListTags")
_DELETE: Final = "sagemaker:DeleteApp"
_OWNER_NAMES: Final = {USER: ("UserProfile", "user-profile"), SPACE: ("Space", "space")}
_PARTITIONS: Final = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("eusc-", "aws-eusc"))


def may_destroy(fleet: DesiredFleet, settings: Settings) -> bool:
    """Whether the files alone can make a run delete or replace an app, without a flag that says so."""
    safety = settings.safety
    declared = any(app.mode is Mode.ABSENT or app.expires is not None or app.hours is not None for app in fleet.apps)
    return safety.prune or safety.replace_on_drift or declared


def iam_policy(
    fleet: DesiredFleet,
    settings: Settings,
    *,
    destroy: bool,
    prices: bool = False,
    read_only: bool = False,
    offboard: bool = False,
    state: BucketUrl | None = None,
    preflight: bool = False,
) -> dict[str, Any]:
    """Return the policy document. `destroy` adds the right to delete apps, `prices` that to read the price list.

    `offboard` adds the right to delete profiles and spaces with what is in them, `state` that to use a shared state.
    With `read_only` it holds what plan and status call, and no right to change anything. `preflight` adds what a
    preflight reads.
    """
    changing = [*_APPS, *([_DELETE] if destroy or offboard else [])]
    statements = [
        _statement("LookAround", _LOOKING, ["*"]),
        _statement("ReadQuotas", [_QUOTAS], ["*"]),
        _statement("ReadTags", [_TAGS], ["*"]),
        *([_statement("ReadPrices", [_PRICES], ["*"])] if prices else []),
        _statement("Apps", _READ_APPS if read_only else changing, _resources(fleet.domains, "app")),
        *_owners(fleet, settings, read_only=read_only, offboard=offboard),
        *_training_plans(fleet),
        *_domains(fleet, settings, preflight=preflight),
        *(_preflight(fleet) if preflight else ()),
        *_passing(fleet, create=(settings.create_owners or settings.update_owners) and not read_only),
        *_assigning(fleet, settings, read_only=read_only),
        *_notifying(settings, read_only=read_only),
        *_sharing(state, fleet, read_only=read_only),
    ]
    return {"Version": IAM_VERSION, "Statement": statements}


def _owners(fleet: DesiredFleet, settings: Settings, *, read_only: bool, offboard: bool) -> Iterable[dict[str, Any]]:
    """Yield what user profiles and spaces need: reading them, and making, changing or deleting them where it is meant.

    What is changed or deleted must carry this fleet's tag, so its tags are read, by the plan as well. The default of a
    space follows its app, whatever the policy says of updates.
    """
    with_default = any(one.app_type in APP_SETTINGS for one in fleet.owners)
    for kind, (word, resource) in _OWNER_NAMES.items():
        changes = settings.update_owners or offboard or (kind == SPACE and with_default)  # --undo puts settings back
        actions = [f"sagemaker:Describe{word}"]
        if settings.create_owners and not read_only:
            actions += ["sagemaker:AddTags", f"sagemaker:Create{word}"]
        actions += ["sagemaker:ListTags"] if changes else []
        actions += [f"sagemaker:Update{word}"] if changes and not read_only else []
        if offboard:
            actions += [f"sagemaker:Delete{word}"]
        yield _statement(f"{word}s", actions, _resources(_domains_with(fleet, kind), resource))


def _training_plans(fleet: DesiredFleet) -> Iterable[dict[str, Any]]:
    """Yield the right to read the training plans that the fleet names, and no others."""
    arns = {app.spec.training_plan_arn for app in fleet.apps}
    named = sorted(arn for arn in arns if arn is not None and plan_arn(arn) is not None)
    if named:
        yield _statement("TrainingPlans", ["sagemaker:DescribeTrainingPlan"], named)


def _preflight(fleet: DesiredFleet) -> Iterable[dict[str, Any]]:
    """Yield the right to look at the images, lifecycle configurations and roles that the fleet names, and no others."""
    images = sorted({image.text for app in fleet.apps if (image := image_of(app.spec)) is not None})
    scripts = sorted({arn for app in fleet.apps if Arn.of(arn := app.spec.lifecycle_config_arn or "") is not None})
    roles = sorted({owner.execution_role for owner in fleet.owners if owner.execution_role})
    if images:
        versions = [f"{arn.replace(':image/', ':image-version/')}/*" for arn in images]
        yield _statement("Images", ["sagemaker:DescribeImage", "sagemaker:DescribeImageVersion"], [*images, *versions])
    if scripts:
        yield _statement("LifecycleConfigs", ["sagemaker:DescribeStudioLifecycleConfig"], scripts)
    if roles:
        yield _statement("ReadExecutionRoles", ["iam:GetRole"], roles)


def _domains(fleet: DesiredFleet, settings: Settings, *, preflight: bool) -> Iterable[dict[str, Any]]:
    """Yield what the plan reads of domains whose people it makes, and a preflight of those that attach images."""
    if settings.create_owners or preflight:
        yield _statement("Domains", ["sagemaker:DescribeDomain"], _resources(fleet.domains, "domain", deep=False))


def _assigning(fleet: DesiredFleet, settings: Settings, *, read_only: bool) -> Iterable[dict[str, Any]]:
    """Yield what it takes to find the users of new profiles in IAM Identity Center, and to assign them.

    An instance belongs to the organization, so neither it nor its identity store is named by the domain's account.
    """
    if not (settings.create_owners and settings.assign_users):
        return
    yield _statement("FindUsers", ["sso:ListInstances", *([] if read_only else ["identitystore:GetUserId"])], ["*"])
    if not read_only:
        applications = {f"arn:{partition(domain.region)}:sso::*:application/*" for domain in fleet.domains}
        yield _statement("AssignUsers", ["sso:CreateApplicationAssignment"], sorted(applications))


def _notifying(settings: Settings, *, read_only: bool) -> Iterable[dict[str, Any]]:
    """Yield the right to publish to the topics that the policies name, which is for the caller himself."""
    topics = sorted({channel.sns for channel in settings.notify if channel.sns})
    if topics and not read_only:
        yield _statement("Notify", ["sns:Publish"], topics)


def _sharing(state: BucketUrl | None, fleet: DesiredFleet, *, read_only: bool) -> Iterable[dict[str, Any]]:
    """Yield the rights on the bucket of a shared state, which are for the caller himself."""
    if state is None:
        return
    region = fleet.domains[0].region if fleet.domains else ""
    bucket = f"arn:{partition(region)}:s3:::{state.bucket}"
    under = f"{state.prefix}{safe_name(fleet.name)}/*"
    listing = _statement("ListState", ["s3:ListBucket"], [bucket])
    listing["Condition"] = {"StringLike": {"s3:prefix": [under]}}
    yield listing
    yield _statement("State", ["s3:GetObject", *([] if read_only else ["s3:PutObject"])], [f"{bucket}/{under}"])
    if not read_only:
        yield _statement("StateBucket", ["s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"], [bucket])


def _passing(fleet: DesiredFleet, *, create: bool) -> Iterable[dict[str, Any]]:
    """Yield the right to pass execution roles to the people that are made."""
    roles = sorted({owner.execution_role for owner in fleet.owners if owner.execution_role}) if create else []
    if roles:
        passing = _statement("PassExecutionRoles", ["iam:PassRole"], roles)
        passing["Condition"] = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
        yield passing


def _domains_with(fleet: DesiredFleet, kind: str) -> list[DesiredDomain]:
    """Return the domains in which the fleet declares an owner of a kind; all of them where it declares none."""
    names = {owner.owner.domain for owner in fleet.owners if owner.owner.kind == kind}
    return [domain for domain in fleet.domains if domain.name in names] or list(fleet.domains)


def _resources(domains: Iterable[DesiredDomain], kind: str, *, deep: bool = True) -> list[str]:
    return sorted(
        f"arn:{partition(domain.region)}:sagemaker:{domain.region}:{domain.account or '*'}:{kind}/{domain.domain_id}"
        + ("/*" if deep else "")
        for domain in domains
    )


def partition(region: str) -> str:
    """Return the part of AWS that a region lies in, as ARNs name it."""
    return next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")


def _statement(sid: str, actions: Iterable[str], resources: list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": resources}
