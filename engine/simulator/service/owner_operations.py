"""What makes, changes and removes domains, user profiles and spaces of the world.

Domains are only made by scenarios: the API's own CreateDomain is not simulated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.simulator.world import quotas
from engine.simulator.world.arns import domain_arn, profile_arn, space_arn
from engine.simulator.world.records import (
    DELETING,
    IN_SERVICE,
    PENDING,
    UPDATE_FAILED,
    UPDATING,
    Domain,
    Profile,
    Space,
)
from engine.simulator.world.service_error import IN_USE, LIMIT, NOT_FOUND, VALIDATION, ServiceError

if TYPE_CHECKING:
    from engine.simulator.world.world import World

DEFAULT_EBS_GB: Final = 5
EBS_CHANGE_EVERY_SECONDS: Final = 6 * 3_600.0


def add_domain(
    world: World,
    domain_id: str,
    region: str,
    account: str,
    *,
    name: str = "",
    auth_mode: str = "IAM",
    tags: dict[str, str] | None = None,
) -> Domain:
    """Put a domain into the world, InService."""
    domain = Domain(
        domain_id=domain_id,
        name=name or domain_id,
        region=region,
        account=account,
        auth_mode=auth_mode,
        created_at=round(world.now, 3),
        arn=domain_arn(account, region, domain_id),
        seq=world.next_seq(),
        tags=tags or {},
    )
    world.add_domain(domain)
    return domain


def find_profile(domain: Domain, name: str) -> Profile:
    """Return a user profile, whatever the case of its name."""
    profile = domain.profiles.get(name.lower())
    if profile is None:
        raise ServiceError(NOT_FOUND, f"UserProfile [{name}] does not exist in Domain [{domain.domain_id}].")
    return profile


def find_space(domain: Domain, name: str) -> Space:
    """Return a space."""
    space = domain.spaces.get(name)
    if space is None:
        raise ServiceError(NOT_FOUND, f"Space [{name}] does not exist in Domain [{domain.domain_id}].")
    return space


def create_profile(
    world: World,
    domain: Domain,
    name: str,
    *,
    settings: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
    sso: tuple[str, str] = ("", ""),
    at_once: bool = False,
) -> Profile:
    """Make a user profile: Pending, or InService and past all limits with `at_once`."""
    if name.lower() in domain.profiles:
        raise ServiceError(IN_USE, f"UserProfile [{name}] already exists in Domain [{domain.domain_id}].")
    if any(sso) and domain.auth_mode != "SSO":
        raise ServiceError(VALIDATION, "SingleSignOnUserValue is only supported when AuthMode of the Domain is SSO.")
    if domain.auth_mode == "SSO" and not at_once and not all(sso):
        raise ServiceError(
            VALIDATION,
            "SingleSignOnUserIdentifier and SingleSignOnUserValue are required when AuthMode of the Domain is SSO.",
        )
    if not at_once and any(sso) and world.center.profiles_need_users and not world.center.has(sso[1]):
        raise ServiceError(VALIDATION, f"SingleSignOnUserValue [{sso[1]}] is not a user of the identity store.")
    if not at_once:
        _check_owner_quota(world, domain, quotas.USER_PROFILES, spaces=False)
    now = round(world.now, 3)
    domain.next_uid += 1
    profile = Profile(
        domain_id=domain.domain_id,
        name=name,
        status=IN_SERVICE if at_once else PENDING,
        created_at=now,
        modified_at=now,
        arn=profile_arn(domain, name),
        seq=world.next_seq(),
        uid=str(domain.next_uid),
        tags=tags or {},
        settings=settings or {},
        sso_identifier=sso[0],
        sso_value=sso[1],
    )
    world.add_owner(profile)
    if not at_once:
        world.set_due(profile, world.now + world.draw(world.timing.profile_pending))
    return profile


def create_space(
    world: World,
    domain: Domain,
    name: str,
    *,
    owner: str = "",
    sharing: str = "",
    settings: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
    display_name: str = "",
    at_once: bool = False,
) -> Space:
    """Make a space: Pending, or InService with its volume and past all limits with `at_once`."""
    if name in domain.spaces:
        raise ServiceError(IN_USE, f"Space [{name}] already exists in Domain [{domain.domain_id}].")
    if bool(owner) != bool(sharing):
        raise ServiceError(VALIDATION, "OwnershipSettings and SpaceSharingSettings must be specified together.")
    profile = find_profile(domain, owner) if owner else None
    if profile is not None and profile.status != IN_SERVICE:
        raise ServiceError(
            VALIDATION,
            f"Unable to create Space [{name}] because UserProfile [{owner}] is not in InService",
        )
    settings = settings or {}
    ebs_gb = _ebs_gb(settings)
    if not at_once:
        _check_owner_quota(world, domain, quotas.SPACES, spaces=True)
    now = round(world.now, 3)
    domain.next_uid += 1
    space = Space(
        domain_id=domain.domain_id,
        name=name,
        status=IN_SERVICE if at_once else PENDING,
        created_at=now,
        modified_at=now,
        arn=space_arn(domain, name),
        seq=world.next_seq(),
        uid=str(domain.next_uid),
        owner=profile.name if profile is not None else "",
        sharing=sharing,
        app_type=settings.get("AppType", ""),
        ebs_gb=ebs_gb,
        display_name=display_name,
        tags=tags or {},
        settings=settings,
    )
    world.add_owner(space)
    if not at_once:
        world.set_due(space, world.now + world.draw(world.timing.space_pending))
    return space


def update_profile(world: World, domain: Domain, name: str, settings: dict[str, Any]) -> Profile:
    """Change a user profile's settings; it leaves InService for a while."""
    profile = find_profile(domain, name)
    _require_updatable(profile, "UserProfile")
    profile.settings = {**profile.settings, **settings}
    _begin_update(world, profile, world.timing.profile_updating)
    return profile


