"""Whose an app is, by its own tag: read in bulk from the index of tags, and one app at a time where that is proof.

The index lags behind the apps, so it only narrows: what it calls ours is asked once more before anything is deleted or
replaced, and where it says nothing of an app, that app is left alone. Never asked are Failed and Deleted ones: the
service refuses to tell their tags.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from engine.core.errors import CloudError, ScanIncomplete
from engine.core.identity import SPACE, USER
from engine.core.limits import OWNERSHIP_READS_MAX_COUNT, SCAN_PAGES_MAX_COUNT
from engine.core.observed import ObservedFleet, Ownership
from engine.core.ownership import FLEET_TAG
from engine.executor.asking import ask_again, unless_aborted
from engine.ports.cloud import AppName
from engine.ports.events import OwnershipUnread, TagIndexUnread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.core.desired import Tags
    from engine.core.identity import AppKey
    from engine.core.observed import ObservedApp
    from engine.core.planner import OwnershipQuestions
    from engine.core.settings import Backoffs
    from engine.executor.calls import LaneCalls
    from engine.executor.control import Control
    from engine.executor.fleet_run import FleetRun
    from engine.executor.link import Link
    from engine.ports.cloud import TaggedPage
    from engine.ports.events import Emit


APPS: Final = ("app",)
OWNERS: Final = ("user-profile", "space", "domain")


def twin_of(key: AppKey) -> AppKey:
    """Give the key of the other owner kind under the same names: an ARN does not tell the two apart."""
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
        """Give the fleet that an app's tag names, None where the index knows of no tag."""
        return self._by_path.get(f"app/{domain_id}/{key.owner}/{key.app_type}/{key.app_name}".casefold())


def _path(arn: str) -> str:
    return arn.split(":", 5)[-1].casefold()


def owned_by(row: ObservedApp, fleet: str | None, ours: str) -> ObservedApp:
    """Give `row` with its ownership, when its tag names `fleet`; None: it has none."""
    if fleet is None:
        return replace(row, ownership=Ownership.NOBODY)
    if fleet == ours:
        return replace(row, ownership=Ownership.OURS)
    return replace(row, ownership=Ownership.FOREIGN, foreign_fleet=fleet)


async def read_ownership(run: FleetRun, observed: ObservedFleet, questions: OwnershipQuestions) -> ObservedFleet:
    """Give `observed` with whose the apps of `questions` are; one that cannot be read stays UNREAD.

    A few are read one by one. Of many the index of tags is asked first, and of what only has to be named it is asked
    alone. Raises StoppedError when the run is stopped meanwhile.
    """
    read: dict[str, dict[AppKey, ObservedApp]] = {}
    lanes = sorted({run.links[key.domain].lane for key in (*questions.decisive, *questions.telling)})
    for lane in lanes:
        decisive = [key for key in questions.decisive if run.links[key.domain].lane == lane]
        telling = [key for key in questions.telling if run.links[key.domain].lane == lane]
        many = len(decisive) > OWNERSHIP_READS_MAX_COUNT
        named_only = frozenset(telling)
        index = await _index(run, (*decisive, *telling)[0].domain) if many or telling else None
        for key in (*decisive, *telling):
            rows = observed.domains[key.domain].apps
            reader = _reader(run, key.domain)
            has_twin = twin_of(key) in rows
            if index is not None and not has_twin and (many or key in named_only):
                owned = owned_by(rows[key], index.fleet_of(reader.link.domain.domain_id, key), run.fleet)
                proved = key in named_only or owned.ownership is not Ownership.OURS
            else:
                owned, proved = rows[key], key in named_only
            if not proved:
                async with unless_aborted(run.control):
                    owned = await reader.read(rows[key], has_twin=has_twin)
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
    async with unless_aborted(run.control):
        return await _reader(run, domain).tagged_owners()


async def _index(run: FleetRun, domain: str) -> TagIndex | None:
    try:
        async with unless_aborted(run.control):
            return await _reader(run, domain).index()
    except CloudError as error:
        run.emit(TagIndexUnread(run.links[domain].lane, error.service_code or error.code, error.message))
        return None


def _reader(run: FleetRun, domain: str) -> OwnershipReader:
    link = run.links[domain]
    calls = run.calls_of(link.lane)
    return OwnershipReader(run.fleet, link, calls, run.control, run.settings.backoffs, run.jitter, run.emit)


@dataclass(frozen=True, slots=True)
class OwnershipReader:
    """Reads the apps of one domain, and the index of its lane."""

    fleet: str
    link: Link
    calls: LaneCalls
    control: Control
    backoffs: Backoffs
    jitter: Callable[[], float]
    emit: Emit

    async def read(self, row: ObservedApp, *, has_twin: bool = False) -> ObservedApp:
        """Give `row` with its ownership; UNREAD, and said as an event, where it cannot be read.

        `has_twin`: an app of the other owner kind is listed under the same names. Both have one ARN then, which proves
        nothing of either.
        """
        key = row.key
        if has_twin:
            self.emit(OwnershipUnread(key, "one_arn_for_two", f"{key} and {twin_of(key)} have the same ARN"))
            return row
        domain_id = self.link.domain.domain_id
        name = AppName(domain_id, key.owner_kind, key.owner, key.app_type, key.app_name)
        try:
            tags = await ask_again(
                "ListTags",
                lambda: self._tags(name),
                self.backoffs,
                self.jitter,
                self.emit,
                stopped=self.control.stopped,
            )
        except CloudError as error:
            self.emit(OwnershipUnread(key, error.service_code or error.code, error.message))
            return row
        return owned_by(row, dict(tags).get(FLEET_TAG), self.fleet)

    async def index(self) -> TagIndex:
        """Read the tag of every app of the lane. Raises CloudError and StoppedError."""
        return TagIndex(dict(await self._tagged(APPS)))

    async def tagged_owners(self) -> tuple[str, ...]:
        """Name the profiles, spaces and domains of the lane that carry this fleet's tag, by ARN. There must be none.

        Their tags spread to apps that people open by hand. Raises CloudError and StoppedError.
        """
        return tuple(sorted(arn for arn, fleet in await self._tagged(OWNERS) if fleet == self.fleet))

    async def _tagged(self, kinds: tuple[str, ...]) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        cloud, may_call = self.link.cloud, self.control.may_call
        token, seen = "", set[str]()
        while token not in seen and len(seen) < SCAN_PAGES_MAX_COUNT:
            seen.add(token)
            at = token

            def call(at: str = at) -> Awaitable[TaggedPage]:
                return self.calls.read(
                    "GetResources", lambda: cloud.tagged_resources(FLEET_TAG, kinds, token=at), may_call
                )

            page = await ask_again(
                "GetResources", call, self.backoffs, self.jitter, self.emit, stopped=self.control.stopped
            )
            found += page.values
            token = page.next_token
            if not token:
                return found
        raise ScanIncomplete(
            "GetResources gives the same page again and again",
            hint="Something between here and AWS answers in its place: check the proxy and --endpoint-url",
            operation="GetResources",
        )

    async def _tags(self, name: AppName) -> Tags:
        cloud, may_call = self.link.cloud, self.control.may_call
        detail = await self.calls.read("DescribeApp", lambda: cloud.describe_app(name), may_call)
        return await self.calls.read("ListTags", lambda: cloud.list_tags(detail.arn), may_call)
