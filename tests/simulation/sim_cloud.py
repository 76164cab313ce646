"""The cloud port under simulation: the world behind latencies and faults, with every call shown to the watch.

A call is checked when it leaves, takes a while to arrive, is carried out (or not, or later), and takes a while to come
back. What comes back is shown to the watch before the executor sees it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from engine.core.errors import CloudError, OutcomeUnknown
from engine.core.limits import LOOK_BEFORE_CHANGE_MAX_SECONDS
from engine.core.service_errors import error_from_service
from engine.ports.cloud import AppDetail, AppName, AppPage, Caller, TaggedPage
from engine.simulator.faces.memory_face import MemoryCloud, SimulatedCall
from engine.simulator.faces.memory_ingredients import MemoryIngredients
from engine.simulator.service import app_operations as apps
from engine.simulator.service import tag_operations as tagging
from engine.simulator.world.faults import ROW_FAULTS, Fault, FaultKind
from engine.simulator.world.records import IN_SERVICE, AppId, app_id
from engine.simulator.world.service_error import ServiceError
from tests.simulation.calls import LATE, Call
from tests.simulation.owner_cloud import OwnerCalls
from tests.simulation.sign_in_cloud import SignInCalls
from tests.simulation.sim_world import SimWorld, row_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.core.desired import AppSpec, Tags
    from engine.core.identity import Lane, OwnerKind
    from engine.core.reserved import TrainingPlan
    from tests.simulation.scenario import Scenario
    from tests.simulation.watch import Watch

T = TypeVar("T")

FROZEN_MAX_SECONDS: Final = 20.0
TOKEN_REPEATS: Final = "token-repeats"
TOKEN_EXPIRED: Final = Fault(FaultKind.ERROR, "ValidationException", "NextToken is not valid for this request.")


@dataclass(slots=True)
class LateCreate:
    """A CreateApp that the service carries out after its caller has given up on it."""

    cloud: SimCloud
    app: AppName
    spec: AppSpec
    tags: Tags
    run: int

    def apply(self, world: Any) -> None:
        """Carry it out, if the service still would."""
        key = key_of(self.app)
        try:
            domain = apps.find_domain(world, self.cloud.lane, self.app.domain_id)
            pairs = [{"Key": name, "Value": value} for name, value in self.tags]
            made = apps.create_app(world, domain, key, self.app.owner, self.spec, tagging.checked_tags(pairs))
        except ServiceError:
            return
        self.cloud.watch.made_app(key, made, self.run)


@dataclass(slots=True)
class LateDelete:
    """A DeleteApp that the service carries out later, whatever stands under the name by then."""

    cloud: SimCloud
    app: AppName
    created_at: float
    replaces: bool

    def apply(self, world: Any) -> None:
        """Carry it out, if the service still would."""
        key = key_of(self.app)
        found = world.apps.get(key)
        try:
            apps.delete_app(world, key)
        except ServiceError:
            return
        self.cloud.watch.late.deleted(key, found, replaces=self.replaces, meant=self.created_at)


class SimCloud(OwnerCalls, SignInCalls, MemoryIngredients):
    """One lane's cloud (`ports.cloud.Cloud`). No run asks what apps are made from."""

    def __init__(self, scenario: Scenario, lane: Lane, watch: Watch) -> None:
        self.lane = lane
        self.watch = watch
        self.endpoint = ""
        self._scenario = scenario
        self._world: SimWorld = scenario.world
        self._rng = scenario.rng
        self._fault: Fault | None = None
        self._inner = MemoryCloud(
            scenario.world, watch.wall, account=lane.account, region=lane.region, fault=lambda _: self._fault
        )

    async def caller(self) -> Caller:
        return await self._call(Call("GetCallerIdentity", self.lane, "", self.watch.now()), self._inner.caller)

    async def list_apps(
        self, domain_id: str, *, owner_kind: OwnerKind | None = None, owner: str = "", token: str = ""
    ) -> AppPage:
        call = Call("ListApps", self.lane, domain_id, self.watch.now())

        async def act() -> AppPage:
            fault = self._fault
            if fault is not None and (fault.kind in ROW_FAULTS or (fault.code == TOKEN_EXPIRED.code and not token)):
                self._fault = None  # not an answer of its own, or one that only a later page can have
            page = await self._page(call, owner_kind, owner, token)
            return self._spoilt(page, domain_id, fault, token)

        return await self._call(call, act)

    async def create_app(self, app: AppName, spec: AppSpec, tags: Tags) -> str:
        call = Call("CreateApp", self.lane, app.domain_id, self.watch.now(), app, spec)
        key, run = key_of(app), self.watch.runs

        async def act() -> str:
            if self._fault is not None and self._fault.code == LATE:
                delay = self._rng.uniform(0.0, self._scenario.app_late_max_s)
                self._world.schedule(self._world.now + delay, LateCreate(self, app, spec, tags, run))
                raise OutcomeUnknown("CreateApp has no answer: reset", service_code="reset", operation="CreateApp")
            before = self._world.apps.get(key)
            try:
                return await self._inner.create_app(app, spec, tags)
            finally:
                made = self._world.apps.get(key)
                if made is not None and made is not before:
                    self.watch.made_app(key, made, run)

        def lost() -> None:
            delay = self._rng.uniform(0.0, self._scenario.app_late_max_s)
            self._world.schedule(self.watch.wall() + delay, LateCreate(self, app, spec, tags, run))

        return await self._call(call, act, lost)

    async def delete_app(self, app: AppName) -> None:
        call = Call("DeleteApp", self.lane, app.domain_id, self.watch.now(), app)
        standing = self._world.apps.get(key_of(app))
        created_at = standing.created_at if standing is not None else 0.0
        late = LateDelete(self, app, created_at, self.watch.late.replaces(key_of(app)))

        async def act() -> None:
            if self._fault is not None and self._fault.code == LATE:
                delay = self._rng.uniform(0.0, self._scenario.app_late_max_s)
                self._world.schedule(self._world.now + delay, late)
                raise OutcomeUnknown("DeleteApp has no answer: reset", service_code="reset", operation="DeleteApp")
            found = self._world.apps.get(key_of(app))
            alive = found is not None and found.status == IN_SERVICE
            try:
                await self._inner.delete_app(app)
            finally:
                if alive and found is not None and found.status != IN_SERVICE:
                    self.watch.late.deleted(key_of(app), found, replaces=late.replaces, meant=found.created_at)

        def lost() -> None:
            delay = self._rng.uniform(0.0, self._scenario.app_late_max_s)
            self._world.schedule(self.watch.wall() + delay, late)

        await self._call(call, act, lost)

    async def describe_app(self, app: AppName) -> AppDetail:
        call = Call("DescribeApp", self.lane, app.domain_id, self.watch.now(), app)
        answer = await self._call(call, lambda: self._inner.describe_app(app))
        share = self._scenario.freeze_probability
        if share and self.watch.late.will_delete(key_of(app)) and self._rng.random() < share:
            self.watch.late.freeze(self._rng.uniform(LOOK_BEFORE_CHANGE_MAX_SECONDS, FROZEN_MAX_SECONDS))
        return answer

    async def training_plan(self, arn: str) -> TrainingPlan:
        call = Call("DescribeTrainingPlan", self.lane, "", self.watch.now(), arn=arn)
        return await self._call(call, lambda: self._inner.training_plan(arn))

    async def list_tags(self, arn: str) -> Tags:
        call = Call("ListTags", self.lane, "", self.watch.now(), arn=arn)
        return await self._call(call, lambda: self._inner.list_tags(arn))

    async def add_tags(self, arn: str, tags: Tags) -> None:
        call = Call("AddTags", self.lane, "", self.watch.now(), arn=arn)
        await self._call(call, lambda: self._inner.add_tags(arn, tags))

    async def tagged_resources(self, key: str, kinds: tuple[str, ...], *, token: str = "") -> TaggedPage:
        call = Call("GetResources", self.lane, "", self.watch.now())
        return await self._call(call, lambda: self._inner.tagged_resources(key, kinds, token=token))

    async def _call(self, call: Call, act: Callable[[], Awaitable[T]], lost: Callable[[], None] | None = None) -> T:
        watch = self.watch
        if watch.dead:
            await _for_ever()
        watch.sending(call)
        answer: Any = None
        error: CloudError | None = None
        try:
            await self._latency(call)
            if watch.dead:
                await _for_ever()
            self._fault = self._scenario.draw_fault(call)
            if self._fault is not None and self._fault.kind is FaultKind.STALL_AFTER and not self._fault.code:
                stalled = True
            else:
                stalled = False
            self._world.advance(watch.wall())
            call.arrived = True
            try:
                answer = await act()
            except CloudError as raised:
                error = raised
            self._fault = None
            await asyncio.sleep(self._rng.uniform(15.0, 25.0) if stalled else self._scenario.draw_latency())
        except asyncio.CancelledError:
            answer = error = None  # what was on its way back was not heard
            if not call.arrived and lost is not None and self._rng.random() < 0.5:
                lost()  # it was on its way when we let go of it
            raise
        finally:
            if not watch.dead:
                watch.answered(call, answer, error)
        if watch.dead:
            await _for_ever()
        if error is not None:
            raise error
        return answer  # type: ignore[no-any-return]

    async def _latency(self, call: Call) -> None:
        await asyncio.sleep(self._scenario.draw_latency())
        assert call.sent_at <= self.watch.now()

    async def _page(self, call: Call, owner_kind: OwnerKind | None, owner: str, token: str) -> AppPage:
        if self._fault is not None:  # acted out by the inner cloud, which knows how each fault looks
            await self._inner._call(SimulatedCall("ListApps", domain_id=call.domain_id), lambda: None)
        world = self._world
        try:
            world.take_request(self.lane, "ListApps")
            found, next_token = apps.list_apps(
                world,
                self.lane,
                domain_id=call.domain_id,
                owner_kind=owner_kind,
                owner=owner,
                size=self._scenario.page_rows,
                token=token,
            )
        except ServiceError as refused:
            raise error_from_service(
                operation="ListApps", service_code=refused.code, message=refused.message, status=refused.status
            ) from None
        return AppPage(tuple(row for app in found if (row := world.shown(app)) is not None), next_token or "")

    def _spoilt(self, page: AppPage, domain_id: str, fault: Fault | None, token: str) -> AppPage:
        rows = list(page.rows)
        if rows and fault is not None and fault.kind is FaultKind.DUPLICATE_ROWS:
            rows.append(self._rng.choice(rows))
        if rows and fault is not None and fault.kind is FaultKind.MISSING_ROWS:
            place = self._rng.randrange(len(rows))
            row = rows[place]
            if self.watch.may_hide(app_id(domain_id, row.owner_kind, row.owner, row.app_type, row.app_name)):
                del rows[place]
        strange = self._scenario.strange_keys(self.watch.now())
        if strange:
            rows = [
                replace(row, status="Exploded")
                if app_id(domain_id, row.owner_kind, row.owner, row.app_type, row.app_name) in strange
                and row.status in ("InService", "Pending")
                else row
                for row in rows
            ]
        if fault is not None and fault.code == TOKEN_REPEATS and token:
            return AppPage(tuple(rows), token)
        return AppPage(tuple(rows), page.next_token)


def key_of(app: AppName) -> AppId:
    """Return the world's key of an app."""
    return app_id(app.domain_id, app.owner_kind, app.owner, app.app_type, app.app_name)


async def _for_ever() -> None:
    """Wait as a process that is no more: nothing comes of it but the cancellation that clears it away."""
    await asyncio.get_running_loop().create_future()


__all__ = ["LATE", "TOKEN_EXPIRED", "TOKEN_REPEATS", "Call", "SimCloud", "key_of", "row_of"]
