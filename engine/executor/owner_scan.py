"""Looking at user profiles and spaces: few are asked for one by one, many are found in a listing of their domain.

Absence is only believed of a listing that reached its end or of an answer about that very owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from engine.core.errors import NotFound, Rejected, ScanIncomplete
from engine.core.identity import OWNER_KINDS, Owner, OwnerKind
from engine.core.limits import OWNER_DESCRIBES_MAX_COUNT, SCAN_PAGES_MAX_COUNT
from engine.core.owners import ObservedOwner, folded_owner
from engine.executor.asking import ask_again
from engine.ports.owners import listing_of, operation_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable

    from engine.core.desired import DesiredDomain
    from engine.core.settings import Backoffs
    from engine.executor.calls import LaneCalls
    from engine.ports.cloud import Cloud
    from engine.ports.events import Emit
    from engine.ports.owners import OwnerDetail, OwnerPage, OwnerRow

T = TypeVar("T")

# How long a listing is followed, in pages, for each owner that is looked for: then it costs a quarter too much at most.
LISTING_TRIAL_SHARE: Final = 0.25


@dataclass(slots=True)
class OwnerScanner:
    """Looks at the owners of one domain through one lane.

    `jitter` gives numbers in [0, 1); `stopped` ends a back-off, so that what waits in one sees the end of the run.
    """

    domain: DesiredDomain
    cloud: Cloud
    calls: LaneCalls
    backoffs: Backoffs
    jitter: Callable[[], float]
    emit: Emit
    may_call: Callable[[], bool]
    stopped: asyncio.Event | None = None

    async def look(self, owners: Iterable[Owner]) -> dict[Owner, ObservedOwner | None]:
        """Give what is there of each of `owners`, None for what is not. Raises CloudError and StoppedError."""
        wanted = {folded_owner(owner): owner for owner in owners}
        found: dict[Owner, ObservedOwner | None] = {}
        for kind in OWNER_KINDS:
            of_kind = {key for key in wanted if key.kind == kind}
            if len(of_kind) > OWNER_DESCRIBES_MAX_COUNT:
                pages = max(1, int(len(of_kind) * LISTING_TRIAL_SHARE))
                listed, whole = await self._list(kind, of_kind, pages)
                found |= {key: listed.get(key) for key in of_kind if whole or key in listed}
            for key in sorted(of_kind - found.keys()):
                found[key] = await self.describe(wanted[key])
        return {wanted[key]: row for key, row in found.items()}

    async def all_of(self, kind: OwnerKind) -> dict[Owner, ObservedOwner]:
        """Give every owner of a kind, from one listing that reached its end. Raises CloudError and StoppedError."""
        listed, whole = await self._list(kind, None, SCAN_PAGES_MAX_COUNT)
        if not whole:
            raise ScanIncomplete(
                f"{listing_of(kind)} of domain {self.domain.name} could not be completed",
                hint="Nothing was read from it; run again",
                operation=listing_of(kind),
            )
        return listed

    async def describe(self, owner: Owner) -> ObservedOwner | None:
        """Ask for one owner; None when there is no record of it. Raises CloudError and StoppedError."""
        operation = operation_of("Describe", owner.kind)

        def call() -> Awaitable[OwnerDetail]:
            return self.calls.read(
                operation,
                lambda: self.cloud.describe_owner(self.domain.domain_id, owner.kind, owner.name),
                self.may_call,
            )

        try:
            detail = await self._ask(operation, call)
        except NotFound:
            return None
        return observed_owner(self.domain.name, detail.row, detail.arn)

    async def _list(
        self, kind: OwnerKind, wanted: set[Owner] | None, pages_max: int
    ) -> tuple[dict[Owner, ObservedOwner], bool]:
        """Read pages until all of `wanted` are found (None: all there are); the rows, and whether the end was reached.

        A listing that does not fit together (a token that comes twice or is refused) has not reached its end.
        """
        found: dict[Owner, ObservedOwner] = {}
        token = ""
        seen: set[str] = set()
        for _ in range(pages_max):
            try:
                page = await self._page(kind, token)
            except (Rejected, ScanIncomplete):
                if not token:
                    raise
                return found, False
            for row in page.rows:
                observed = observed_owner(self.domain.name, row)
                found[folded_owner(observed.owner)] = observed
            token = page.next_token
            if not token:
                return found, True
            if token in seen or (wanted is not None and wanted <= found.keys()):
                break
            seen.add(token)
        return found, False

    async def _page(self, kind: OwnerKind, token: str) -> OwnerPage:
        def call() -> Awaitable[OwnerPage]:
            return self.calls.read(
                listing_of(kind),
                lambda: self.cloud.list_owners(self.domain.domain_id, kind, token=token),
                self.may_call,
            )

        return await self._ask(listing_of(kind), call)

    async def _ask(self, operation: str, call: Callable[[], Awaitable[T]]) -> T:
        return await ask_again(operation, call, self.backoffs, self.jitter, self.emit, stopped=self.stopped)


def observed_owner(domain: str, row: OwnerRow, arn: str = "") -> ObservedOwner:
    """Give a row as the core knows it, under the fleet's name of the domain."""
    return ObservedOwner(
        Owner(domain, row.kind, row.name),
        row.status,
        row.created_at,
        owner_user=row.owner_user,
        sharing=row.sharing,
        app_type=row.app_type,
        arn=arn,
    )
