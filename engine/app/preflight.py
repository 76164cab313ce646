"""`preflight`: plan, then ask whether the images, roles and types that the plan needs exist and can be used.

Each distinct thing is asked about once, at the read rate of its account and region, with the retries of every read.
What may not be read is a result and ends nothing. Not here: what is asked (`core.needs`), and what follows
(`core.preflight`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from engine.app.aside import aside
from engine.app.loading import moment, read, today
from engine.app.looking import looking
from engine.app.plan import Planned, planned
from engine.core.errors import CloudError, NotFound, Rejected
from engine.core.facts import Unknown
from engine.core.needs import needs_of, question_of
from engine.core.preflight import Preflight, findings_of, judged
from engine.executor.asking import at_once

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.session import Joined
    from engine.core.needs import Question
    from engine.core.plan import Plan
    from engine.core.preflight import Check
    from engine.executor.fleet_run import FleetRun
    from engine.ports.cloud import Cloud
    from engine.ports.events import Emit

_CALLS: Final[dict[str, Callable[[Cloud, Question], Awaitable[Any]]]] = {
    "DescribeImage": lambda cloud, asked: cloud.image(asked.name),
    "DescribeImageVersion": lambda cloud, asked: cloud.image_version(asked.name, asked.version, asked.alias),
    "DescribeStudioLifecycleConfig": lambda cloud, asked: cloud.lifecycle_config(asked.name),
    "GetRole": lambda cloud, asked: cloud.role(asked.name),
}


async def checks_of(whole: Planned, loaded: Loaded, parts: Joined) -> tuple[Check, ...]:
    """Ask about everything that a plan creates with."""
    run = parts.run
    lanes = {name: link.lane for name, link in run.links.items()}
    needs = await aside(lambda: needs_of(whole.plan, loaded.fleet, lanes), len(loaded.fleet.apps))
    questions = {question for need in needs if (question := question_of(need)) is not None}
    return judged(needs, await _answers(run, questions), whole.facts, run.wall())


async def _answers(run: FleetRun, questions: Iterable[Question]) -> dict[Question, Any]:
    """Ask all of them: those of one operation in one lane one after the other, so that one refusal ends its kind."""
    groups: defaultdict[tuple[Any, str], list[Question]] = defaultdict(list)
    for question in sorted(questions, key=str):
        groups[question.lane, question.operation].append(question)
    found: dict[Question, Any] = {}
    for answers in await at_once(_group(run, group) for group in groups.values()):
        found |= answers
    return found


async def _group(run: FleetRun, questions: Sequence[Question]) -> dict[Question, Any]:
    found: dict[Question, Any] = {}
    refused: Unknown | None = None
    for question in questions:
        if refused is not None:
            found[question] = refused
            continue
        try:
            found[question] = await _ask(run, question)
        except NotFound:
            found[question] = None
        except Rejected as error:  # of this one alone
            found[question] = Unknown(error.message)
        except CloudError as error:
            found[question] = refused = Unknown(error.message)
    return found


async def _ask(run: FleetRun, question: Question) -> Any:
    if question.operation == "DescribeDomain":
        reach = run.reach(question.name)
        return await reach.optional(question.operation, lambda cloud: cloud.domain_defaults(reach.domain_id))
    domain = min(name for name, link in run.links.items() if link.lane == question.lane)
    call = _CALLS[question.operation]
    return await run.reach(domain).optional(question.operation, lambda cloud: call(cloud, question))


async def _preflighted(options: AppOptions, loaded: Loaded, parts: Joined) -> Preflight:
    whole = await planned(options, loaded, parts)
    checks = await checks_of(whole, loaded, parts)
    made = whole.plan
    return Preflight(made.fleet, made.made_at, made.lanes, checks, made.complete, made.denied)


async def _planned_with_preflight(options: AppOptions, loaded: Loaded, parts: Joined) -> Plan:
    whole = await planned(options, loaded, parts)
    found = findings_of(await checks_of(whole, loaded, parts))
    return replace(whole.plan, findings=tuple(sorted((*whole.plan.findings, *found))))


async def preflight(options: AppOptions, emit: Emit) -> Preflight:
    """Plan, and check the images, roles and types that the plan needs. Nothing is written but what a plan writes."""
    loaded = read(options, today())
    return await looking(options, loaded, emit, _preflighted)


async def plan_with_preflight(options: AppOptions, emit: Emit) -> Plan:
    """Return the plan with what its preflight found."""
    loaded = read(options, moment(options).date())
    return await looking(options, loaded, emit, _planned_with_preflight)
