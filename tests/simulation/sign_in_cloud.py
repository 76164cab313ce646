"""The calls about who may sign in under simulation, with the same latencies and faults as those about apps."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tests.simulation.calls import Call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.core.identity import Lane
    from engine.ports.identity_center import InstancePage
    from engine.simulator.faces.memory_face import MemoryCloud
    from tests.simulation.watch import Watch

T = TypeVar("T")


class SignInCalls:
    """What `SimCloud` does about users; the cloud itself says how a call is made."""

    lane: Lane
    watch: Watch
    _inner: MemoryCloud

    async def _call(self, call: Call, act: Callable[[], Awaitable[T]], lost: Callable[[], None] | None = None) -> T:
        raise NotImplementedError

    async def application_arn(self, domain_id: str) -> str:
        call = Call("DescribeDomain", self.lane, domain_id, self.watch.now())
        return await self._call(call, lambda: self._inner.application_arn(domain_id))

    async def instances(self, *, token: str = "") -> InstancePage:
        call = Call("ListInstances", self.lane, "", self.watch.now())
        return await self._call(call, lambda: self._inner.instances(token=token))

    async def user_id(self, store: str, name: str) -> str:
        call = Call("GetUserId", self.lane, "", self.watch.now())
        return await self._call(call, lambda: self._inner.user_id(store, name))

    async def assign_user(self, application_arn: str, user_id: str) -> None:
        call = Call("CreateApplicationAssignment", self.lane, "", self.watch.now(), arn=application_arn, user=user_id)
        await self._call(call, lambda: self._inner.assign_user(application_arn, user_id))
