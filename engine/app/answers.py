"""Answers the questions of a plan: the one place that asks the service on behalf of a planner.

What cannot be learnt is an answer too, and an event says so. Not here: what is asked, and when (`core.questions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from engine.app.quotas import lane_quotas
from engine.core.errors import CloudError
from engine.core.facts import Facts, Unknown
from engine.core.identity import OWNER_KINDS, folded_owner
from engine.core.ownership import WhoseAre
from engine.core.questions import AreThere, CarriesFleetTag, ResidentsOf, RoomIn, SignsIn
from engine.executor.owner_look import auth_mode, look_at_owners
from engine.executor.ownership import read_owners, read_ownership, tagged_owners, unread_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.app.options import AppOptions
    from engine.app.session import Joined
    from engine.core.identity import AppKey, Owner
    from engine.core.observed import ObservedOwner
    from engine.core.questions import Question
    from engine.executor.fleet_run import FleetRun


async def answers(questions: Iterable[Question], facts: Facts, options: AppOptions, parts: Joined) -> Facts:
    """Return what is found out, one question after the other, by what is known already.

    Raises StoppedError when the run is stopped meanwhile, and CloudError where a domain's residents cannot be listed.
    """
    found = Facts()
    for question in questions:
        if not (isinstance(question, CarriesFleetTag) and found.refusal(parts.run.fleet)):  # one lane's is enough
            found |= await _answer(question, facts, options, parts)
    return found | Facts(tags_unread=unread_tags(parts.run))


async def _answer(question: Question, facts: Facts, options: AppOptions, parts: Joined) -> Facts:
    run = parts.run
    match question:
        case WhoseAre():
            return Facts(ownership=await read_ownership(run, facts.observed, question))
        case CarriesFleetTag(lane, pruned):
            return Facts(tagged={lane: await _tagged(run, pruned)})
        case RoomIn(lane):
            return Facts(quotas={lane: await lane_quotas(question, options, parts, facts.observed)})
        case AreThere(owners):
            unseen = dict.fromkeys(owners, Unknown("it could not be looked at"))
            return Facts(owners={**unseen, **await look_at_owners(run, owners)})
        case SignsIn(domain):
            return Facts(auth_modes={domain: await auth_mode(run, domain)})
        case ResidentsOf(domain, leaving):
            return Facts(residents={domain: await _residents(run, domain, leaving)})
    assert_never(question)


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
