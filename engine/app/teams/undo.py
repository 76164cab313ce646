"""What `onboard --undo` lays over a fleet and over its plan: what a past run made goes, what it updated is put back.

Not here: which profile, space or field that may be (`core.undoing`), or what the journal keeps (`ports.history`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from engine.app.teams.overlay import Preparation, require_cover, with_absent
from engine.core.change import Action, Change
from engine.core.desired import AppSpec, DesiredApp, DesiredOwner
from engine.core.errors import UsageError
from engine.core.finding import SKIP, UNDO, Finding
from engine.core.identity import folded_owner
from engine.core.limits import JOURNAL_ALIVE_SECONDS
from engine.core.outcome import Outcome
from engine.core.text import clean
from engine.core.undoing import RunOwners, Span, with_owners_undone
from engine.executor.troubles import UNKNOWN_CODE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.app.loading import Loaded
    from engine.core.facts import Facts
    from engine.core.identity import AppKey, Owner
    from engine.core.plan import Plan
    from engine.ports.history import AppRecord, OwnerRecord, RunDetail, RunTrail

_MADE: Final = frozenset({Outcome.CREATED.value, Outcome.STILL_PENDING.value})


@dataclass(frozen=True, slots=True)
class Undoing(Preparation):
    """What one run made: its apps, each with the time in which the run may have made it, and its profiles and spaces.

    `apps_again` are those that a later run made or deleted. `must_be_covered` as of an `Offboarding`.
    """

    run_id: str
    apps: Mapping[AppKey, Span]
    owners: RunOwners
    apps_again: frozenset[AppKey] = frozenset()
    must_be_covered: tuple[str, ...] | None = None

    @property
    def leaving(self) -> tuple[DesiredOwner, ...]:
        """The profiles and spaces that the run made."""
        return tuple(DesiredOwner(owner, self.owners.source) for owner in self.owners.made)

    @property
    def restored(self) -> tuple[Owner, ...]:
        """The profiles and spaces that the run updated."""
        return tuple(sorted(self.owners.updated))

    def fleet(self, loaded: Loaded) -> Loaded:
        """Declare the run's apps absent."""
        declared = {app.key: app for app in loaded.fleet.apps}
        source = replace(self.owners.source, line=1)
        apps = tuple(
            replace(declared.get(key) or DesiredApp(key, AppSpec(), source), team=self.run_id) for key in self.apps
        )
        return with_absent(loaded, apps)

    def over(self, made: Plan, facts: Facts) -> Plan:
        """Leave alone what was made again since the run, and let its profiles, spaces and updates go."""
        made = with_owners_undone(self._without_later_apps(made), self.owners, facts)
        if self.must_be_covered is not None:
            require_cover(made, self.must_be_covered, "the run's name")
        return made

    def _without_later_apps(self, made: Plan) -> Plan:
        """Return the plan without the deletes of what the run did not make, which is none of its business."""
        decisions: list[Change] = []
        findings: list[Finding] = []
        for change in made.decisions:
            if change.action is Action.DELETE and not self._made(change):
                message = f"not deleted: the app there was not made by run {self.run_id}"
                findings.append(Finding(UNDO, SKIP, str(change.key), clean(message)))
            else:
                decisions.append(change)
        return replace(made, decisions=tuple(decisions), findings=tuple(sorted({*made.findings, *findings})))

    def _made(self, change: Change) -> bool:
        """Whether what a delete would take away is what the run made."""
        span, row = self.apps.get(change.key), change.before
        if span is None or row is None:
            return True
        return change.key not in self.apps_again and span.may_hold(row.created_at)


def undoing(detail: RunDetail, trail: RunTrail, allowed: tuple[str, ...] | None) -> Undoing:
    """Return what a past run did; `allowed` as `must_be_covered`. Raises UsageError for one that did nothing."""
    run = detail.run
    last_sign = run.alive_at + JOURNAL_ALIVE_SECONDS
    whole = Span(run.started, last_sign)
    apps = {
        app.key: Span(run.started, app.at)
        for app in detail.apps
        if app.action == Action.CREATE.value and _may_be_made(app)
    }
    apps |= {intent.key: whole for intent in detail.open_intents if intent.operation == "CreateApp"}
    made = {
        one.owner: Span(one.at - one.seconds, one.at)
        for one in detail.owners
        if one.action == Action.CREATE.value and (_may_be_made(one) or _stands_failed(one))
    }
    made |= dict.fromkeys(trail.in_doubt, whole)
    if not (apps or made or trail.updated):
        raise UsageError(
            f"run {clean(run.run_id, 80)} created and updated nothing: no app, user profile or space",
            hint="See: appfleet history",
        )
    again = frozenset(folded_owner(owner) for owner in trail.again)
    owners = RunOwners(run.run_id, last_sign, made, again, trail.updated)
    return Undoing(run.run_id, apps, owners, trail.apps_again, allowed)


def _may_be_made(one: AppRecord | OwnerRecord) -> bool:
    """Whether the run made it, or sent a create of which it never knew what became."""
    cut_off = one.outcome == Outcome.INTERRUPTED.value and one.attempts > 0
    return one.outcome in _MADE or cut_off or one.error_code == UNKNOWN_CODE


def _stands_failed(one: OwnerRecord) -> bool:
    """Whether its create was accepted, and what it made is there although it Failed."""
    return one.outcome == Outcome.FAILED.value and bool(one.arn)
