"""Safety of assignments: nobody is assigned whose profile this run did not make, and nobody is forgotten."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from engine.core.change import Action
from engine.core.outcome import Outcome
from engine.simulator.world.identity_center import application_arn

if TYPE_CHECKING:
    from engine.core.outcome import ApplyReport
    from engine.core.plan import Plan
    from tests.simulation.calls import Call
    from tests.simulation.watch import Watch

ASSIGN: Final = "CreateApplicationAssignment"
BESIDE: Final = frozenset({"ListInstances", "GetUserId", ASSIGN})  # they have a throttle and places of their own


class SignInWatch:
    """What one run does about users."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def sending(self, call: Call) -> None:
        """Check a call that assigns a user."""
        if call.operation != ASSIGN:
            return
        watch, user = self._watch, self._watch.world.center.known.get(call.user, "nobody")
        what = f"{ASSIGN} of {user}"
        if watch.phase != "apply" or watch.plan is None:
            watch.violation(f"{what} before anything is applied")
            return
        makes = [
            change
            for change in watch.plan.owners
            if change.action is Action.CREATE and change.assigned_to is not None and change.assigned_to.arn == call.arn
            and change.after is not None and change.after.sso_identity == user
        ]  # fmt: skip
        if len(makes) != 1:
            watch.violation(f"{what}, whose profile the plan does not make")
        elif wrong := watch.owners.why_not_made(makes[0].owner):
            watch.violation(f"{what}, but {wrong}")
        else:
            watch.seen.add("user assigned")

    def check_report(self, plan: Plan, report: ApplyReport) -> None:
        """Check that everybody whose profile was made is assigned, or named in a finding."""
        watch = self._watch
        made = {result.owner for result in report.owners if result.outcome is Outcome.CREATED}
        for change in plan.owners:
            if change.assigned_to is None or change.after is None:
                continue
            user, arn = change.after.sso_identity or "", change.assigned_to.arn
            domain = next(one for one in watch.world.domains.values() if application_arn(one) == arn)
            is_assigned = user in watch.world.center.users_of(domain)
            said = "".join(one.message for one in report.findings if f"domain {change.owner.domain} " in one.message)
            is_named = re.search(rf"(?<![\w-]){re.escape(user)}", said) is not None
            if is_named:
                watch.seen.add("user named in a finding")
            if change.owner in made and not (is_assigned or is_named):
                watch.violation(f"{user} is neither assigned nor named")
            if change.owner not in made and is_named:
                watch.violation(f"{user} is named, and the profile was not made")
