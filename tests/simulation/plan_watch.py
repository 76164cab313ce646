"""Safety of training plans: no app is sent to one that cannot run it, and none waits for what it does not count in.

What DescribeTrainingPlan told is judged here anew, by the time at which the plan was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.errors import NotFound
from engine.core.outcome import Outcome
from engine.core.reserved import TrainingPlan
from engine.core.training_plans import plan_arn

if TYPE_CHECKING:
    from engine.core.change import Change
    from engine.core.desired import AppSpec
    from engine.core.errors import CloudError
    from engine.core.outcome import AppResult
    from engine.simulator.world.records import App, AppId
    from tests.simulation.calls import Call
    from tests.simulation.watch import Watch

GONE: Final = "it does not exist"


def plan_of(spec: AppSpec | None) -> str:
    """Return the training plan of a spec, empty for none."""
    arn = "" if spec is None else spec.training_plan_arn or ""
    return arn if plan_arn(arn) is not None else ""


class PlanWatch:
    """What one run was told of training plans, and what it sends to them."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._told: dict[str, TrainingPlan | None] = {}

    def answered(self, call: Call, answer: object, error: CloudError | None) -> None:
        """Take in what is told of a plan."""
        if isinstance(answer, TrainingPlan):
            self._told[call.arn] = answer
        elif isinstance(error, NotFound):
            self._told[call.arn] = None

    def sending(self, call: Call, key: AppId) -> None:
        """Check a CreateApp that leaves."""
        arn = plan_of(call.spec)
        if not arn:
            return
        self._watch.seen.add("an app was sent to a training plan")
        if call.spec is not None and (why := self._why_not(arn, call.spec.instance_type or "")):
            self._watch.violation(f"CreateApp of {key} on {arn}, although {why}")

    def _why_not(self, arn: str, instance_type: str) -> str:
        """Say why a plan cannot run an app, as far as this run was told; empty where it may."""
        if arn not in self._told:
            return ""
        told, at = self._told[arn], self._watch.planned_at_wall
        if told is None:
            return GONE
        if told.status in ("Expired", "Failed") or (told.ends_at or float("inf")) <= at:
            return f"it is {told.status} until {told.ends_at} at {at}"
        if told.status in ("Scheduled", "Pending") and (told.starts_at or float("inf")) > at:
            return f"it is {told.status} until {told.starts_at} at {at}"
        if told.targets and "studio-apps" not in told.targets:
            return f"it is for {told.targets}"
        return "" if instance_type in told.instance_types else f"it reserves {told.instance_types}"

    def made(self, app: App) -> None:
        """Check that a plan never runs more apps than it has instances."""
        arn = app.bucket.training_plan
        plan, used = self._watch.world.training_plans.get(arn), self._watch.world.plan_usage[arn]
        if plan is not None and plan.full_is_refused and used > plan.total - plan.taken:
            self._watch.violation(f"{used} apps on {arn}, which has {plan.total - plan.taken} instances for them")

    def why_parked_wrongly(self, key: AppId, change: Change, result: AppResult) -> str:
        """Say why an app waited for what it does not count against; empty where it waited rightly."""
        if result.outcome is not Outcome.PARKED or change.after is None:
            return ""
        refused = self._watch.quotas.refused
        names = self._watch.quotas.names_of_app(key, change.after)
        return "" if names is None or refused & names else f"nothing that it counts against was full: {sorted(names)}"
