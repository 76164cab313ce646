"""CreateApp, DescribeApp, DeleteApp and ListApps on the world, with typed arguments.

The order of the checks is the service's as far as it is known: the request, what it refers to, the name, the space's
volume, the quotas. What is not known is written down in `docs/simulator.md`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from engine.core.identity import SPACE, USER
from engine.simulator.service.plan_operations import check_room, find_usable
from engine.simulator.world import quotas
from engine.simulator.world.arns import app_arn
from engine.simulator.world.faults import STUCK
from engine.simulator.world.listing import page_size, read_token, write_token
from engine.simulator.world.records import (
    DELETED,
    DELETING,
    DOMAIN_SHARED,
    FAILED,
    IN_SERVICE,
    PENDING,
    App,
    AppId,
    Bucket,
    Domain,
    Profile,
    Space,
    app_id,
)
from engine.simulator.world.service_error import IN_USE, LIMIT, NOT_FOUND, VALIDATION, ServiceError

if TYPE_CHECKING:
    from engine.core.desired import AppSpec
    from engine.core.identity import Lane, OwnerKind
    from engine.simulator.world.world import World

SYSTEM: Final = "system"
CLEARED: Final = "None"
DEFAULT_INSTANCE_TYPE: Final = "ml.t3.medium"
TAGS_MAX_COUNT: Final = 50

SPACE_ONLY: Final = frozenset({"JupyterLab", "CodeEditor"})
SHARED_SPACE_TOO: Final = frozenset({"JupyterServer", "KernelGateway"})
SYSTEM_TYPES: Final = frozenset({"JupyterServer", "Canvas"})


def find_domain(world: World, lane: Lane, domain_id: str) -> Domain:
    """Return a domain of the caller's account and region."""
    domain = world.domains.get(domain_id)
    if domain is None or domain.lane != lane:
        raise ServiceError(NOT_FOUND, f"Domain [{domain_id}] does not exist.")
    return domain


def create_app(world: World, domain: Domain, key: AppId, owner: str, spec: AppSpec, tags: dict[str, str]) -> App:
    """Make an app, Pending. `owner` is the name as it was written, `tags` the call's own."""
    holder = _ready_owner(domain, key, owner)
    _check_type(key, holder)
    _check_name(world, key, holder)
    bucket = _bucket_of(domain, key, holder, spec)
    instance_type = bucket.instance_type
    if bucket.training_plan:
        find_usable(world, domain.lane, bucket)
    world.stats.create_reached_bucket(bucket, world.now)
    fails = _check_quotas(world, bucket, key, owner)
    merged = {**domain.tags, **(holder.tags if isinstance(holder, Profile) else {}), **tags}
    if len(merged) > TAGS_MAX_COUNT:
        raise ServiceError(
            VALIDATION, f"The app would have {len(merged)} tags, and at most {TAGS_MAX_COUNT} are allowed."
        )
    if not fails:
        reason = world.failure_of(key.app_type, instance_type, owner, spec.lifecycle_config_arn or "", domain.region)
        fails = "" if reason is None else reason or " "
    app = _add_app(world, domain, key, owner, spec, bucket, merged, PENDING)
    app.will_fail = fails
    if fails != STUCK:
        world.set_due(app, world.now + world.draw(world.timing.app_pending))
    return app


def _add_app(
    world: World,
    domain: Domain,
    key: AppId,
    owner: str,
    spec: AppSpec,
    bucket: Bucket,
    tags: dict[str, str],
    status: str,
) -> App:
    app = App(
        key=key,
        owner=owner,
        status=status,
        created_at=round(world.now, 3),
        spec=replace(
            spec,
            instance_type=bucket.instance_type,
            training_plan_arn=bucket.training_plan or None,
            recovery_mode=None,
            tags=(),
        ),
        recovery_mode=spec.recovery_mode,
        arn=app_arn(domain, owner, key.app_type, key.app_name),
        seq=world.next_seq(),
        bucket=bucket,
        tags=tags,
    )
    world.add_app(app)
    return app


def place_app(
    world: World, domain: Domain, key: AppId, owner: str, spec: AppSpec, tags: dict[str, str], status: str
) -> App:
    """Put an app into the world as it is, past all rules and limits; for scenarios.

    A Pending or Deleting one goes on from there; one whose key is alive already is left as it is.
    """
    old = world.apps.get(key)
    if old is not None and old.is_alive:
        return old
    holder = domain.spaces.get(key.owner) if key.owner_kind == SPACE else domain.profiles.get(key.owner)
    bucket = _bucket_of(domain, key, holder, spec)
    app = _add_app(world, domain, key, owner, spec, bucket, dict(tags), IN_SERVICE)
    if status == PENDING:
        app.status = PENDING
        world.set_due(app, world.now + world.draw(world.timing.app_pending))
    elif status == DELETING:
        begin_delete(world, app)
    elif status != IN_SERVICE:
        world.set_app_status(app, status)
    return app


