"""Assigning the users of new profiles to the application of their domain in IAM Identity Center, beside the run.

It is no phase of a profile: neither the profile nor its apps wait for it or fail with it. A user is assigned once the
profile that this run made is in service, lane by lane and one after the other. The calls may be repeated, since who is
assigned already stays so; so each is asked as a read of the account's own APIs is, within the bound of services that
a run can do without. Whoever is left over is named by a finding with the command that assigns them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from engine.core.application import Application, Why, unassigned, why_of
from engine.core.change import Action
from engine.core.errors import AccessDenied, CloudError, NotFound, OutcomeUnknown, Throttled, Unreachable
from engine.core.outcome import Outcome
from engine.core.text import count_of
from engine.executor.calls import StoppedError
from engine.ports.events import UserAssigned, UserUnassigned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from engine.core.change import OwnerChange
    from engine.core.finding import Finding
    from engine.core.identity import Lane, Owner
    from engine.core.outcome import OwnerResult
    from engine.executor.reach import Reach
    from engine.ports.events import Emit
    from engine.ports.journal import Journal

_SERVICE: Final = "IAM Identity Center"
_MADE: Final[Mapping[Action, frozenset[Outcome]]] = {
    Action.CREATE: frozenset({Outcome.CREATED}),
    Action.UPDATE: frozenset({Outcome.UPDATED, Outcome.UNCHANGED}),
    Action.NONE: frozenset({Outcome.UNCHANGED}),
}
_PASSING: Final = Throttled | Unreachable | OutcomeUnknown  # of which nobody knows; the next run tries again
_NO_USER: Final = Why("the identity store has no user of that name yet (is it provisioned?). The next run tries again")
_NO_APPLICATION: Final = Why("DescribeDomain names no application, as for domains created before October 2023")
_STOPPED: Final = Why("the run ended before that. The next run tries again")
_STOPPED_CODE: Final = "stopped"


async def application_of(reach: Reach, account_reach: Reach) -> Application:
    """Return a domain's application and its identity store, or why they could not be read. Raises StoppedError.

    The two reach the domain, and the APIs of its account.
    """
    region, arn = reach.link.lane.region, ""
    try:
        arn = await reach.ask("DescribeDomain", lambda cloud: cloud.application_arn(reach.domain_id))
        if not arn:
            return Application(region, unread=_NO_APPLICATION)
        found = await account_reach.optional_pages(
            "ListInstances", lambda cloud, token: cloud.instances(token=token), _SERVICE
        )
    except CloudError as error:
        return Application(region, arn, unread=why_of(error))
    instance = Application(region, arn).instance
    store = next((page.stores[instance] for page in found if instance in page.stores), "")
    hidden = None if store else Why(f"ListInstances does not show the caller the instance {instance}")
    return Application(region, arn, store, hidden)


@dataclass(slots=True)
class Assigning:
    """What is assigned in one run. `reach_of` reaches a domain's account, while the domain's lane may call.

    `on_bug` hears of what should not have been. `wall` gives epoch seconds.

    Nobody is assigned whose profile neither this run made nor an earlier one that did not come to it: the journal keeps
    whose user is to be assigned, from before the profile is made until that is done or refused.
    """

    changes: Iterable[OwnerChange]
    reach_of: Callable[[str], Reach]
    emit: Emit
    on_bug: Callable[[BaseException], None]
    journal: Journal
    wall: Callable[[], float]
    count: int = 0
    _wanted: dict[Owner, OwnerChange] = field(init=False)
    _waiting: defaultdict[Lane, deque[OwnerChange]] = field(default_factory=lambda: defaultdict(deque))
    _busy: set[Lane] = field(default_factory=set)
    _given_up: dict[str, CloudError] = field(default_factory=dict)
    _left: defaultdict[tuple[str, Application, Why], list[str]] = field(default_factory=lambda: defaultdict(list))
    _group: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)

    def __post_init__(self) -> None:
        """Take in whose users are to be assigned."""
        self._wanted = {change.owner: change for change in self.changes if change.assigned_to is not None}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Assign users while the block runs; leaving it waits for the last of them."""
        for owner in self._wanted:
            self.journal.owe_assignment(owner, self.wall())
        async with self._group:
            yield

    def take(self, result: OwnerResult) -> None:
        """Handle the end of an owner: the user of a profile that was made, now or by an earlier run, is assigned."""
        change = self._wanted.get(result.owner)
        if change is None:
            return
        if result.outcome is Outcome.ADOPTED:  # somebody else made it meanwhile
            self.journal.settle_assignment(result.owner)
        if result.outcome not in _MADE[change.action]:
            return
        lane = self.reach_of(result.owner.domain).link.lane
        self._waiting[lane].append(change)
        if lane not in self._busy:
            self._busy.add(lane)
            self._group.create_task(self._drain(lane))

    async def _drain(self, lane: Lane) -> None:
        waiting = self._waiting[lane]
        while waiting:
            try:
                await self._assign(waiting.popleft())
            except Exception as bug:  # noqa: BLE001 - it ends the run in order, as every bug does
                self.on_bug(bug)
        self._busy.discard(lane)

    async def _assign(self, change: OwnerChange) -> None:
        domain, user, application = change.owner.domain, _user_of(change), _application_of(change)
        try:
            if domain in self._given_up:
                raise self._given_up[domain].with_traceback(None)
            await self._ask(self.reach_of(domain), user, application)
        except StoppedError:
            self._leave(change, _STOPPED_CODE, _STOPPED)
        except NotFound as error:
            is_user = error.operation == "GetUserId"
            self._leave(change, error.service_code, _NO_USER if is_user else why_of(error))
            if not is_user:
                self.journal.settle_assignment(change.owner)
        except CloudError as error:
            # What is refused may be one user's; what is denied, or did not pass, is everybody's.
            if isinstance(error, AccessDenied | _PASSING) or error.ends_lane:
                self._given_up[domain] = error
            self._leave(change, error.told_code, why_of(error))
            if not isinstance(error, _PASSING):
                self.journal.settle_assignment(change.owner)
        else:
            self.count += 1
            self.journal.settle_assignment(change.owner)
            self.emit(UserAssigned(change.owner, user, application.arn))

    async def _ask(self, reach: Reach, user: str, application: Application) -> None:
        user_id = await reach.optional(
            "GetUserId", lambda cloud: cloud.user_id(application.store, user), purpose=_SERVICE
        )
        await reach.optional(
            "CreateApplicationAssignment", lambda cloud: cloud.assign_user(application.arn, user_id), purpose=_SERVICE
        )

    def _leave(self, change: OwnerChange, code: str, why: Why) -> None:
        user = _user_of(change)
        self._left[change.owner.domain, _application_of(change), why].append(user)
        self.emit(UserUnassigned(change.owner, user, code, why.cause or why.short))

    @property
    def findings(self) -> list[Finding]:
        """What is to be said of the users who are not assigned."""
        return [
            finding
            for (domain, application, why), users in self._left.items()
            for finding in unassigned(domain, application, why, users)
        ]

    @property
    def notes(self) -> list[str]:
        """How many users were assigned, for the reader of the report."""
        return [f"{count_of(self.count, 'user')} assigned in {_SERVICE}"] if self.count else []


def _application_of(change: OwnerChange) -> Application:
    assert change.assigned_to is not None  # noqa: S101 - no other change is taken
    return change.assigned_to


def _user_of(change: OwnerChange) -> str:
    return "" if change.after is None else change.after.sso_identity or ""
