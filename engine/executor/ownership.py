"""Whose an app is, by its own tag: read in bulk from the index of tags, and one app at a time where that is proof.

The index lags behind the apps, so it only narrows: what it calls ours is asked once more before anything is deleted or
replaced, and where it says nothing of an app, that app is left alone. Never asked are Failed and Deleted ones: the
service refuses to tell their tags.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from engine.core.errors import AlreadyGone, CloudError, NotFound
from engine.core.iam import partition
from engine.core.identity import SPACE, USER, folded_owner
from engine.core.limits import OWNERSHIP_READS_MAX_COUNT
from engine.core.observed import Ownership
from engine.core.ownership import FLEET_TAG, MANAGED_TAG, UNREAD, tag_value, whose
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


def twin_of(key: AppKey) -> AppKey:
    """Return the key of the other owner kind under the same names: an ARN does not tell the two apart."""
    return key._replace(owner_kind=SPACE if key.owner_kind == USER else USER)


@dataclass(frozen=True, slots=True)
class TagIndex:
    """What the index of tags says of a lane's apps: the fleet's name by ARN."""

    fleets: dict[str, str]
    _by_path: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Leave aside the account and the case, which are written in more than one way."""
        self._by_path.update((_path(arn), fleet) for arn, fleet in self.fleets.items())

    def fleet_of(self, domain_id: str, key: AppKey) -> str | None:
        """Return the fleet that an app's tag names, None where the index knows of no tag."""
        return self._by_path.get(f"app/{domain_id}/{key.owner}/{key.app_type}/{key.app_name}".casefold())


def _path(arn: str) -> str:
    return arn.split(":", 5)[-1].casefold()


async def read_ownership(run: FleetRun, observed: ObservedFleet, questions: WhoseAre) -> dict[AppKey, Whose]:
    """Return whose the apps of `questions` are; UNREAD where it cannot be read, or nothing needs to be said of it.

    A few are read one by one. Of many the index of tags is asked first, and of what only has to be named it is asked
    alone. Raises StoppedError when the run is stopped meanwhile.
    """
    read: dict[AppKey, Whose] = {}
    only_said = frozenset((*questions.telling, *questions.claimed))
    by_lane: defaultdict[Lane, list[AppKey]] = defaultdict(list)
    for key in (*questions.decisive, *questions.telling, *questions.claimed):
        by_lane[run.links[key.domain].lane].append(key)
    for _, keys in sorted(by_lane.items()):
        many = len([key for key in keys if key not in only_said]) > OWNERSHIP_READS_MAX_COUNT
        index = await _index(run, keys[0].domain) if many or not only_said.isdisjoint(keys) else None
        for key in keys:
            reader = _reader(run, key.domain)
            has_twin = twin_of(key) in observed.domains[key.domain].apps
            found = UNREAD
            proved = key in only_said
            if index is not None and not has_twin and (many or proved):
                found = whose(index.fleet_of(reader.reach.domain_id, key), run.fleet)
                proved = proved or found.ownership is not Ownership.OURS
            read[key] = found if proved else await reader.read(key, has_twin=has_twin)
    for key in questions.claimed:
        if read[key].ownership is not Ownership.FOREIGN:
            read[key] = UNREAD  # the index alone proves nothing, and nothing is said of it
    return read


async def tagged_owners(run: FleetRun, pruned: Sequence[AppKey]) -> tuple[str, ...]:
    """Name what carries this fleet's tag besides apps in the lane of `pruned`, by ARN, sorted.

    There must be none: such tags spread to apps that people open by hand, and prove nothing then. Where the index
    cannot be read, the owners of `pruned` and their domains are asked. Raises CloudError and StoppedError.
    """
    try:
        return await _reader(run, pruned[0].domain).tagged_owners()
    except CloudError:
        return await _tagged_one_by_one(run, pruned)


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
            if tag_value(await _reader(run, domain).tags(arn), FLEET_TAG) == run.fleet:
                found.append(arn)
    return tuple(found)


