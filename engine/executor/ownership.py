"""Whose an app is: its own tag, read one app at a time.

Asked of the few apps alone whose ownership decides something (`core.planner.needs_ownership`), never of Failed or
Deleted ones: the service refuses to tell their tags.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.core.errors import CloudError
from engine.core.identity import SPACE, USER
from engine.core.observed import Ownership
from engine.executor.asking import ask_again
from engine.executor.lane import FLEET_TAG
from engine.ports.cloud import AppName
from engine.ports.events import OwnershipUnread

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.desired import Tags
    from engine.core.identity import AppKey
    from engine.core.observed import ObservedApp
    from engine.core.settings import Backoffs
    from engine.executor.calls import LaneCalls
    from engine.executor.control import Control
    from engine.executor.link import Link
    from engine.ports.events import Emit


def twin_of(key: AppKey) -> AppKey:
    """Give the key of the other owner kind under the same names: an ARN does not tell the two apart."""
    return key._replace(owner_kind=SPACE if key.owner_kind == USER else USER)


@dataclass(frozen=True, slots=True)
class OwnershipReader:
    """Reads the apps of one domain."""

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
        fleet = dict(tags).get(FLEET_TAG)
        if fleet is None:
            return replace(row, ownership=Ownership.NOBODY)
        if fleet == self.fleet:
            return replace(row, ownership=Ownership.OURS)
        return replace(row, ownership=Ownership.FOREIGN, foreign_fleet=fleet)

    async def _tags(self, name: AppName) -> Tags:
        cloud, may_call = self.link.cloud, self.control.may_call
        detail = await self.calls.read("DescribeApp", lambda: cloud.describe_app(name), may_call)
        return await self.calls.read("ListTags", lambda: cloud.list_tags(detail.arn), may_call)
