"""Safety of updates: what the plan saw, ours by its tag, with a durable intent; and what is said of them is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.change import MAKING, Action
from engine.core.outcome import Outcome, OwnerResult
from engine.core.owner_settings import STATUS, differences
from engine.executor.rows import described_owner
from engine.simulator.faces.memory_owners import detail_of
from engine.simulator.world.records import UPDATING

if TYPE_CHECKING:
    from engine.core.change import OwnerChange
    from engine.core.plan import Plan
    from engine.simulator.world.records import Profile, Space
    from tests.simulation.calls import Call
    from tests.simulation.owner_watch import OwnerId, OwnerWatch
    from tests.simulation.watch import Watch

WHOLLY_REFUSED: Final = "it is not changed while it is in use"
OWNER_UPDATES: Final = frozenset({"UpdateUserProfile", "UpdateSpace"})


def check_update(owners: OwnerWatch, call: Call, key: OwnerId) -> None:
    """Check an update that leaves."""
    watch, change = owners.watch, owners.changes.get(key)
    what = f"{call.operation} of {key}"
    watch.seen.add("an update was sent")
    if watch.phase != "apply" or change is None or change.action is not Action.UPDATE or change.before is None:
        watch.violation(f"{what}, which the plan does not update")
        return
    if not watch.scenario.settings.update_owners and not _follows_its_app(watch, change):
        watch.violation(f"{what}, which no policy allows")
    owners.check_looked(what, key, change)


def _follows_its_app(watch: Watch, change: OwnerChange) -> bool:
    """Whether an update sets the default of a space before the run makes an app in it, and nothing else."""
    makes = any(app.key.owner_key == change.owner and app.action in MAKING for app in watch.changes.values())
    return makes and all(one.is_default or one.field == STATUS for one in change.updates)


def check_updated(owners: OwnerWatch, what: str, key: OwnerId, there: Profile | Space | None) -> None:
    """Check a create in an owner that the run updates: not before that update has ended, however it did."""
    watch, change = owners.watch, owners.changes[key]
    results = (result for lane in watch.run.lanes.values() for result in lane.ledger.results)
    ended = {result.owner for result in results if isinstance(result, OwnerResult)}
    if there is not None and there.status == UPDATING and change.owner not in ended:
        watch.violation(f"{what} before the update of {key} had ended")


def still_differs(there: Profile | Space, change: OwnerChange) -> list[str]:
    """Name the declared fields that what stands there has otherwise, and that an update changes."""
    if change.after is None:
        return []
    row = described_owner(change.owner.domain, detail_of(there))
    return [one.field for one in differences(change.after, row) if one.can_be_updated]


def why_untrue(owners: OwnerWatch, result: OwnerResult, change: OwnerChange, there: Profile | Space | None) -> str:
    """Say why the end of an update is not true; empty where it is."""
    owners.watch.seen.add(f"update {result.outcome.value}")
    if result.outcome not in (Outcome.UPDATED, Outcome.UNCHANGED):
        return ""
    if there is None or change.before is None or there.created_at != change.before.created_at:
        return ""  # somebody has deleted it since, or made it again
    if result.error is not None and result.error.message.startswith(WHOLLY_REFUSED):
        return ""
    left = [field for field in still_differs(there, change) if field != "ebs_gb" or result.error is None]
    return f"it differs in {', '.join(left)}" if left else ""


def check_none_left(owners: OwnerWatch, plan: Plan) -> None:
    """Check that after convergence only volumes differ, and what the run before waited for and did not compare."""
    for change in plan.owners:
        fields = {one.field for one in change.updates} - {"ebs_gb"}
        if change.action is Action.UPDATE and fields and change.owner not in owners.awaited_before:
            owners.watch.violation(f"after convergence {change.owner} is still to be updated: {sorted(fields)}")
