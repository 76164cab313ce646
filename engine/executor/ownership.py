"""Whose an app is, by its own tag: read in bulk from the index of tags, and one app at a time where that is proof.

The index lags behind the apps, so it only narrows: what it calls ours is asked once more before anything is deleted or
replaced, and where it says nothing of an app, that app is left alone. Never asked are Failed and Deleted ones: the
service refuses to tell their tags.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from engine.core.errors import AlreadyGone, CloudError, NotFound
from engine.core.hours import KEEP_UNTIL_TAG
from engine.core.iam import partition
from engine.core.identity import USER, folded_owner, twin_of
from engine.core.limits import OWNERSHIP_READS_MAX_COUNT
from engine.core.observed import Ownership
from engine.core.ownership import FLEET_TAG, MANAGED_TAG, UNREAD, tag_value, whose
from engine.executor.asking import at_once
from engine.ports.cloud import app_name
from engine.ports.events import OwnershipUnread, OwnersUnread, TagIndexUnread
from engine.ports.owners import operation_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.core.desired import Tags
    from engine.core.identity import AppKey, Lane, Owner
    from engine.core.observed import ObservedFleet, ObservedOwner
    from engine.core.ownership import Whose, WhoseAre
    from engine.executor.fleet_run import FleetRun
    from engine.executor.reach import Reach

INDEX_OPERATION: Final = "GetResources"
OWNERSHIP_OPERATIONS: Final = frozenset(
    {INDEX_OPERATION, "ListTags", "DescribeApp", "DescribeSpace", "DescribeUserProfile"}
)  # what tells whose something is
APPS: Final = ("app",)
OWNERS: Final = ("user-profile", "space", "domain")


async def read_ownership(run: FleetRun, observed: ObservedFleet, questions: WhoseAre) -> dict[AppKey, Whose]:
    """Return whose the apps of `questions` are; UNREAD where it cannot be read, or nothing needs to be said of it.

    A few are read one by one. Of many the index of tags is asked first, and of what only has to be named it is asked
    alone. Raises StoppedError when the run is stopped meanwhile.
    """
    only_said = frozenset((*questions.telling, *questions.claimed))
    by_lane: defaultdict[Lane, list[AppKey]] = defaultdict(list)
    for key in (*questions.decisive, *questions.telling, *questions.claimed):
        by_lane[run.links[key.domain].lane].append(key)
    lanes = await at_once(_in_lane(run, observed, by_lane[lane], only_said) for lane in sorted(by_lane))
    read = {key: found for lane in lanes for key, found in lane.items()}
    for key in questions.claimed:
        if read[key].ownership is not Ownership.FOREIGN:
            read[key] = UNREAD  # the index alone proves nothing, and nothing is said of it
    return read


async def _in_lane(
    run: FleetRun, observed: ObservedFleet, keys: Sequence[AppKey], only_said: frozenset[AppKey]
) -> dict[AppKey, Whose]:
    read: dict[AppKey, Whose] = {}
    many = len([key for key in keys if key not in only_said]) > OWNERSHIP_READS_MAX_COUNT
    index = await _index(run, keys[0].domain) if many or not only_said.isdisjoint(keys) else None
    for key in keys:
        has_twin = twin_of(key) in observed.domains[key.domain].apps
        found = UNREAD
        proved = key in only_said
        if index is not None and not has_twin and (many or proved):
            found = whose(index.get(_path_of(run, key)), run.fleet)
            proved = proved or found.ownership is not Ownership.OURS
        read[key] = found if proved else await _read(run, key, has_twin=has_twin)
    return read


async def tagged_owners(run: FleetRun, pruned: Sequence[AppKey]) -> tuple[str, ...]:
    """Name what carries this fleet's tag besides apps in the lane of `pruned`, by ARN, sorted.

    There must be none: such tags spread to apps that people open by hand, and prove nothing then. Where the index
    cannot be read, the owners of `pruned` and their domains are asked. Raises CloudError and StoppedError.
    """
    try:
        tagged = await read_index(run, pruned[0].domain, OWNERS)
    except CloudError:
        return await _tagged_one_by_one(run, pruned)
    return tuple(sorted(arn for arn, fleet in tagged if fleet == run.fleet))


async def _tagged_one_by_one(run: FleetRun, pruned: Iterable[AppKey]) -> tuple[str, ...]:
    arns: dict[str, str] = {}
    for key in pruned:
        link = run.links[key.domain]
        account, region = link.lane
        head, domain_id = f"arn:{partition(region)}:sagemaker:{region}:{account}", link.domain.domain_id
        kind = "user-profile" if key.owner_kind == USER else "space"
        arns[f"{head}:domain/{domain_id}"] = arns[f"{head}:{kind}/{domain_id}/{key.owner}"] = key.domain
    found: list[str] = []
    for arn, domain in sorted(arns.items()):
        with suppress(NotFound, AlreadyGone):  # what is not there has no tags
            if tag_value(await tags_of(run.reach(domain), arn), FLEET_TAG) == run.fleet:
                found.append(arn)
    return tuple(found)


async def read_owners(run: FleetRun, owners: Iterable[ObservedOwner]) -> dict[Owner, ObservedOwner]:
    """Return profiles and spaces by their folded name, each with whose it is. Raises StoppedError."""
    by_domain: defaultdict[str, list[ObservedOwner]] = defaultdict(list)
    rows = list(owners)
    for row in rows:
        by_domain[row.owner.domain].append(row)

    async def in_domain(name: str) -> dict[Owner, ObservedOwner]:
        return {folded_owner(row.owner): await _read_owner(run, row) for row in by_domain[name]}

    read = {owner: row for domain in await at_once(map(in_domain, by_domain)) for owner, row in domain.items()}
    return {folded_owner(row.owner): read[folded_owner(row.owner)] for row in rows}


def unread_tags(run: FleetRun) -> dict[Lane, str]:
    """Return the first trouble of each lane that kept tags from being read."""
    unread = sorted(run.optional.unread.items(), key=lambda item: item[0], reverse=True)
    return {lane: error.message for (operation, lane), error in unread if operation in OWNERSHIP_OPERATIONS}


async def read_index(run: FleetRun, domain: str, kinds: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the ARN of everything of these kinds that has the tag in the lane of a domain, with the fleet it names.

    Raises CloudError and StoppedError.
    """
    reach = run.reach(domain)
    found = await reach.optional_pages(
        INDEX_OPERATION,
        lambda cloud, token: cloud.tagged_resources(FLEET_TAG, kinds, token=token),
        f"lane {reach.link.lane}",
    )
    return [value for page in found for value in page.values]


