"""The API of the simulated services: an operation's name and parameters in, the answer's members out.

Both are plain values as JSON holds them, in the service's own spelling. Errors are `ServiceError`. Not here: how they
travel (`http_face`), or what the operations do to the world (`app_operations` and its neighbours).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from engine.simulator.service import app_operations as apps
from engine.simulator.service import owner_operations as owners
from engine.simulator.service import price_operations, quota_operations, shapes
from engine.simulator.service import tag_operations as tagging
from engine.simulator.service.model import check_request
from engine.simulator.world.arns import partition
from engine.simulator.world.listing import CreationIndex, page_size, read_token, write_token
from engine.simulator.world.records import Domain, Profile, Space
from engine.simulator.world.service_error import VALIDATION, ServiceError
from engine.simulator.world.stats import OK

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.simulator.world.records import AppId
    from engine.simulator.world.world import World

Params = dict[str, Any]

SESSION_KEY_PREFIX: Final = "ASIASIMULATED"  # followed by the account of the role that was assumed
SESSION_SECONDS: Final = 3_600


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the account that the credentials belong to, and the region that the request was signed for."""

    account: str
    region: str
    arn: str = ""


def answer(world: World, caller: Caller, operation: str, params: Params, now: float) -> Params:
    """Carry out one call at `now` (epoch seconds). Raises ServiceError for what the service would refuse."""
    world.advance(now)
    try:
        service, handler = OPERATIONS[operation]
        if operation == "CreateApp":
            world.note_create(live_key(params))
        world.take_request(caller.account, caller.region, operation)
        check_request(service, operation, params)
        result = handler(world, caller, params)
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


def _domain(world: World, caller: Caller, params: Params) -> Domain:
    return apps.find_domain(world, caller.account, caller.region, params["DomainId"])


# Apps.


def _create_app(world: World, caller: Caller, params: Params) -> Params:
    key = _key(params)
    domain = _domain(world, caller, params)
    spec = shapes.spec_of_request(params.get("ResourceSpec"), params.get("RecoveryMode"))
    owner = params.get("SpaceName") or params["UserProfileName"]
    app = apps.create_app(world, domain, key, owner, spec, tagging.checked_tags(params.get("Tags")))
    return {"AppArn": app.arn}


def _describe_app(world: World, caller: Caller, params: Params) -> Params:
    key = _key(params)
    _domain(world, caller, params)
    return shapes.app_description(apps.describe_app(world, key))


def _delete_app(world: World, caller: Caller, params: Params) -> Params:
    key = _key(params)
    _domain(world, caller, params)
    apps.delete_app(world, key)
    return {}


def _list_apps(world: World, caller: Caller, params: Params) -> Params:
    user, space = params.get("UserProfileNameEquals"), params.get("SpaceNameEquals")
    kind, owner = apps.owner_of_request(user, space) if user or space else (None, "")
    found, token = apps.list_apps(
        world,
        caller.account,
        caller.region,
        domain_id=params.get("DomainIdEquals"),
        owner_kind=kind,
        owner=owner,
        size=params.get("MaxResults"),
        token=params.get("NextToken"),
        descending=params.get("SortOrder") == "Descending",
    )
    return _page("Apps", [shapes.app_details(app) for app in found], token)


def _page(member: str, rows: list[Params], token: str | None) -> Params:
    return {member: rows} if token is None else {member: rows, "NextToken": token}


# Owners.


def _create_profile(world: World, caller: Caller, params: Params) -> Params:
    profile = owners.create_profile(
        world,
        _domain(world, caller, params),
        params["UserProfileName"],
        settings=params.get("UserSettings"),
        tags=tagging.checked_tags(params.get("Tags")),
        sso=(params.get("SingleSignOnUserIdentifier") or "", params.get("SingleSignOnUserValue") or ""),
    )
    return {"UserProfileArn": profile.arn}


def _describe_profile(world: World, caller: Caller, params: Params) -> Params:
    return shapes.profile_description(owners.find_profile(_domain(world, caller, params), params["UserProfileName"]))


def _delete_profile(world: World, caller: Caller, params: Params) -> Params:
    owners.delete_profile(world, _domain(world, caller, params), params["UserProfileName"])
    return {}


