"""Tags of simulated resources: ListTags, AddTags, DeleteTags, and the Tagging API's GetResources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.simulator.service.app_operations import TAGS_MAX_COUNT
from engine.simulator.world.listing import read_token, show_page, slice_page, write_token
from engine.simulator.world.records import App, Domain, Profile, Space
from engine.simulator.world.service_error import NOT_FOUND, VALIDATION, ServiceError

if TYPE_CHECKING:
    from engine.core.identity import Lane
    from engine.simulator.world.world import Record, World

RESERVED_PREFIX: Final = "aws:"
GET_RESOURCES_DEFAULT_ROWS: Final = 50
_EXPIRED: Final = ("PaginationTokenExpiredException", "The pagination token is not valid.")
_TYPES: Final = {App: "app", Profile: "user-profile", Space: "space", Domain: "domain"}


def tags_of(world: World, lane: Lane, arn: str) -> dict[str, str]:
    """Return the tags of a resource, to read or to change.

    Of a user's and a space's app with one ARN the newer one is meant. An app that is Deleted or Failed is refused
    without a word, as the service does.
    """
    record = world.by_arn.get(arn.lower())
    if record is None or arn.split(":")[3:5] != [lane.region, lane.account]:
        raise ServiceError(NOT_FOUND, f"Resource [{arn}] does not exist.")
    if isinstance(record, App) and not record.is_alive:
        raise ServiceError(VALIDATION, "")
    return record.tags


def checked_tags(pairs: list[dict[str, str]] | None) -> dict[str, str]:
    """Return the tags of a request as a map; a key that comes twice or begins with `aws:` is refused."""
    tags: dict[str, str] = {}
    for pair in pairs or ():
        key = pair["Key"]
        if key in tags:
            raise ServiceError(VALIDATION, f"Duplicate tag key [{key}].")
        if key[: len(RESERVED_PREFIX)].lower() == RESERVED_PREFIX:
            raise ServiceError(VALIDATION, f"Tag key [{key}] is not allowed: aws: prefixed tag names are reserved.")
        tags[key] = pair["Value"]
    return tags


def list_tags(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer ListTags."""
    arn = params["ResourceArn"]
    tags = tag_list(tags_of(world, lane, arn))
    page, token = slice_page(tags, f"tags:{arn}", params.get("NextToken"), params.get("MaxResults", TAGS_MAX_COUNT))
    return show_page("Tags", page, token)


def add_tags(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer AddTags with all tags that the resource has now."""
    added = checked_tags(params["Tags"])
    tags = tags_of(world, lane, params["ResourceArn"])
    if len(tags | added) > TAGS_MAX_COUNT:
        raise ServiceError(
            VALIDATION, f"The resource would have {len(tags | added)} tags, and at most {TAGS_MAX_COUNT} are allowed."
        )
    tags.update(added)
    return {"Tags": tag_list(tags)}


def delete_tags(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer DeleteTags; a missing key is not an error."""
    tags = tags_of(world, lane, params["ResourceArn"])
    for key in params["TagKeys"]:
        tags.pop(key, None)
    return {}


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as the API writes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def get_resources(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer GetResources. Apps that are Deleted or Failed have left the index of tags."""
    types = [kind.split(":") for kind in params.get("ResourceTypeFilters") or ()]
    filters = params.get("TagFilters") or []
    arns = params.get("ResourceARNList")
    size = params.get("ResourcesPerPage", GET_RESOURCES_DEFAULT_ROWS)
    token = params.get("PaginationToken")
    if arns is not None and (token or "ResourcesPerPage" in params):
        raise ServiceError(
            "InvalidParameterException", "ResourceARNList cannot be combined with pagination parameters."
        )
    wanted = {arn.lower() for arn in arns} if arns is not None else None

    def keep(record: Record) -> bool:
        if not record.tags or (isinstance(record, App) and not record.is_alive):
            return False
        if wanted is not None and record.arn.lower() not in wanted:
            return False
        if types and not any(kind in (["sagemaker"], ["sagemaker", _TYPES[type(record)]]) for kind in types):
            return False
        return all(
            (value := record.tags.get(one.get("Key", ""))) is not None
            and (not one.get("Values") or value in one["Values"])
            for one in filters
        )

    listing = f"tagged:{lane}:{sorted(map(str, types))}:{filters!r}"
    index = world.rows_by_lane[lane]
    if wanted is not None:
        rows, place = [record for record in index if keep(record)], None
    else:
        rows, place = index.page(read_token(listing, token, _EXPIRED), size, descending=False, keep=keep)
    return {
        "PaginationToken": write_token(listing, place) or "",
        "ResourceTagMappingList": [{"ResourceARN": row.arn, "Tags": tag_list(row.tags)} for row in rows],
    }
