"""Planning in rounds over a run, for tests that read no files and reach no account."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.app.answers import answers, look_at_owners
from engine.app.options import AppOptions
from engine.app.plan import in_rounds
from engine.core.draft import Draft
from engine.core.facts import Facts
from engine.core.owners import WantedOwners, declared_owners, owners_needed, with_owners
from engine.core.questions import Purpose
from engine.executor.ownership import read_ownership

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.app.session import Joined
    from engine.core.desired import DesiredFleet
    from engine.core.identity import Owner
    from engine.core.observed import ObservedFleet, ObservedOwner
    from engine.core.ownership import WhoseAre
    from engine.core.plan import Plan
    from engine.core.plan_options import PlanOptions
    from engine.core.questions import Question
    from engine.executor.fleet_run import FleetRun

RUNS = Purpose(running=True)
_OPTIONS = AppOptions(Path("fleet.toml"))


@dataclass(frozen=True, slots=True)
class Parts:
    """What answers read of `session.Joined`. Service Quotas is not there: only SageMaker's own endpoint is."""

    run: FleetRun
    quotas: None = None

    async def account(self, _: object) -> None:
        """Return that there is no such API."""


async def answered(run: FleetRun, questions: Iterable[Question], facts: Facts) -> Facts:
    """Answer these questions as planning does."""
    return await answers(questions, facts, _OPTIONS, cast("Joined", Parts(run)))


async def seen_of(run: FleetRun, owners: Sequence[Owner]) -> dict[Owner, ObservedOwner | None]:
    """Return what planning sees of these owners, without those that cannot be looked at."""
    return Facts(owners=await look_at_owners(run, owners)).owners_seen


def owned(
    plan: Plan,
    fleet: DesiredFleet,
    seen: Mapping[Owner, ObservedOwner | None],
    *,
    create: bool = False,
    update: bool = False,
    watched: Iterable[Owner] = (),
    from_fleet: str = "",
    today: date = date(2026, 11, 24),
) -> Plan:
    """Return `plan` with what is done about the owners that were looked at."""
    wanted = WantedOwners(owners_needed(plan, fleet), frozenset(watched), create, update, from_fleet)
    return with_owners(plan, declared_owners(fleet, today), seen, wanted)


def a_draft(
    run: FleetRun,
    fleet: DesiredFleet,
    observed: ObservedFleet,
    asked: PlanOptions,
    *,
    creates_owners: bool = False,
    updates_owners: bool = False,
    watched: Iterable[Owner] = (),
) -> Draft:
    """Return the draft of a run that has listed and asked nothing yet."""
    asked = replace(asked, domain_lanes={name: link.lane for name, link in run.links.items()})
    return Draft(
        fleet,
        Facts(observed),
        asked,
        creates_owners=creates_owners,
        updates_owners=updates_owners,
        watched=frozenset(watched),
    )


async def whole(run: FleetRun, draft: Draft, purpose: Purpose = RUNS) -> Draft:
    """Ask until nothing is left to ask."""
    return await in_rounds(draft, purpose, _OPTIONS, cast("Joined", Parts(run)))


async def with_ownership(run: FleetRun, observed: ObservedFleet, questions: WhoseAre) -> ObservedFleet:
    """Return what was observed with whose these apps are."""
    return (Facts(observed) | Facts(ownership=await read_ownership(run, observed, questions))).observed