async def read_owners(run: FleetRun, owners: Iterable[ObservedOwner]) -> dict[Owner, ObservedOwner]:
    """Return profiles and spaces by their folded name, each with whose it is. Raises StoppedError."""
    return {folded_owner(row.owner): await _reader(run, row.owner.domain).read_owner(row) for row in owners}


def unread_tags(run: FleetRun) -> dict[Lane, str]:
    """Return the first trouble of each lane that kept tags from being read."""
    unread = sorted(run.optional.unread.items(), key=lambda item: item[0], reverse=True)
    return {lane: error.message for (operation, lane), error in unread if operation in OWNERSHIP_OPERATIONS}


async def _index(run: FleetRun, domain: str) -> TagIndex | None:
    try:
        return await _reader(run, domain).index()
    except CloudError as error:
        run.emit(TagIndexUnread(run.links[domain].lane, error.service_code or error.code, error.message))
        return None


def _reader(run: FleetRun, domain: str) -> OwnershipReader:
    return OwnershipReader(run.fleet, run.reach(domain))


@dataclass(frozen=True, slots=True)
class OwnershipReader:
    """Reads whose the apps and owners of one domain are, and the index of its lane."""

    fleet: str
    reach: Reach

    async def read(self, key: AppKey, *, has_twin: bool = False) -> Whose:
        """Return whose an app is; UNREAD, and said as an event, where it cannot be read.

        `has_twin`: an app of the other owner kind is listed under the same names. Both have one ARN then, which proves
        nothing of either.
        """
        if has_twin:
            self.reach.emit(OwnershipUnread(key, "one_arn_for_two", f"{key} and {twin_of(key)} have the same ARN"))
            return UNREAD
        name = app_name(self.reach.domain_id, key)
        try:
            detail = await self.reach.optional("DescribeApp", lambda cloud: cloud.describe_app(name))
            tags = await self.tags(detail.arn)
        except CloudError as error:
            self.reach.emit(OwnershipUnread(key, error.service_code or error.code, error.message))
            return UNREAD
        return whose(tag_value(tags, FLEET_TAG), self.fleet)

    async def read_owner(self, row: ObservedOwner) -> ObservedOwner:
        """Return a profile or space with whose it is, by its own tag; UNREAD, with the reason, where it cannot be read.

        Raises StoppedError.
        """
        owner, domain_id = row.owner, self.reach.domain_id
        try:
            detail = await self.reach.optional(
                operation_of("Describe", owner.kind),
                lambda cloud: cloud.describe_owner(domain_id, owner.kind, owner.name),
            )
            tags = await self.tags(detail.arn)
        except CloudError as error:
            self.reach.emit(OwnersUnread(owner.domain, error.service_code or error.code, error.message))
            return replace(row, unread_because=error.message)
        found = whose(tag_value(tags, MANAGED_TAG), self.fleet)
        return replace(row, ownership=found.ownership, managed_by=found.fleet)

    async def tags(self, arn: str) -> Tags:
        """Read the tags of one resource. Raises CloudError and StoppedError."""
        return await self.reach.optional("ListTags", lambda cloud: cloud.list_tags(arn))

    async def index(self) -> TagIndex:
        """Read the tag of every app of the lane. Raises CloudError and StoppedError."""
        return TagIndex(dict(await self._tagged(APPS)))

    async def tagged_owners(self) -> tuple[str, ...]:
        """Name what the index shows to carry this fleet's tag besides apps. Raises CloudError and StoppedError."""
        return tuple(sorted(arn for arn, fleet in await self._tagged(OWNERS) if fleet == self.fleet))

    async def _tagged(self, kinds: tuple[str, ...]) -> list[tuple[str, str]]:
        found = await self.reach.optional_pages(
            INDEX_OPERATION,
            lambda cloud, token: cloud.tagged_resources(FLEET_TAG, kinds, token=token),
            f"lane {self.reach.link.lane}",
        )
        return [value for page in found for value in page.values]
