"""Where the owners of a plan begin in a run: their operations, what each one waits for, and what waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.change import Action
from engine.core.desired import holder_of
from engine.core.identity import SPACE, folded_owner
from engine.core.stages import ordered_steps, owner_ranks
from engine.executor.begin import begin_in_doubt
from engine.executor.operation import Phase
from engine.executor.owner_operation import OwnerOperation, first_owner_phase

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from engine.core.change import OwnerChange
    from engine.core.desired import DesiredApp
    from engine.core.identity import AppKey, Lane, Owner
    from engine.core.plan import Plan
    from engine.core.settings import Settings
    from engine.executor.control import Control
    from engine.executor.link import Link
    from engine.executor.operation import Operation
    from engine.executor.settlement import Settlement
    from engine.ports.journal import Unfinished


def owner_operations(
    plan: Plan,
    weight: Callable[[DesiredApp], float],
    links: Mapping[str, Link],
    control: Control,
    settings: Settings,
    unfinished: Mapping[AppKey | Owner, Unfinished],
    wall: float,
) -> list[OwnerOperation]:
    """Return an operation for each owner of `plan`, each ranked with the first app that needs it.

    `unfinished` is what earlier runs began and did not end; `wall` is the time, in epoch seconds.
    """
    if not plan.owners:
        return []
    ranks = owner_ranks(plan, ordered_steps(plan, weight))
    operations = []
    for change in plan.owners:
        operation = OwnerOperation(
            ranks[change.owner],
            change,
            links[change.owner.domain].lane,
            first_owner_phase(change),
            after=_after(change, plan),
        )
        if operation.phase is not Phase.SETTLE_CREATE:
            operation.prior = change.before  # what is Pending is the very owner that is awaited
        operation.accepted_at = control.now()
        operation.settle_until = operation.accepted_at + settings.execution.settle_timeout
        left = unfinished.get(change.owner)
        if left is not None:
            begin_in_doubt(operation, left, control.now(), wall, settings)
        operations.append(operation)
    return operations


def begin_owners(
    owned: Sequence[OwnerOperation], apps: Sequence[Operation], settlements: Mapping[Lane, Settlement]
) -> None:
    """Put owners where they begin, before any app is: from then on what needs one of them waits for it."""
    for operation in owned:
        settlements[operation.lane].ready.hold_for(operation.key)
    if any(operation.change.action is Action.DELETE for operation in owned):
        for app in apps:
            if app.change.action is Action.DELETE:
                settlements[app.lane].ready.hold_for(app.key)
    for operation in owned:
        settlement = settlements[operation.lane]
        if operation.phase in (Phase.CREATE, Phase.DELETE):
            settlement.ready.push(operation)
        else:
            settlement.owners.watchers[operation.key.domain].watch(operation)


def _after(change: OwnerChange, plan: Plan) -> tuple[Hashable, ...]:
    """Name what comes before a change: a new space's profile; everything in what goes."""
    if change.action is not Action.DELETE:
        holder = None if change.after is None else holder_of(change.after)
        return () if holder is None else (holder,)
    own = folded_owner(change.owner)
    apps = [app.key for app in plan.changes if app.action is Action.DELETE and folded_owner(app.key.owner_key) == own]
    spaces = [
        other.owner
        for other in plan.owners
        if other.owner.kind == SPACE
        and other.action is Action.DELETE
        and other.before is not None
        and folded_owner(change.owner._replace(name=other.before.owner_user)) == own
        and other.owner.domain == change.owner.domain
    ]
    return (*apps, *spaces)
