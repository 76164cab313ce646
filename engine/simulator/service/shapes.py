"""Records of the world as the API shows them. Members without a value are left out; times are epoch seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.core.desired import AppSpec
from engine.simulator.world.identity_center import application_arn

if TYPE_CHECKING:
    from engine.simulator.world.records import App, Domain, Profile, Space

_SPEC_MEMBERS = (
    ("SageMakerImageArn", "image_arn"),
    ("SageMakerImageVersionArn", "image_version_arn"),
    ("SageMakerImageVersionAlias", "image_version_alias"),
    ("InstanceType", "instance_type"),
    ("LifecycleConfigArn", "lifecycle_config_arn"),
    ("TrainingPlanArn", "training_plan_arn"),
)


def spec_of_request(resource: dict[str, Any] | None, recovery_mode: bool | None) -> AppSpec:
    """Return the spec that a CreateApp request asks for, without tags."""
    given = resource or {}
    asked: dict[str, Any] = {name: given.get(member) for member, name in _SPEC_MEMBERS}
    return AppSpec(recovery_mode=recovery_mode, **asked)


def resource_spec(spec: AppSpec) -> dict[str, Any]:
    """Return the ResourceSpec of an app."""
    return {member: value for member, name in _SPEC_MEMBERS if (value := getattr(spec, name)) is not None}


def app_details(app: App) -> dict[str, Any]:
    """Return a row of ListApps."""
    return {
        "DomainId": app.key.domain_id,
        "SpaceName" if app.is_of_space else "UserProfileName": app.owner,
        "AppType": app.key.app_type,
        "AppName": app.key.app_name,
        "Status": app.status,
        "CreationTime": app.created_at,
        "ResourceSpec": resource_spec(app.spec),
    }


def app_description(app: App, activity: tuple[float, float]) -> dict[str, Any]:
    """Return the answer of DescribeApp; `activity` is when somebody last worked in it, and when it was checked."""
    shown = {"AppArn": app.arn, **app_details(app)}
    if app.recovery_mode is not None:
        shown["RecoveryMode"] = app.recovery_mode
    if app.failure_reason:
        shown["FailureReason"] = app.failure_reason[:1024]
    if any(activity):
        shown["LastUserActivityTimestamp"], shown["LastHealthCheckTimestamp"] = activity
    return shown


def profile_details(profile: Profile) -> dict[str, Any]:
    """Return a row of ListUserProfiles."""
    return {
        "DomainId": profile.domain_id,
        "UserProfileName": profile.name,
        "Status": profile.status,
        "CreationTime": profile.created_at,
        "LastModifiedTime": profile.modified_at,
    }


def profile_description(profile: Profile) -> dict[str, Any]:
    """Return the answer of DescribeUserProfile."""
    shown = {"UserProfileArn": profile.arn, "HomeEfsFileSystemUid": profile.uid, **profile_details(profile)}
    if profile.sso_identifier:
        shown["SingleSignOnUserIdentifier"] = profile.sso_identifier
    if profile.sso_value:
        shown["SingleSignOnUserValue"] = profile.sso_value
    if profile.settings:
        shown["UserSettings"] = profile.settings
    if profile.failure_reason:
        shown["FailureReason"] = profile.failure_reason
    return shown


def space_details(space: Space) -> dict[str, Any]:
    """Return a row of ListSpaces."""
    summary: dict[str, Any] = {"SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": space.ebs_gb}}}
    if space.app_type:
        summary["AppType"] = space.app_type
    shown = {**_space_members(space), "SpaceSettingsSummary": summary}
    if space.sharing:
        shown["SpaceSharingSettingsSummary"] = {"SharingType": space.sharing}
        shown["OwnershipSettingsSummary"] = {"OwnerUserProfileName": space.owner}
    return shown


def space_description(space: Space) -> dict[str, Any]:
    """Return the answer of DescribeSpace."""
    shown = {"SpaceArn": space.arn, "HomeEfsFileSystemUid": space.uid, **_space_members(space)}
    storage = {"EbsStorageSettings": {"EbsVolumeSizeInGb": space.ebs_gb}}
    shown["SpaceSettings"] = {**space.settings, "SpaceStorageSettings": storage}
    if space.sharing:
        shown["SpaceSharingSettings"] = {"SharingType": space.sharing}
        shown["OwnershipSettings"] = {"OwnerUserProfileName": space.owner}
    if space.failure_reason:
        shown["FailureReason"] = space.failure_reason
    return shown


def _space_members(space: Space) -> dict[str, Any]:
    shown = {
        "DomainId": space.domain_id,
        "SpaceName": space.name,
        "Status": space.status,
        "CreationTime": space.created_at,
        "LastModifiedTime": space.modified_at,
    }
    if space.display_name:
        shown["SpaceDisplayName"] = space.display_name
    return shown


def domain_details(domain: Domain) -> dict[str, Any]:
    """Return a row of ListDomains."""
    return {
        "DomainArn": domain.arn,
        "DomainId": domain.domain_id,
        "DomainName": domain.name,
        "Status": "InService",
        "CreationTime": domain.created_at,
        "LastModifiedTime": domain.created_at,
    }


def domain_description(domain: Domain) -> dict[str, Any]:
    """Return the answer of DescribeDomain."""
    shown = {**domain_details(domain), "AuthMode": domain.auth_mode}
    if domain.auth_mode == "SSO":
        shown["SingleSignOnApplicationArn"] = application_arn(domain)
    if domain.user_settings:
        shown["DefaultUserSettings"] = domain.user_settings
    if domain.space_settings:
        shown["DefaultSpaceSettings"] = domain.space_settings
    return shown