async def tags_of(reach: Reach, arn: str) -> Tags:
    """Read the tags of one resource. Raises CloudError and StoppedError."""
    return await reach.optional("ListTags", lambda cloud: cloud.list_tags(arn))


async def _index(run: FleetRun, domain: str) -> dict[str, str] | None:
    """Return the fleets that the tags of the lane's apps name, by what is written in one way alone of their ARNs."""
    try:
        return {_path(arn): fleet for arn, fleet in await read_index(run, domain, APPS)}
    except CloudError as error:
        run.emit(TagIndexUnread(run.links[domain].lane, error.told_code, error.message))
        return None


def _path(arn: str) -> str:
    """Leave aside the account and the case, which are written in more than one way."""
    return arn.split(":", 5)[-1].casefold()


def _path_of(run: FleetRun, key: AppKey) -> str:
    domain_id = run.links[key.domain].domain.domain_id
    return f"app/{domain_id}/{key.owner}/{key.app_type}/{key.app_name}".casefold()


async def _read(run: FleetRun, key: AppKey, *, has_twin: bool) -> Whose:
    """Return whose an app is; UNREAD, and said as an event, where it cannot be read.

    `has_twin`: an app of the other owner kind is listed under the same names. Both have one ARN then, which proves
    nothing of either.
    """
    if has_twin:
        run.emit(OwnershipUnread(key, "one_arn_for_two", f"{key} and {twin_of(key)} have the same ARN"))
        return UNREAD
    reach = run.reach(key.domain)
    name = app_name(reach.domain_id, key)
    try:
        detail = await reach.optional("DescribeApp", lambda cloud: cloud.describe_app(name))
        tags = await tags_of(reach, detail.arn)
    except CloudError as error:
        run.emit(OwnershipUnread(key, error.told_code, error.message))
        return UNREAD
    kept = tag_value(tags, KEEP_UNTIL_TAG) or ""
    return whose(tag_value(tags, FLEET_TAG), run.fleet)._replace(keep_until=kept, activity=detail.activity)


async def _read_owner(run: FleetRun, row: ObservedOwner) -> ObservedOwner:
    """Return a profile or space with whose it is, by its own tag; UNREAD, with the reason, where it cannot be read."""
    owner, reach = row.owner, run.reach(row.owner.domain)
    try:
        detail = await reach.optional(
            operation_of("Describe", owner.kind),
            lambda cloud: cloud.describe_owner(reach.domain_id, owner.kind, owner.name),
        )
        tags = await tags_of(reach, detail.arn)
    except CloudError as error:
        run.emit(OwnersUnread(owner.domain, error.told_code, error.message))
        return replace(row, unread_because=error.message)
    found = whose(tag_value(tags, MANAGED_TAG), run.fleet)
    return replace(row, ownership=found.ownership, managed_by=found.fleet, arn=detail.arn)
