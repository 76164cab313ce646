"""Whose an app is, by its own tag: read in bulk from the index of tags, and one app at a time where that is proof.

The index lags behind the apps, so it only narrows: what it calls ours is asked once more before anything is deleted or
replaced, and where it says nothing of an app, that app is left alone. Never asked are Failed and Deleted ones: the
service refuses to tell their tags.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from engine.core.errors import CloudError
from engine.core.identity import SPACE, USER, folded_owner
from engine.core.limits import OWNERSHIP_READS_MAX_COUNT
from engine.core.observed import ObservedFleet, Ownership
from engine.core.ownership import FLEET_TAG, MANAGED_TAG, tag_value, whose
from engine.ports.cloud import app_name
from engine.ports.events import OwnershipUnread, OwnersUnread, TagIndexUnread
from engine.ports.owners import operation_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.desired import Tags
    from engine.core.identity import AppKey, Owner
    from engine.core.observed import ObservedApp, ObservedOwner
    from engine.core.ownership import WhoseAre
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


def owned_by(row: ObservedApp, fleet: str | None, ours: str) -> ObservedApp:
    """Return `row` with its ownership, when its tag names `fleet`; None: it has none."""
    found = whose(fleet, ours)
    foreign = found.fleet if found.ownership is Ownership.FOREIGN else ""
    return replace(row, ownership=found.ownership, foreign_fleet=foreign)


async def read_ownership(run: FleetRun, observed: ObservedFleet, questions: WhoseAre) -> ObservedFleet:
    """Return `observed` with whose the apps of `questions` are; one that cannot be read stays UNREAD.

    A few are read one by one. Of many the index of tags is asked first, and of what only has to be named it is asked
    alone. Raises StoppedError when the run is stopped meanwhile.
    """
    read: dict[str, dict[AppKey, ObservedApp]] = {}
    claimed = frozenset(questions.claimed)
    only_said = (*questions.telling, *questions.claimed)
    lanes = sorted({run.links[key.domain].lane for key in (*questions.decisive, *only_said)})
    for lane in lanes:
        decisive = [key for key in questions.decisive if run.links[key.domain].lane == lane]
        telling = [key for key in only_said if run.links[key.domain].lane == lane]
        many = len(decisive) > OWNERSHIP_READS_MAX_COUNT
        named_only = frozenset(telling)
        index = await _index(run, (*decisive, *telling)[0].domain) if many or telling else None
        for key in (*decisive, *telling):
            rows = observed.domains[key.domain].apps
            reader = _reader(run, key.domain)
            has_twin = twin_of(key) in rows
            if index is not None and not has_twin and (many or key in named_only):
                owned = owned_by(rows[key], index.fleet_of(reader.reach.domain_id, key), run.fleet)
                proved = key in named_only or owned.ownership is not Ownership.OURS
            else:
                owned, proved = rows[key], key in named_only
            if not proved:
                owned = await reader.read(rows[key], has_twin=has_twin)
            if key in claimed and owned.ownership is not Ownership.FOREIGN:
                continue  # the index alone proves nothing, and nothing is said of it
            read.setdefault(key.domain, {})[key] = owned
    return ObservedFleet(
        {
            name: replace(domain, apps={**domain.apps, **read[name]}) if name in read else domain
            for name, domain in observed.domains.items()
        }
    )


async def tagged_owners(run: FleetRun, domain: str) -> tuple[str, ...]:
    """Name the profiles, spaces and domains that carry this fleet's tag, in the lane of `domain`, by ARN, sorted.

    There must be none: their tags spread to apps that people open by hand, and prove nothing then. Raises CloudError
    and StoppedError.
    """
    return await _reader(run, domain).tagged_owners()


async def read_owners(run: FleetRun, owners: Iterable[ObservedOwner]) -> dict[Owner, ObservedOwner]:
    """Return profiles and spaces by their folded name, each with whose it is. Raises StoppedError."""
    return {folded_owner(row.owner): await _reader(run, row.owner.domain).read_owner(row) for row in owners}


async def tags_of(run: FleetRun, domain: str, arn: str) -> Tags:
    """Read the tags of one resource, in the lane of `domain`. Raises CloudError and StoppedError."""
    return await _reader(run, domain).tags(arn)


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

    async def read(self, row: ObservedApp, *, has_twin: bool = False) -> ObservedApp:
        """Return `row` with its ownership; UNREAD, and said as an event, where it cannot be read.

        `has_twin`: an app of the other owner kind is listed under the same names. Both have one ARN then, which proves
        nothing of either.
        """
        key = row.key
        if has_twin:
            self.reach.emit(OwnershipUnread(key, "one_arn_for_two", f"{key} and {twin_of(key)} have the same ARN"))
            return row
        name = app_name(self.reach.domain_id, key)
        try:
            detail = await self.reach.optional("DescribeApp", lambda cloud: cloud.describe_app(name))
            tags = await self.tags(detail.arn)
        except CloudError as error:
            self.reach.emit(OwnershipUnread(key, error.service_code or error.code, error.message))
            return row
        return owned_by(row, tag_value(tags, FLEET_TAG), self.fleet)

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
        """Name the profiles, spaces and domains of the lane that carry this fleet's tag, by ARN. There must be none.

        Their tags spread to apps that people open by hand. Raises CloudError and StoppedError.
        """
        return tuple(sorted(arn for arn, fleet in await self._tagged(OWNERS) if fleet == self.fleet))

    async def _tagged(self, kinds: tuple[str, ...]) -> list[tuple[str, str]]:
        found = await self.reach.optional_pages(
            INDEX_OPERATION,
            lambda cloud, token: cloud.tagged_resources(FLEET_TAG, kinds, token=token),
            f"lane {self.reach.link.lane}",
        )
        return [value for page in found for value in page.values]
