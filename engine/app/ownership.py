"""Whose what stands there is, before and after a first plan: what planning asks where ownership decides something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.change import Reason
from engine.core.errors import AlreadyGone, CloudError, NotFound
from engine.core.finding import Finding
from engine.core.iam import partition
from engine.core.identity import USER
from engine.core.outcome import Trouble
from engine.core.ownership import FLEET_TAG, WhoseAre, tag_value
from engine.core.planner import join, needs_ownership
from engine.executor.ownership import OWNERSHIP_OPERATIONS, read_ownership, tagged_owners, tags_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.desired import DesiredFleet
    from engine.core.identity import AppKey, Lane
    from engine.core.observed import ObservedFleet
    from engine.core.plan import Plan
    from engine.core.plan_options import PlanOptions
    from engine.executor.fleet_run import FleetRun

TAGS_RULE: Final = "tags"
TAGGED_OWNER: Final = "tagged_owner"


async def with_ownership(
    run: FleetRun, fleet: DesiredFleet, observed: ObservedFleet, asked: PlanOptions
) -> ObservedFleet:
    """Read whose the apps are where that decides something. Raises StoppedError when the run is stopped meanwhile."""
    decisive = needs_ownership(join(fleet, observed, asked.selectors), asked).decisive
    return await read_ownership(run, observed, WhoseAre(decisive, ())) if decisive else observed


async def told_ownership(
    run: FleetRun, fleet: DesiredFleet, observed: ObservedFleet, asked: PlanOptions, *, running: bool
) -> ObservedFleet:
    """Read whose the apps are where it is only said, and not by a plan that is `running` of what the fleet declares.

    Raises as `with_ownership` does.
    """
    _, telling, claimed = needs_ownership(join(fleet, observed, asked.selectors), asked)
    if running:
        claimed = ()
    only_said = WhoseAre((), telling, claimed)
    return await read_ownership(run, observed, only_said) if telling or claimed else observed


def unread_tags(run: FleetRun) -> tuple[Finding, ...]:
    """Say of which lanes the index of tags was not read, and why."""
    return tuple(
        Finding(
            TAGS_RULE,
            "advisory",
            "",
            f"tags in account {lane.account}, region {lane.region} were not read: {error.message}. "
            "Which fleet owns the apps that this one does not declare is not known",
        )
        for lane, error in _unread(run)
    )


def _unread(run: FleetRun) -> list[tuple[Lane, CloudError]]:
    """Return the first trouble of each lane that kept tags from being read, sorted by lane."""
    first: dict[Lane, CloudError] = {}
    for (operation, lane), error in sorted(run.optional.unread.items(), key=lambda item: item[0]):
        if operation in OWNERSHIP_OPERATIONS:
            first.setdefault(lane, error)
    return sorted(first.items(), key=lambda item: item[0])


async def why_not_prune(run: FleetRun, made: Plan) -> str:
    """Say why nothing may be pruned although `made` would: a profile, space or domain carries the fleet's own tag.

    Such a tag spreads to apps that people open by hand, so an app's own tag is no proof there. Empty where there is
    none, and where nothing is pruned nothing is asked. What is found is an error of the run. Raises StoppedError.
    """
    pruned = [change.key for change in made.changes if change.reason is Reason.NOT_DECLARED]
    lanes = {run.links[key.domain].lane: key.domain for key in pruned}
    for lane, domain in sorted(lanes.items()):
        try:
            try:
                found = await tagged_owners(run, domain)
            except CloudError:
                found = await _tagged_one_by_one(run, [key for key in pruned if run.links[key.domain].lane == lane])
        except CloudError as error:
            why = f"whether a user profile, space or domain of {lane} carries {FLEET_TAG} is not known: {error.message}"
            hint = "Let the caller read tags (tag:GetResources, or sagemaker:ListTags), then run again"
        else:
            if not found:
                continue
            why = f"{', '.join(found)} carries {FLEET_TAG} = {run.fleet}, and so may apps that people open by hand"
            hint = "Take that tag off it: appfleet tags apps alone"
        run.more_errors.append(Trouble(TAGGED_OWNER, f"nothing is pruned: {why}", hint))
        return f"{why}. {hint}"
    return ""


async def _tagged_one_by_one(run: FleetRun, pruned: Iterable[AppKey]) -> tuple[str, ...]:
    """Ask the owners of what would be pruned, and their domains; an owner that is not there has no tags."""
    arns: dict[str, str] = {}
    for key in pruned:
        link = run.links[key.domain]
        account, region = link.lane
        head, domain_id = f"arn:{partition(region)}:sagemaker:{region}:{account}", link.domain.domain_id
        kind = "user-profile" if key.owner_kind == USER else "space"
        arns[f"{head}:domain/{domain_id}"] = arns[f"{head}:{kind}/{domain_id}/{key.owner}"] = key.domain
    found: list[str] = []
    for arn, domain in sorted(arns.items()):
        try:
            tags = await tags_of(run, domain, arn)
        except (NotFound, AlreadyGone):
            continue
        if tag_value(tags, FLEET_TAG) == run.fleet:
            found.append(arn)
    return tuple(found)