def _create_space(world: World, caller: Caller, params: Params) -> Params:
    space = owners.create_space(
        world,
        _domain(world, caller, params),
        params["SpaceName"],
        owner=(params.get("OwnershipSettings") or {}).get("OwnerUserProfileName", ""),
        sharing=(params.get("SpaceSharingSettings") or {}).get("SharingType", ""),
        settings=params.get("SpaceSettings"),
        tags=tagging.checked_tags(params.get("Tags")),
        display_name=params.get("SpaceDisplayName") or "",
    )
    return {"SpaceArn": space.arn}


def _update_space(world: World, caller: Caller, params: Params) -> Params:
    space = owners.update_space(
        world,
        _domain(world, caller, params),
        params["SpaceName"],
        params.get("SpaceSettings") or {},
        params.get("SpaceDisplayName"),
    )
    return {"SpaceArn": space.arn}


def _describe_space(world: World, caller: Caller, params: Params) -> Params:
    return shapes.space_description(owners.find_space(_domain(world, caller, params), params["SpaceName"]))


def _delete_space(world: World, caller: Caller, params: Params) -> Params:
    owners.delete_space(world, _domain(world, caller, params), params["SpaceName"])
    return {}


def _list_owners(kind: type[Profile | Space], world: World, caller: Caller, params: Params) -> Params:
    """Answer ListUserProfiles and ListSpaces. By LastModifiedTime the place of a row may change between two pages."""
    is_space = kind is Space
    word = "Space" if is_space else "UserProfile"
    part = params.get(f"{word}NameContains") or ""
    by_change = params.get("SortBy") == "LastModifiedTime"
    descending = params.get("SortOrder") == "Descending"
    domain_id = params.get("DomainIdEquals")
    listing = f"{word}:{caller.account}:{caller.region}:{domain_id}:{part}:{by_change:d}:{descending:d}"
    after, size = read_token(listing, params.get("NextToken")), page_size(params.get("MaxResults"))
    index: CreationIndex[Any] = world.rows_by_lane[caller.account, caller.region]
    if domain_id is not None:
        _ = apps.find_domain(world, caller.account, caller.region, domain_id)
        index = world.spaces_by_domain[domain_id] if is_space else world.profiles_by_domain[domain_id]

    def keep(record: Any) -> bool:
        return isinstance(record, kind) and part.lower() in record.name.lower()

    if by_change:
        rows = sorted(filter(keep, index), key=lambda row: (row.modified_at, row.seq), reverse=descending)
        start = after or 0
        found, place = rows[start : start + size], (start + size if start + size < len(rows) else None)
    else:
        found, place = index.page(after, size, descending=descending, keep=keep)
    details: Callable[[Any], Params] = shapes.space_details if is_space else shapes.profile_details
    return _page(f"{word}s", [details(row) for row in found], write_token(listing, place))


def _list_profiles(world: World, caller: Caller, params: Params) -> Params:
    return _list_owners(Profile, world, caller, params)


def _list_spaces(world: World, caller: Caller, params: Params) -> Params:
    return _list_owners(Space, world, caller, params)


# Domains, tags, quotas, identity.


def _describe_domain(world: World, caller: Caller, params: Params) -> Params:
    return shapes.domain_description(_domain(world, caller, params))


def _list_domains(world: World, caller: Caller, params: Params) -> Params:
    listing = f"domains:{caller.account}:{caller.region}"
    rows = [one for one in world.domains.values() if (one.account, one.region) == (caller.account, caller.region)]
    start = read_token(listing, params.get("NextToken")) or 0
    end = start + page_size(params.get("MaxResults"))
    token = write_token(listing, end if end < len(rows) else None)
    return _page("Domains", [shapes.domain_details(domain) for domain in rows[start:end]], token)


def _list_tags(world: World, caller: Caller, params: Params) -> Params:
    listing = f"tags:{params['ResourceArn']}"
    tags = tagging.tag_list(tagging.tags_of(world, caller.account, caller.region, params["ResourceArn"]))
    start = read_token(listing, params.get("NextToken")) or 0
    end = start + params.get("MaxResults", apps.TAGS_MAX_COUNT)
    return _page("Tags", tags[start:end], write_token(listing, end if end < len(tags) else None))


