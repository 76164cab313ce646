"""Looking at user profiles and spaces: few are asked for one by one, many are found in a listing of their domain.

Absence is only believed of a listing that reached its end or of an answer about that very owner.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from engine.core.errors import NotFound, Rejected, ScanIncomplete
from engine.core.identity import OWNER_KINDS, SPACE, USER, Owner, OwnerKind, folded_owner
from engine.core.limits import OWNER_DESCRIBES_MAX_COUNT, SCAN_PAGES_MAX_COUNT
from engine.core.observed import AppStatus, ObservedOwner
from engine.executor.reads import pages
from engine.executor.rows import described_owner, observed_owner
from engine.ports.owners import listing_of, operation_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.desired import DesiredDomain
    from engine.executor.reach import Reach
    from engine.ports.cloud import AppPage
    from engine.ports.owners import OwnerPage

# How long a listing is followed, in pages, for each owner that is looked for: then it costs a quarter too much at most.
LISTING_TRIAL_SHARE: Final = 0.25


@dataclass(slots=True)
class OwnerScanner:
    """Looks at the owners of one domain."""

    reach: Reach

    @property
    def domain(self) -> DesiredDomain:
        """The domain."""
        return self.reach.link.domain

    async def look(self, owners: Iterable[Owner]) -> dict[Owner, ObservedOwner | None]:
        """Return what is there of each of `owners`, None for what is not. Raises CloudError and StoppedError."""
        return (await self.look_closely(owners))[0]

    async def look_closely(self, owners: Iterable[Owner]) -> tuple[dict[Owner, ObservedOwner | None], frozenset[Owner]]:
        """Return what `look` does, and the owners that a listing does not show and that were not asked for one by one.

        A listing may lag, so those need not be gone. Raises CloudError and StoppedError.
        """
        wanted = {folded_owner(owner): owner for owner in owners}
        found: dict[Owner, ObservedOwner | None] = {}
        unshown: set[Owner] = set()
        for kind in OWNER_KINDS:
            of_kind = {key for key in wanted if key.kind == kind}
            if len(of_kind) > OWNER_DESCRIBES_MAX_COUNT:
                pages = max(1, int(len(of_kind) * LISTING_TRIAL_SHARE))
                listed, whole = await self._list(kind, of_kind, pages)
                found |= {key: listed.get(key) for key in of_kind if whole or key in listed}
            unshown |= {wanted[key] for key in of_kind & found.keys() if found[key] is None}
            for key in sorted(of_kind - found.keys()):
                found[key] = await self.describe(wanted[key])
        return {wanted[key]: row for key, row in found.items()}, frozenset(unshown)

    async def all_of(self, kind: OwnerKind) -> dict[Owner, ObservedOwner]:
        """Return every owner of a kind, from one listing that reached its end. Raises CloudError and StoppedError."""
        listed, whole = await self._list(kind, None, SCAN_PAGES_MAX_COUNT)
        if not whole:
            raise ScanIncomplete(
                f"{listing_of(kind)} of domain {self.domain.name} could not be completed",
                hint="appfleet used none of it. Run again",
                operation=listing_of(kind),
            )
        return listed

    async def describe(self, owner: Owner) -> ObservedOwner | None:
        """Ask for one owner; None when there is no record of it. Raises CloudError and StoppedError."""
        domain_id = self.domain.domain_id
        try:
            detail = await self.reach.ask(
                operation_of("Describe", owner.kind),
                lambda cloud: cloud.describe_owner(domain_id, owner.kind, owner.name),
            )
        except NotFound:
            return None
        return described_owner(self.domain.name, detail)

    async def _list(
        self, kind: OwnerKind, wanted: set[Owner] | None, pages_max: int
    ) -> tuple[dict[Owner, ObservedOwner], bool]:
        """Read pages until all of `wanted` are found (None: all there are); the rows, and whether the end was reached.

        A listing that does not fit together (a token that comes twice or is refused) has not reached its end.
        """
        found: dict[Owner, ObservedOwner] = {}
        count = 0
        ask = partial(self._page, kind)
        try:
            async with aclosing(pages(ask, listing_of(kind), f"domain {self.domain.name}")) as listing:
                async for page in listing:
                    for row in page.rows:
                        observed = observed_owner(self.domain.name, row)
                        found[folded_owner(observed.owner)] = observed
                    count += 1
                    if not page.next_token:
                        return found, True
                    if count == pages_max or (wanted is not None and wanted <= found.keys()):
                        break
        except (Rejected, ScanIncomplete):
            if not count:
                raise
        return found, False

    async def _page(self, kind: OwnerKind, token: str) -> OwnerPage:
        domain_id = self.domain.domain_id
        return await self.reach.ask(listing_of(kind), lambda cloud: cloud.list_owners(domain_id, kind, token=token))


async def what_lives_in(reach: Reach, owner: Owner) -> list[str]:
    """Name what is in a profile or space and is not going: apps, and spaces that belong to a profile, sorted.

    In a worker's place and turn. Raises CloudError and StoppedError.
    """
    domain_id = reach.domain_id

    async def apps(token: str) -> AppPage:
        return await reach.look(
            "ListApps",
            lambda cloud: cloud.list_apps(domain_id, owner_kind=owner.kind, owner=owner.name, token=token),
        )

    async def spaces(token: str) -> OwnerPage:
        return await reach.look(listing_of(SPACE), lambda cloud: cloud.list_owners(domain_id, SPACE, token=token))

    found = [
        f"app {row.app_type}/{row.app_name} ({row.status})"
        async for page in pages(apps, "ListApps", str(owner))
        for row in page.rows
        if AppStatus.of(row.status).is_alive and row.status != AppStatus.DELETING
    ]
    if owner.kind == USER:
        found += [
            f"space {row.name}"
            async for page in pages(spaces, listing_of(SPACE), reach.link.domain.name)
            for row in page.rows
            if row.owner_user.casefold() == owner.name.casefold() and row.status != AppStatus.DELETING
        ]
    return sorted(found)