def describe_app(world: World, key: AppId) -> App:
    """Return the app of a key, tombstones included."""
    app = world.apps.get(key)
    if app is None:
        raise ServiceError(VALIDATION, f"RecordNotFound: App [{key.app_name}] does not exist.")
    return app


def activity_of(world: World, app: App) -> tuple[float, float]:
    """Return when somebody last worked in an app and when its health was last checked; zeros unless it is InService.

    It is checked as it is made and then every so often. A check that finds nobody at work since the one before sets
    both times alike.
    """
    if app.status != IN_SERVICE:
        return 0.0, 0.0
    every_s = world.timing.health_check
    checked_at = app.created_at + (world.now - app.created_at) // every_s * every_s
    used_at = min(world.now, app.used_until)
    return (used_at if used_at > max(checked_at - every_s, app.created_at) else checked_at), checked_at


def delete_app(world: World, key: AppId) -> None:
    """Begin to delete an app. A second call while it is Deleting changes nothing."""
    app = world.apps.get(key)
    if app is None:
        raise ServiceError(VALIDATION, f"App [{key.app_name}] does not exist.")
    if app.status == DELETED:
        raise ServiceError(
            VALIDATION,
            f"App [{key.app_name}] has already been deleted. For tracking purposes, apps are available in the ListApps "
            "API results for only 24 hours after deletion.",
        )
    if app.status == FAILED:
        raise ServiceError(
            VALIDATION,
            f"App [{key.app_name}] previously failed and was automatically deleted. For tracking purposes, apps are "
            "available in the ListApps API results for only 24 hours after failure.",
        )
    if app.status == PENDING:
        raise ServiceError(IN_USE, f"App [{key.app_name}] is in Pending status and cannot be deleted yet.")
    if app.status == IN_SERVICE:
        begin_delete(world, app)


def begin_delete(world: World, app: App) -> None:
    """Move an app to Deleting."""
    world.set_app_status(app, DELETING)
    world.set_due(app, world.now + world.draw(world.timing.app_deleting))


def list_apps(
    world: World,
    lane: Lane,
    *,
    domain_id: str | None = None,
    owner_kind: OwnerKind | None = None,
    owner: str = "",
    size: int | None = None,
    token: str | None = None,
    descending: bool = False,
) -> tuple[list[App], str | None]:
    """Return one page of apps by creation, of a lane, a domain or an owner, and the token of the next page.

    Apps of a user's private spaces are rows of the space, not of the user.
    """
    name = owner.lower() if owner_kind == USER else owner
    listing = f"apps:{lane}:{domain_id}:{owner_kind}:{name}:{descending:d}"
    after = read_token(listing, token)
    rows = page_size(size)
    if domain_id is not None:
        find_domain(world, lane, domain_id)
        index = (
            world.apps_by_domain.get(domain_id)
            if owner_kind is None
            else world.apps_by_owner.get((domain_id, owner_kind, name))
        )
        if index is None:
            return [], None
        found, place = index.page(after, rows, descending=descending)
        return found, write_token(listing, place)

    def is_wanted(record: Any) -> bool:
        if not isinstance(record, App):
            return False
        return owner_kind is None or (record.key.owner_kind == owner_kind and record.key.owner == name)

    mixed, place = world.rows_by_lane[lane].page(after, rows, descending=descending, keep=is_wanted)
    return [record for record in mixed if isinstance(record, App)], write_token(listing, place)


def owner_of_request(user: str | None, space: str | None) -> tuple[OwnerKind, str]:
    """Return the owner that a request names; it must name exactly one."""
    if user and space:
        raise ServiceError(VALIDATION, "Only one of UserProfileName and SpaceName may be specified.")
    if space:
        return SPACE, space
    if user:
        return USER, user
    raise ServiceError(VALIDATION, "Either UserProfileName or SpaceName must be specified.")


def key_of_request(domain_id: str, user: str | None, space: str | None, app_type: str, app_name: str) -> AppId:
    """Return the key that a request names."""
    kind, owner = owner_of_request(user, space)
    return app_id(domain_id, kind, owner, app_type, app_name)


def _ready_owner(domain: Domain, key: AppId, owner: str) -> Profile | Space | None:
    holder: Profile | Space | None
    if key.owner_kind == SPACE:
        holder = domain.spaces.get(key.owner)
        kind = "Space"
    else:
        if key.owner == DOMAIN_SHARED and key.app_type == "RStudioServerPro":
            return None
        holder = domain.profiles.get(key.owner)
        kind = "UserProfile"
    if holder is None:
        raise ServiceError(NOT_FOUND, f"{kind} [{owner}] does not exist in Domain [{domain.domain_id}].")
    if holder.status != IN_SERVICE:
        raise ServiceError(
            VALIDATION, f"Unable to create App [{key.app_name}] because {kind} [{owner}] is not in InService status."
        )
    return holder