def _add_tags(world: World, caller: Caller, params: Params) -> Params:
    added = tagging.checked_tags(params["Tags"])
    tags = tagging.add_tags(world, caller.account, caller.region, params["ResourceArn"], added)
    return {"Tags": tagging.tag_list(tags)}


def _delete_tags(world: World, caller: Caller, params: Params) -> Params:
    tagging.delete_tags(world, caller.account, caller.region, params["ResourceArn"], params["TagKeys"])
    return {}


def _get_resources(world: World, caller: Caller, params: Params) -> Params:
    return tagging.get_resources(world, caller.account, caller.region, params)


def _get_products(world: World, caller: Caller, params: Params) -> Params:
    del caller
    return price_operations.get_products(world, params)


def _list_quotas(world: World, caller: Caller, params: Params) -> Params:
    return quota_operations.list_service_quotas(world, caller.account, caller.region, params)


def _get_quota(world: World, caller: Caller, params: Params) -> Params:
    return quota_operations.get_service_quota(world, caller.account, caller.region, params)


def _raise_quota(world: World, caller: Caller, params: Params) -> Params:
    return quota_operations.request_increase(world, caller.account, caller.region, params)


def caller_arn(caller: Caller) -> str:
    """Return the ARN that GetCallerIdentity tells."""
    return caller.arn or f"arn:{partition(caller.region)}:sts::{caller.account}:assumed-role/simulated/appfleet"


def _caller_identity(world: World, caller: Caller, params: Params) -> Params:
    del world, params
    return {"Account": caller.account, "Arn": caller_arn(caller), "UserId": "AROASIMULATED:appfleet"}


def _assume_role(world: World, caller: Caller, params: Params) -> Params:
    del caller
    parts = params["RoleArn"].split(":")
    if len(parts) < 6 or parts[2] != "iam" or not parts[4].isdigit():
        raise ServiceError(VALIDATION, f"{params['RoleArn']} is invalid")
    name = params["RoleArn"].rpartition("/")[2]
    session = params["RoleSessionName"]
    return {
        "Credentials": {
            "AccessKeyId": f"{SESSION_KEY_PREFIX}{parts[4]}",
            "SecretAccessKey": "key-of-the-simulated-role",
            "SessionToken": "token-of-the-simulated-role",
            "Expiration": world.now + params.get("DurationSeconds", SESSION_SECONDS),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": f"AROASIMULATED:{session}",
            "Arn": f"arn:{parts[1]}:sts::{parts[4]}:assumed-role/{name}/{session}",
        },
    }


OPERATIONS: Final[dict[str, tuple[str, Callable[[World, Caller, Params], Params]]]] = {
    "CreateApp": ("sagemaker", _create_app),
    "DescribeApp": ("sagemaker", _describe_app),
    "DeleteApp": ("sagemaker", _delete_app),
    "ListApps": ("sagemaker", _list_apps),
    "CreateUserProfile": ("sagemaker", _create_profile),
    "DescribeUserProfile": ("sagemaker", _describe_profile),
    "DeleteUserProfile": ("sagemaker", _delete_profile),
    "ListUserProfiles": ("sagemaker", _list_profiles),
    "CreateSpace": ("sagemaker", _create_space),
    "UpdateSpace": ("sagemaker", _update_space),
    "DescribeSpace": ("sagemaker", _describe_space),
    "DeleteSpace": ("sagemaker", _delete_space),
    "ListSpaces": ("sagemaker", _list_spaces),
    "DescribeDomain": ("sagemaker", _describe_domain),
    "ListDomains": ("sagemaker", _list_domains),
    "ListTags": ("sagemaker", _list_tags),
    "AddTags": ("sagemaker", _add_tags),
    "DeleteTags": ("sagemaker", _delete_tags),
    "GetCallerIdentity": ("sts", _caller_identity),
    "AssumeRole": ("sts", _assume_role),
    "ListServiceQuotas": ("servicequotas", _list_quotas),
    "GetServiceQuota": ("servicequotas", _get_quota),
    "RequestServiceQuotaIncrease": ("servicequotas", _raise_quota),
    "GetResources": ("tagging", _get_resources),
    "GetProducts": ("pricing", _get_products),
}
