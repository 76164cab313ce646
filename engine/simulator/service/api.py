"""The API of the simulated services: an operation's name and parameters in, the answer's members out.

Both are plain values as JSON holds them, in the service's own spelling. Errors are `ServiceError`. Not here: how they
travel (`http_face`), or what the operations do to the world (`app_operations` and its neighbours).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from engine.simulator.service import app_operations as apps
from engine.simulator.service import identity_operations as identity
from engine.simulator.service import ingredient_operations as ingredients
from engine.simulator.service import owner_operations as owners
from engine.simulator.service import plan_operations as plans
from engine.simulator.service import price_operations as prices
from engine.simulator.service import quota_operations as quotas
from engine.simulator.service import shapes
from engine.simulator.service import sign_in_operations as sign_in
from engine.simulator.service import tag_operations as tagging
from engine.simulator.service.model import check_request
from engine.simulator.world.listing import CreationIndex, page_size, read_token, show_page, slice_page, write_token
from engine.simulator.world.records import Domain, Profile, Space
from engine.simulator.world.service_error import ServiceError
from engine.simulator.world.stats import OK

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.identity import Lane
    from engine.simulator.world.records import AppId
    from engine.simulator.world.world import World

Params = dict[str, Any]


def answer(world: World, lane: Lane, operation: str, params: Params, now: float) -> Params:
    """Carry out one call at `now` (epoch seconds). Raises ServiceError for what the service would refuse."""
    world.advance(now)
    try:
        service, handler = OPERATIONS[operation]
        if operation == "CreateApp":
            world.note_create(live_key(params))
        world.take_request(lane, operation)
        check_request(service, operation, params)
        result = handler(world, lane, params)
    except ServiceError as error:
        world.stats.answered(operation, error.code)
        raise
    world.stats.answered(operation, OK)
    return result


def live_key(params: Params) -> AppId | None:
    """Return the key that a CreateApp request names, None where it names none."""
    try:
        return _key(params)
    except (ServiceError, KeyError, AttributeError, TypeError):
        return None  # the request will be refused for what is wrong with it


def _key(params: Params) -> AppId:
    return apps.key_of_request(
        params["DomainId"], params.get("UserProfileName"), params.get("SpaceName"), params["AppType"], params["AppName"]
    )


def _domain(world: World, lane: Lane, params: Params) -> Domain:
    return apps.find_domain(world, lane, params["DomainId"])


# Apps.


def _create_app(world: World, lane: Lane, params: Params) -> Params:
    key = _key(params)
    domain = _domain(world, lane, params)
    spec = shapes.spec_of_request(params.get("ResourceSpec"), params.get("RecoveryMode"))
    owner = params.get("SpaceName") or params["UserProfileName"]
    app = apps.create_app(world, domain, key, owner, spec, tagging.checked_tags(params.get("Tags")))
    return {"AppArn": app.arn}


def _describe_app(world: World, lane: Lane, params: Params) -> Params:
    key = _key(params)
    _domain(world, lane, params)
    app = apps.describe_app(world, key)
    return shapes.app_description(app, apps.activity_of(world, app))


def _delete_app(world: World, lane: Lane, params: Params) -> Params:
    key = _key(params)
    _domain(world, lane, params)
    apps.delete_app(world, key)
    return {}


def _list_apps(world: World, lane: Lane, params: Params) -> Params:
    user, space = params.get("UserProfileNameEquals"), params.get("SpaceNameEquals")
    kind, owner = apps.owner_of_request(user, space) if user or space else (None, "")
    found, token = apps.list_apps(
        world,
        lane,
        domain_id=params.get("DomainIdEquals"),
        owner_kind=kind,
        owner=owner,
        size=params.get("MaxResults"),
        token=params.get("NextToken"),
        descending=params.get("SortOrder") == "Descending",
    )
    return show_page("Apps", [shapes.app_details(app) for app in found], token)


# Owners.


def _create_profile(world: World, lane: Lane, params: Params) -> Params:
    profile = owners.create_profile(
        world,
        _domain(world, lane, params),
        params["UserProfileName"],
        settings=params.get("UserSettings"),
        tags=tagging.checked_tags(params.get("Tags")),
        sso=(params.get("SingleSignOnUserIdentifier") or "", params.get("SingleSignOnUserValue") or ""),
    )
    return {"UserProfileArn": profile.arn}


def _describe_profile(world: World, lane: Lane, params: Params) -> Params:
    return shapes.profile_description(owners.find_profile(_domain(world, lane, params), params["UserProfileName"]))


def _delete_profile(world: World, lane: Lane, params: Params) -> Params:
    owners.delete_profile(world, _domain(world, lane, params), params["UserProfileName"])
    return {}


def _create_space(world: World, lane: Lane, params: Params) -> Params:
    space = owners.create_space(
        world,
        _domain(world, lane, params),
        params["SpaceName"],
        owner=(params.get("OwnershipSettings") or {}).get("OwnerUserProfileName", ""),
        sharing=(params.get("SpaceSharingSettings") or {}).get("SharingType", ""),
        settings=params.get("SpaceSettings"),
        tags=tagging.checked_tags(params.get("Tags")),
        display_name=params.get("SpaceDisplayName") or "",
    )
    return {"SpaceArn": space.arn}


def _update_profile(world: World, lane: Lane, params: Params) -> Params:
    domain = _domain(world, lane, params)
    profile = owners.update_profile(world, domain, params["UserProfileName"], params.get("UserSettings") or {})
    return {"UserProfileArn": profile.arn}


def _update_space(world: World, lane: Lane, params: Params) -> Params:
    space = owners.update_space(
        world,
        _domain(world, lane, params),
        params["SpaceName"],
        params.get("SpaceSettings") or {},
        params.get("SpaceDisplayName"),
    )
    return {"SpaceArn": space.arn}


def _describe_space(world: World, lane: Lane, params: Params) -> Params:
    return shapes.space_description(owners.find_space(_domain(world, lane, params), params["SpaceName"]))


def _delete_space(world: World, lane: Lane, params: Params) -> Params:
    owners.delete_space(world, _domain(world, lane, params), params["SpaceName"])
    return {}


def _list_owners(kind: type[Profile | Space], world: World, lane: Lane, params: Params) -> Params:
    """Answer ListUserProfiles and ListSpaces. By LastModifiedTime the place of a row may change between two pages."""
    is_space = kind is Space
    word = "Space" if is_space else "UserProfile"
    part = params.get(f"{word}NameContains") or ""
    by_change = params.get("SortBy") == "LastModifiedTime"
    descending = params.get("SortOrder") == "Descending"
    domain_id = params.get("DomainIdEquals")
    listing = f"{word}:{lane}:{domain_id}:{part}:{by_change:d}:{descending:d}"
    size = page_size(params.get("MaxResults"))
    index: CreationIndex[Any] = world.rows_by_lane[lane]
    if domain_id is not None:
        _ = apps.find_domain(world, lane, domain_id)
        index = world.owners_by_domain[domain_id, kind]

    def keep(record: Any) -> bool:
        return isinstance(record, kind) and part.lower() in record.name.lower()

    if by_change:
        rows = sorted(filter(keep, index), key=lambda row: (row.modified_at, row.seq), reverse=descending)
        found, token = slice_page(rows, listing, params.get("NextToken"), size)
    else:
        after = read_token(listing, params.get("NextToken"))
        found, place = index.page(after, size, descending=descending, keep=keep)
        token = write_token(listing, place)
    details: Callable[[Any], Params] = shapes.space_details if is_space else shapes.profile_details
    return show_page(f"{word}s", [details(row) for row in found], token)


# Domains.


def _describe_domain(world: World, lane: Lane, params: Params) -> Params:
    return shapes.domain_description(_domain(world, lane, params))


def _list_domains(world: World, lane: Lane, params: Params) -> Params:
    listing = f"domains:{lane}"
    rows = [one for one in world.domains.values() if one.lane == lane]
    page, token = slice_page(rows, listing, params.get("NextToken"), page_size(params.get("MaxResults")))
    return show_page("Domains", [shapes.domain_details(domain) for domain in page], token)


OPERATIONS: Final[dict[str, tuple[str, Callable[[World, Lane, Params], Params]]]] = {
    "CreateApp": ("sagemaker", _create_app),
    "DescribeApp": ("sagemaker", _describe_app),
    "DeleteApp": ("sagemaker", _delete_app),
    "ListApps": ("sagemaker", _list_apps),
    "CreateUserProfile": ("sagemaker", _create_profile),
    "DescribeUserProfile": ("sagemaker", _describe_profile),
    "DeleteUserProfile": ("sagemaker", _delete_profile),
    "ListUserProfiles": ("sagemaker", partial(_list_owners, Profile)),
    "CreateSpace": ("sagemaker", _create_space),
    "UpdateSpace": ("sagemaker", _update_space),
    "UpdateUserProfile": ("sagemaker", _update_profile),
    "DescribeSpace": ("sagemaker", _describe_space),
    "DeleteSpace": ("sagemaker", _delete_space),
    "ListSpaces": ("sagemaker", partial(_list_owners, Space)),
    "DescribeDomain": ("sagemaker", _describe_domain),
    "ListDomains": ("sagemaker", _list_domains),
    "DescribeTrainingPlan": ("sagemaker", plans.describe_training_plan),
    "DescribeImage": ("sagemaker", ingredients.describe_image),
    "DescribeImageVersion": ("sagemaker", ingredients.describe_image_version),
    "DescribeStudioLifecycleConfig": ("sagemaker", ingredients.describe_lifecycle_config),
    "ListTags": ("sagemaker", tagging.list_tags),
    "AddTags": ("sagemaker", tagging.add_tags),
    "DeleteTags": ("sagemaker", tagging.delete_tags),
    "GetCallerIdentity": ("sts", identity.caller_identity),
    "AssumeRole": ("sts", identity.assume_role),
    "GetRole": ("iam", ingredients.get_role),
    "ListServiceQuotas": ("servicequotas", quotas.list_service_quotas),
    "GetServiceQuota": ("servicequotas", quotas.get_service_quota),
    "RequestServiceQuotaIncrease": ("servicequotas", quotas.request_increase),
    "GetResources": ("tagging", tagging.get_resources),
    "GetProducts": ("pricing", prices.get_products),
    "ListInstances": ("sso-admin", sign_in.list_instances),
    "CreateApplicationAssignment": ("sso-admin", sign_in.create_assignment),
    "GetUserId": ("identitystore", sign_in.get_user_id),
}