def _check_type(key: AppId, holder: Profile | Space | None) -> None:
    app_type = key.app_type
    if app_type == "RStudioServerPro" and holder is not None:
        raise ServiceError(VALIDATION, f"RStudioServerPro apps belong to the user profile [{DOMAIN_SHARED}].")
    if not isinstance(holder, Space):
        if app_type in SPACE_ONLY:
            raise ServiceError(VALIDATION, f"AppType [{app_type}] requires a SpaceName, not a UserProfileName.")
        return
    if app_type in SPACE_ONLY:
        if holder.app_type and holder.app_type != app_type:
            raise ServiceError(
                VALIDATION, f"AppType [{app_type}] does not match AppType [{holder.app_type}] of Space [{holder.name}]."
            )
    elif app_type not in SHARED_SPACE_TOO or holder.sharing != "Shared":
        sharing = f"{holder.sharing.lower()} space" if holder.sharing else "space"
        raise ServiceError(VALIDATION, f"AppType [{app_type}] is not supported in a {sharing} [{holder.name}].")


def _check_name(world: World, key: AppId, holder: Profile | Space | None) -> None:
    old = world.apps.get(key)
    if old is not None and old.is_alive:
        raise ServiceError(IN_USE, f"App [{key.app_name}] of AppType [{key.app_type}] is in {old.status} status.")
    if not isinstance(holder, Space):
        return
    if key.app_type in SPACE_ONLY and holder.live_apps:
        raise ServiceError(IN_USE, f"Space [{holder.name}] already has an app; a space runs one application.")
    if world.now < holder.storage_ready_at:
        raise ServiceError(IN_USE, f"Unable to create app [{key.app_name}] because storage is not in Available status")


def _bucket_of(domain: Domain, key: AppId, holder: Profile | Space | None, spec: AppSpec) -> Bucket:
    """Return what an app of this spec counts against; what the call leaves open comes from the owner or the domain."""
    asked = spec.training_plan_arn or _default(domain, key, holder, "TrainingPlanArn") or CLEARED
    return Bucket(
        domain.account,
        domain.region,
        key.app_type,
        _instance_type(domain, key, holder, spec.instance_type),
        "" if asked == CLEARED else asked,
    )


def _default(domain: Domain, key: AppId, holder: Profile | Space | None, member: str) -> str | None:
    """Return a member of the ResourceSpec that an owner's apps of a type have, else that of the domain's."""
    defaults = domain.space_settings if isinstance(holder, Space) else domain.user_settings
    for settings in (holder.settings if holder is not None else {}, defaults):
        resource = (settings.get(f"{key.app_type}AppSettings") or {}).get("DefaultResourceSpec") or {}
        found: str | None = resource.get(member)
        if found is not None:
            return found
    return None


def _instance_type(domain: Domain, key: AppId, holder: Profile | Space | None, asked: str | None) -> str:
    app_type = key.app_type
    chosen = asked if asked is not None else _default(domain, key, holder, "InstanceType")
    if app_type == "JupyterServer":
        if chosen not in (None, SYSTEM):
            raise ServiceError(
                VALIDATION, f"InstanceType [{chosen}] is not valid for AppType [JupyterServer]: use system."
            )
        return SYSTEM
    if app_type == "KernelGateway":
        if chosen is None:
            raise ServiceError(
                VALIDATION,
                "InstanceType must be specified for AppType [KernelGateway]: neither owner nor domain set one.",
            )
        return DEFAULT_INSTANCE_TYPE if chosen == SYSTEM else chosen
    if app_type in SPACE_ONLY and chosen == SYSTEM:
        raise ServiceError(VALIDATION, f"InstanceType [system] is not valid for AppType [{app_type}].")
    return chosen or (SYSTEM if app_type in SYSTEM_TYPES else DEFAULT_INSTANCE_TYPE)


def _check_quotas(world: World, bucket: Bucket, key: AppId, owner: str) -> str:
    """Refuse what a quota does not allow; give the reason of a late failure where a quota of 0 is not seen at once."""
    limits = world.quotas
    if key.app_type == "KernelGateway" and key.owner_kind == USER:
        kernels = world.kernels_of_user[key.domain_id, key.owner, bucket.instance_type]
        if kernels >= quotas.KERNEL_GATEWAY_APPS_PER_USER:
            raise ServiceError(LIMIT, quotas.per_user_message(bucket.instance_type, owner))
    late = check_room(world, bucket) if bucket.training_plan else _check_bucket(world, bucket)
    value = limits.value(bucket.account, bucket.region, quotas.RUNNING_APPS)
    used = world.running[bucket.account, bucket.region]
    if used >= value:
        raise ServiceError(LIMIT, quotas.limit_message(quotas.RUNNING_APPS, value, used, 1, limits.wording))
    return late


def _check_bucket(world: World, bucket: Bucket) -> str:
    """Refuse what the quota of a bucket does not allow; give the reason of a late failure as `_check_quotas` does."""
    limits = world.quotas
    name = quotas.bucket_quota_name(bucket.app_type, bucket.instance_type)
    value = limits.value(bucket.account, bucket.region, name)
    used = world.bucket_usage[bucket]
    if used < value:
        return ""
    text = quotas.limit_message(name, value, used, 1, limits.wording)
    if value or limits.zero_is_refused:
        raise ServiceError(LIMIT, text)
    return f"ResourceLimitExceeded: {text}"