def update_space(world: World, domain: Domain, name: str, settings: dict[str, Any], display_name: str | None) -> Space:
    """Change a space's settings; it leaves InService for a while.

    Another app type, a smaller volume, and a second change of the volume within six hours are refused.
    """
    space = find_space(domain, name)
    _require_updatable(space, "Space")
    if settings.get("AppType", space.app_type) != space.app_type:
        raise ServiceError(VALIDATION, f"AppType of Space [{name}] cannot be changed.")
    ebs_gb = _ebs_gb(settings) if "SpaceStorageSettings" in settings else space.ebs_gb
    if ebs_gb < space.ebs_gb:
        raise ServiceError(VALIDATION, f"The volume of Space [{name}] cannot be made smaller than {space.ebs_gb} GB.")
    if ebs_gb != space.ebs_gb:
        _grow_volume(world, space, ebs_gb)
    space.settings = {**space.settings, **settings}
    if display_name is not None:
        space.display_name = display_name
    _begin_update(world, space, world.timing.space_updating)
    return space


def _grow_volume(world: World, space: Space, ebs_gb: int) -> None:
    if space.live_apps:
        raise ServiceError(IN_USE, f"Unable to update Space [{space.name}] because App(s) are associated with it.")
    if space.ebs_changed_at and world.now < space.ebs_changed_at + EBS_CHANGE_EVERY_SECONDS:
        raise ServiceError(
            VALIDATION,
            "VolumeModificationRateExceeded: You've reached the maximum modification rate per volume limit. "
            "Wait at least 6 hours between modifications per EBS volume.",
        )
    space.ebs_gb = ebs_gb
    space.ebs_changed_at = round(world.now, 3)


def _require_updatable(owner: Profile | Space, kind: str) -> None:
    if owner.status not in (IN_SERVICE, UPDATE_FAILED):
        raise ServiceError(IN_USE, f"Unable to update {kind} [{owner.name}] because it is in {owner.status} status.")


def _begin_update(world: World, owner: Profile | Space, seconds: tuple[float, float]) -> None:
    owner.status = UPDATING
    owner.modified_at = round(world.now, 3)
    owner.failure_reason = ""
    owner.will_fail = world.update_failure_of(owner.name)
    world.set_due(owner, world.now + world.draw(seconds))


def delete_profile(world: World, domain: Domain, name: str) -> None:
    """Begin to delete a user profile that has neither apps nor spaces."""
    profile = find_profile(domain, name)
    if profile.live_apps:
        raise ServiceError(IN_USE, f"Unable to delete UserProfile [{name}] because App(s) are associated with it.")
    if profile.spaces:
        raise ServiceError(IN_USE, f"Unable to delete UserProfile [{name}] because Space(s) are associated with it.")
    _begin_delete(world, profile, "UserProfile", world.timing.profile_deleting)


def delete_space(world: World, domain: Domain, name: str) -> None:
    """Begin to delete a space that has no app, and its volume with it."""
    space = find_space(domain, name)
    if space.live_apps:
        raise ServiceError(IN_USE, f"Unable to delete Space [{name}] because App(s) are associated with it.")
    _begin_delete(world, space, "Space", world.timing.space_deleting)


def _begin_delete(world: World, owner: Profile | Space, kind: str, seconds: tuple[float, float]) -> None:
    if owner.status in (PENDING, UPDATING):
        raise ServiceError(VALIDATION, f"Unable to delete {kind} [{owner.name}] because it is not in InService status.")
    if owner.status != DELETING:
        owner.status = DELETING
        owner.modified_at = round(world.now, 3)
        world.set_due(owner, world.now + world.draw(seconds))


def _check_owner_quota(world: World, domain: Domain, name: str, *, spaces: bool) -> None:
    value = world.quotas.value(domain.account, domain.region, name)
    used = world.count_of_owners(domain.lane, spaces=spaces)
    if used >= value:
        raise ServiceError(LIMIT, quotas.limit_message(name, value, used, 1, world.quotas.wording))


def space_settings(app_type: str | None, ebs_gb: int | None) -> dict[str, Any]:
    """Return SpaceSettings with what is set."""
    settings: dict[str, Any] = {} if app_type is None else {"AppType": app_type}
    if ebs_gb is not None:
        settings["SpaceStorageSettings"] = {"EbsStorageSettings": {"EbsVolumeSizeInGb": ebs_gb}}
    return settings


def _ebs_gb(settings: dict[str, Any]) -> int:
    storage = settings.get("SpaceStorageSettings") or {}
    size = (storage.get("EbsStorageSettings") or {}).get("EbsVolumeSizeInGb", DEFAULT_EBS_GB)
    return int(size)
