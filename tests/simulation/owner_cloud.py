"""The calls about user profiles and spaces under simulation, with the same latencies and faults as those about apps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from engine.core.errors import OutcomeUnknown
from engine.core.identity import USER
from engine.ports.owners import OwnerPage, listing_of, operation_of
from engine.simulator.service import owner_operations as owners
from engine.simulator.world.faults import ROW_FAULTS, FaultKind
from engine.simulator.world.service_error import ServiceError
from tests.simulation.calls import LATE, Call
from tests.simulation.owner_maker import make_owner, standing_owner
from tests.simulation.owner_watch import owner_id

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Mapping

    from engine.core.desired import DesiredOwner, Tags
    from engine.core.identity import Lane, OwnerKind
    from engine.ports.owners import OwnerDetail
    from engine.simulator.faces.memory_face import MemoryCloud
    from engine.simulator.world.faults import Fault
    from tests.simulation.scenario import Scenario
    from tests.simulation.sim_world import SimWorld
    from tests.simulation.watch import Watch

T = TypeVar("T")


@dataclass(slots=True)
class LateOwner:
    """A create of an owner that the service carries out after its caller has given up on it."""

    watch: Watch
    domain_id: str
    declared: DesiredOwner
    tags: Tags
    run: int

    def apply(self, world: Any) -> None:
        """Carry it out, if the service still would."""
        try:
            made = make_owner(world, self.domain_id, self.declared, dict(self.tags), at_once=False)
        except ServiceError:
            return
        owner = self.declared.owner
        self.watch.owners.made_owner(owner_id(self.domain_id, owner.kind, owner.name), made, self.run)


@dataclass(slots=True)
class LateOwnerDelete:
    """A delete of an owner that the service carries out later, if the same generation still stands there."""

    domain_id: str
    kind: OwnerKind
    name: str
    created_at: float

    def apply(self, world: Any) -> None:
        """Carry it out."""
        found = standing_owner(world, self.domain_id, self.kind, self.name)
        if found is None or found.created_at != self.created_at:
            return
        delete = owners.delete_profile if self.kind == USER else owners.delete_space
        try:
            delete(world, world.domains[self.domain_id], self.name)
        except ServiceError:
            return


@dataclass(slots=True)
class LateOwnerUpdate:
    """An update of an owner that the service carries out later, if it still can."""

    domain_id: str
    kind: OwnerKind
    name: str
    settings: Mapping[str, Any]

    def apply(self, world: Any) -> None:
        """Carry it out."""
        domain = world.domains[self.domain_id]
        try:
            if self.kind == USER:
                owners.update_profile(world, domain, self.name, dict(self.settings))
            else:
                owners.update_space(world, domain, self.name, dict(self.settings), None)
        except ServiceError:
            return


class OwnerCalls:
    """What `SimCloud` does about owners; the cloud itself says how a call is made."""

    lane: Lane
    watch: Watch
    _scenario: Scenario
    _world: SimWorld
    _rng: random.Random
    _fault: Fault | None
    _inner: MemoryCloud

    async def _call(self, call: Call, act: Callable[[], Awaitable[T]], lost: Callable[[], None] | None = None) -> T:
        raise NotImplementedError

    async def list_owners(self, domain_id: str, kind: OwnerKind, *, token: str = "") -> OwnerPage:
        call = Call(listing_of(kind), self.lane, domain_id, self.watch.now())

        async def act() -> OwnerPage:
            fault = self._fault
            if fault is not None and fault.kind in ROW_FAULTS:
                self._fault = None
            page = await self._inner.list_owners(domain_id, kind, token=token)
            rows = list(page.rows)
            if rows and fault is not None and fault.kind is FaultKind.DUPLICATE_ROWS:
                rows.append(self._rng.choice(rows))
            if rows and fault is not None and fault.kind is FaultKind.MISSING_ROWS:
                row = rows.pop(self._rng.randrange(len(rows)))
                self.watch.owners.hidden.add(owner_id(domain_id, kind, row.name))
                self.watch.seen.add("a listing of owners left a row out")
            return OwnerPage(tuple(rows), page.next_token)

        return await self._call(call, act)

    async def describe_owner(self, domain_id: str, kind: OwnerKind, name: str) -> OwnerDetail:
        call = self._of("Describe", domain_id, kind, name)
        return await self._call(call, lambda: self._inner.describe_owner(domain_id, kind, name))

    async def create_owner(self, domain_id: str, owner: DesiredOwner, tags: Tags) -> str:
        kind, name = owner.owner.kind, owner.owner.name
        call = self._of("Create", domain_id, kind, name)
        call.tags = tags
        run, key = self.watch.runs, owner_id(domain_id, kind, name)

        def lost() -> None:
            delay = self._rng.uniform(0.0, self._scenario.late_max_s)
            self._world.schedule(self.watch.wall() + delay, LateOwner(self.watch, domain_id, owner, tags, run))

        async def act() -> str:
            if self._fault is not None and self._fault.code == LATE:
                lost()
                raise OutcomeUnknown(
                    f"{call.operation} has no answer: reset", service_code="reset", operation=call.operation
                )
            before = standing_owner(self._world, domain_id, kind, name)
            try:
                return await self._inner.create_owner(domain_id, owner, tags)
            finally:
                made = standing_owner(self._world, domain_id, kind, name)
                if made is not None and made is not before:
                    self.watch.owners.made_owner(key, made, run)

        return await self._call(call, act, lost)

    async def update_owner(self, domain_id: str, kind: OwnerKind, name: str, settings: Mapping[str, Any]) -> None:
        call = self._of("Update", domain_id, kind, name)

        def lost() -> None:
            delay = self._rng.uniform(0.0, self._scenario.late_max_s)
            self._world.schedule(self.watch.wall() + delay, LateOwnerUpdate(domain_id, kind, name, settings))

        async def act() -> None:
            if self._fault is not None and self._fault.code == LATE:
                lost()
                raise OutcomeUnknown(
                    f"{call.operation} has no answer: reset", service_code="reset", operation=call.operation
                )
            await self._inner.update_owner(domain_id, kind, name, settings)

        await self._call(call, act, lost)

    async def delete_owner(self, domain_id: str, kind: OwnerKind, name: str) -> None:
        call = self._of("Delete", domain_id, kind, name)
        standing = standing_owner(self._world, domain_id, kind, name)
        created_at = standing.created_at if standing is not None else 0.0

        def lost() -> None:
            delay = self._rng.uniform(0.0, self._scenario.late_max_s)
            self._world.schedule(self.watch.wall() + delay, LateOwnerDelete(domain_id, kind, name, created_at))

        async def act() -> None:
            if self._fault is not None and self._fault.code == LATE:
                lost()
                raise OutcomeUnknown(
                    f"{call.operation} has no answer: reset", service_code="reset", operation=call.operation
                )
            await self._inner.delete_owner(domain_id, kind, name)

        await self._call(call, act, lost)

    async def auth_mode(self, domain_id: str) -> str:
        call = Call("DescribeDomain", self.lane, domain_id, self.watch.now())
        return await self._call(call, lambda: self._inner.auth_mode(domain_id))

    async def domain_status(self, domain_id: str) -> str:
        call = Call("DescribeDomain", self.lane, domain_id, self.watch.now())
        return await self._call(call, lambda: self._inner.domain_status(domain_id))

    def _of(self, verb: str, domain_id: str, kind: OwnerKind, name: str) -> Call:
        operation, key = operation_of(verb, kind), owner_id(domain_id, kind, name)
        return Call(operation, self.lane, domain_id, self.watch.now(), owner=key)
