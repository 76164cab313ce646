"""Answers the questions of a plan: the one place that asks the service on behalf of a planner.

What cannot be learnt is an answer too, and an event says so. Not here: what is asked, and when (`core.questions`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final, assert_never

from engine.app.quotas import lane_quotas, owner_room
from engine.core.errors import CloudError, NotFound
from engine.core.facts import Facts, Unknown, joined_facts
from engine.core.identity import OWNER_KINDS, folded_owner
from engine.core.observed import ObservedOwner
from engine.core.ownership import WhoseAre
from engine.core.questions import (
    ApplicationOf,
    AreAs,
    AreThere,
    CarriesFleetTag,
    ManagedBy,
    OwnersRoomIn,
    PlansAre,
    ResidentsOf,
    RoomIn,
    SignsIn,
)
from engine.executor.asking import at_once
from engine.executor.assigning import application_of
from engine.executor.ownership import read_owners, read_ownership, tagged_owners, unread_tags
from engine.ports.events import OwnersUnread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.app.options import AppOptions
    from engine.app.session import Joined
    from engine.core.identity import AppKey, Owner, OwnerKind
    from engine.core.questions import Question
    from engine.core.reserved import TrainingPlan
    from engine.executor.fleet_run import FleetRun
    from engine.ports.cloud import Cloud

_OUT_OF_REACH: Final = Unknown("its domain cannot be reached")


async def answers(questions: Iterable[Question], facts: Facts, options: AppOptions, parts: Joined) -> Facts:
    """Return what is found out, by what is known already: all questions at the same time, their answers in order.

    Raises StoppedError when the run is stopped meanwhile, and CloudError where a domain's residents cannot be listed.
    """
    asked = list(questions)
    found: list[Facts] = []
    refused = False
    answered = await at_once(_answer(one, facts, options, parts) for one in asked)
    for question, answer in zip(asked, answered, strict=True):
        if isinstance(question, CarriesFleetTag):
            if refused:  # one lane's is enough
                continue
            refused = answer.refusal(parts.run.fleet) is not None
        found.append(answer)
    return joined_facts(found) | Facts(tags_unread=unread_tags(parts.run))


async def _answer(  # noqa: C901, PLR0911 - one case a question
    question: Question, facts: Facts, options: AppOptions, parts: Joined
) -> Facts:
    run = parts.run
    match question:
        case WhoseAre():
            return Facts(ownership=await read_ownership(run, facts.observed, question))
        case CarriesFleetTag(lane, pruned):
            return Facts(tagged={lane: await _tagged(run, pruned)})
        case PlansAre(_, domain, arns):
            return Facts(training_plans=await training_plans(run, domain, arns))
        case RoomIn() | OwnersRoomIn():
            return await _room(question, facts, options, parts)
        case AreThere(owners):
            return Facts(owners=await look_at_owners(run, owners))
        case AreAs(owners):
            return Facts(owners=await describe_owners(run, _rows(facts, owners)))
        case ManagedBy(owners):
            claimed = await read_owners(run, _rows(facts, owners).values())
            return Facts(owners={owner: claimed[folded_owner(owner)] for owner in owners})
        case SignsIn(domain):
            return Facts(auth_modes={domain: await auth_mode(run, domain)})
        case ApplicationOf(domain):
            return Facts(applications={domain: await application_of(run.reach(domain), run.account_reach(domain))})
        case ResidentsOf(domain, leaving):
            return Facts(residents={domain: await _residents(run, domain, leaving)})
    assert_never(question)


async def _room(question: RoomIn | OwnersRoomIn, facts: Facts, options: AppOptions, parts: Joined) -> Facts:
    lane = question.lane
    if isinstance(question, RoomIn):
        return Facts(quotas={lane: await lane_quotas(question, options, parts, facts.observed)})
    return Facts(owner_rooms={lane: await owner_room(question, parts, facts.quotas.get(lane))})


async def training_plans(run: FleetRun, domain: str, arns: Sequence[str]) -> dict[str, TrainingPlan | Unknown | None]:
    """Ask how each training plan is; None stands for one that does not exist."""
    found: dict[str, TrainingPlan | Unknown | None] = {}
    for arn in arns:

        async def ask(cloud: Cloud, arn: str = arn) -> TrainingPlan:
            return await cloud.training_plan(arn)

        try:
            found[arn] = await run.reach(domain).optional("DescribeTrainingPlan", ask)
        except NotFound:
            found[arn] = None
        except CloudError as error:
            found[arn] = Unknown(error.message)
    return found


async def look_at_owners(run: FleetRun, owners: Sequence[Owner]) -> dict[Owner, ObservedOwner | Unknown | None]:
    """Look at profiles and spaces; None stands for what is not there. Where a kind cannot be read, the other is."""
    found: dict[Owner, ObservedOwner | Unknown | None] = dict.fromkeys(owners, _OUT_OF_REACH)
    alike: defaultdict[tuple[str, OwnerKind], list[Owner]] = defaultdict(list)
    for owner in owners:
        alike[owner.domain, owner.kind].append(owner)

    async def in_domain(name: str) -> None:
        for kind in OWNER_KINDS:
            of_kind = alike[name, kind]
            try:
                found.update(await run.owner_scanner(name).look(of_kind))
            except CloudError as error:
                run.emit(OwnersUnread(name, error.told_code, error.message))
                found.update(dict.fromkeys(of_kind, Unknown(error.message)))

    await at_once(in_domain(name) for name in sorted({owner.domain for owner in owners} & run.links.keys()))
    return found


async def describe_owners(
    run: FleetRun, rows: Mapping[Owner, ObservedOwner]
) -> dict[Owner, ObservedOwner | Unknown | None]:
    """Ask how each of these is set, one by one in each domain, without the like of one that cannot be read."""
    found: dict[Owner, ObservedOwner | Unknown | None] = dict(rows)
    by_domain: dict[str, dict[Owner, ObservedOwner]] = {}
    for owner, row in rows.items():
        by_domain.setdefault(owner.domain, {})[owner] = row

    async def in_domain(name: str) -> None:
        unread: dict[OwnerKind, str] = {}
        for owner, row in by_domain[name].items():
            if owner.kind not in unread:
                try:
                    found[owner] = await run.owner_scanner(name).describe(owner)
                    continue
                except CloudError as error:
                    unread[owner.kind] = error.message
                    run.emit(OwnersUnread(name, error.told_code, error.message))
            found[owner] = replace(row, unread_because=unread[owner.kind])

    await at_once(in_domain(name) for name in by_domain)
    return found


def _rows(facts: Facts, owners: Iterable[Owner]) -> dict[Owner, ObservedOwner]:
    return {owner: row for owner in owners if isinstance(row := facts.owners[owner], ObservedOwner)}


async def auth_mode(run: FleetRun, domain: str) -> str | Unknown:
    """Return how people sign in to a domain."""
    domain_id = run.links[domain].domain.domain_id
    try:
        return await run.reach(domain).ask("DescribeDomain", lambda cloud: cloud.auth_mode(domain_id))
    except CloudError as error:
        run.emit(OwnersUnread(domain, error.told_code, error.message))
        return Unknown(error.message)


async def _tagged(run: FleetRun, pruned: Sequence[AppKey]) -> tuple[str, ...] | Unknown:
    try:
        return await tagged_owners(run, pruned)
    except CloudError as error:
        return Unknown(error.message)


async def _residents(run: FleetRun, domain: str, leaving: Sequence[Owner]) -> Mapping[Owner, ObservedOwner]:
    """Return every owner of a domain, those that leave with whose they are.

    One that leaves and that the listing does not show is asked for by itself: a listing may lag, and it would be left
    behind.
    """
    scanner = run.owner_scanner(domain)
    seen: dict[Owner, ObservedOwner] = {}
    for kind in OWNER_KINDS:
        seen |= await scanner.all_of(kind)
    for owner in leaving:
        if folded_owner(owner) not in seen and (row := await scanner.describe(owner)) is not None:
            seen[folded_owner(owner)] = row
    keys = {folded_owner(owner) for owner in leaving}
    return seen | await read_owners(run, [seen[key] for key in sorted(keys & seen.keys())])
