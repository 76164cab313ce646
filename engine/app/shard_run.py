"""One shard of an approved plan, carried out; and the results of all shards, folded into one.

Not here: planning and approving (`gate`), the run itself (`apply`).
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from engine.app.approval import Approval, check_age, wave_of
from engine.app.gate import approved_index, request_of
from engine.app.loading import now, read
from engine.app.plan_place import opened_place
from engine.core.ending import trouble_of
from engine.core.errors import AppfleetError, BugError, ExitCode, StalePlanError
from engine.core.lane_plans import joined_plan, lanes_of
from engine.core.limits import GATHERED_APPS_MAX_COUNT
from engine.core.outcome import Outcome
from engine.core.plan import Plan
from engine.core.text import listed
from engine.executor.asking import at_once

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from engine.app.gate import Index
    from engine.app.options import AppOptions
    from engine.app.plan_place import PlanPlace
    from engine.core.bucket_url import BucketUrl
    from engine.core.identity import Lane
    from engine.core.outcome import ApplyReport
    from engine.core.shards import Shard
    from engine.ports.events import Emit

SHARD_LOST: Final = "shard_lost"
_LANES_NAMED_MAX_COUNT: Final = 3
WELL: Final = frozenset({Outcome.CREATED, Outcome.ADOPTED, Outcome.REPLACED, Outcome.DELETED, Outcome.UNCHANGED})
# The gravest first; what ended a shard before it had a report is none of them.
_GRAVITY: Final = (
    ExitCode.INTERRUPTED, ExitCode.BUG, ExitCode.FAILED, ExitCode.DENIED, ExitCode.INCOMPLETE, ExitCode.OK,
)  # fmt: skip


async def apply_shard(
    options: AppOptions,
    emit: Emit,
    run: Callable[..., Awaitable[ApplyReport | None]],
) -> ApplyReport | None:
    """Carry out one shard of what the gate approved, and write what came of each of its lanes beside the plans.

    Raises AppfleetError for what keeps the run from starting: nothing approved, other files, a plan that is too old.
    """
    shard, plans = options.selectors.shard, options.saved_plan
    if shard is None or plans is None:
        raise BugError("there is no shard to apply")
    started = now()
    async with opened_place(options, plans) as place:
        return await _apply_at(place, options, shard, started, emit, run)


async def _apply_at(
    place: PlanPlace,
    options: AppOptions,
    shard: Shard,
    started: datetime,
    emit: Emit,
    run: Callable[..., Awaitable[ApplyReport | None]],
) -> ApplyReport | None:
    index = await approved_index(place)
    check_age(index.made_at, options, started)
    request = request_of(index.about)
    options = replace(options, request=replace(request, selectors=replace(request.selectors, shards=(shard,))))
    loaded = read(options, started.date(), denied_groups=index.denied_groups)
    lanes = lanes_of(loaded.fleet.domains)
    names = sorted({str(lane) for lane in lanes.values()})
    saved = await _approved(place, index, names)
    keep = partial(_kept, place, lanes, str(shard))
    try:
        return await run(replace(options, wave=wave_of(saved)), loaded, Approval(saved), emit, started, keep=keep)
    except AppfleetError as error:  # of a run that could not begin, such as one whose lanes are all held
        await _keep_refusal(place, names, str(shard), options.run_id, error)
        raise


async def _approved(place: PlanPlace, index: Index, lanes: Sequence[str]) -> Plan:
    """Return what was approved for some lanes, as one plan. Raises StalePlanError where that is not there any more."""
    unknown = sorted(set(lanes) - index.lanes.keys())
    if unknown:
        raise StalePlanError(
            f"{place.shown} was approved without {listed(unknown, _LANES_NAMED_MAX_COUNT)}",
            hint="The files have changed since. Plan every shard again under a new name",
        )
    plans = await place.plans(lanes)
    for lane, plan in zip(lanes, plans, strict=True):
        if plan.fingerprint != index.lanes[lane]:
            raise StalePlanError(f"the plan of {lane} in {place.shown} is not the one that was approved")
    about = index.about
    nothing = Plan(about.fleet, index.made_at, (), inputs=tuple(about.inputs.items()), version=about.version)
    return joined_plan([*plans, nothing])


async def _kept(place: PlanPlace, lanes: Mapping[str, Lane], shard: str, report: ApplyReport) -> ApplyReport:
    """Write the report of each lane; return the run's with what could not be written."""
    head = {
        "format_version": 1,
        "run_id": report.run_id,
        "shard": shard,
        "fleet": report.fleet,
        "started": report.started,
        "seconds": round(report.seconds, 3),
        "result": report.result.value,
        "exit_code": int(report.exit_code),
        "error": None if report.error is None else report.error.to_json(),
    }
    documents: dict[Lane, dict[str, Any]] = {
        lane: {**head, "lane": str(lane), "apps": [], "owners": []} for lane in sorted(set(lanes.values()))
    }
    for app in report.apps:
        if (lane := lanes.get(app.key.domain)) is not None:
            documents[lane]["apps"].append(app.to_json())
    for one in report.owners:
        if (lane := lanes.get(one.owner.domain)) is not None:
            documents[lane]["owners"].append(one.to_json())
    try:
        await at_once(place.put_report(str(lane), report.run_id, document) for lane, document in documents.items())
    except AppfleetError as error:
        return replace(report, errors=(*report.errors, trouble_of(error)))
    return report


async def _keep_refusal(place: PlanPlace, lanes: Sequence[str], shard: str, run_id: str, error: AppfleetError) -> None:
    """Write for each lane that its apps were skipped, and why. What cannot be written is missed by gather."""
    trouble = trouble_of(error).to_json()
    code = int(error.exit_code)
    with suppress(AppfleetError):
        plans = await place.plans(lanes)
        await at_once(
            place.put_report(lane, run_id, _skipped(plan, shard, run_id, code, trouble))
            for lane, plan in zip(lanes, plans, strict=True)
        )


async def gather(options: AppOptions, plans: Path | BucketUrl, runs: frozenset[str] | None = None) -> dict[str, Any]:
    """Fold the newest report of every lane that was approved into one document, and write it beside the plans.

    With `runs` the reports of these runs alone. The apps of a lane that nobody reported on are skipped, with the code
    `shard_lost`. Raises AppfleetError.
    """
    async with opened_place(options, plans) as place:
        index = await approved_index(place)
        found = await place.reports(index.lanes, runs)
        lost = [lane for lane in index.lanes if lane not in found]
        for lane, plan in zip(lost, await place.plans(lost), strict=True):
            found[lane] = _lost_report(lane, plan)
        try:
            document = _folded(index, found)
        except (KeyError, TypeError, ValueError, AttributeError):
            why = f"a report below {place.shown}/reports is not what apply --shard writes"
            raise StalePlanError(why, hint="Run that shard again with this version of appfleet") from None
        await place.put_whole(document)
    return document


def _folded(index: Index, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Fold reports by lane. Raises KeyError, TypeError, ValueError or AttributeError for what is none."""
    total: Counter[str] = Counter()
    lines: list[dict[str, Any]] = []
    unwell: list[Mapping[str, Any]] = []
    for lane in index.lanes:
        report = found[lane]
        counts = Counter(str(row["outcome"]) for row in report["apps"])
        total += counts
        names = ("run_id", "shard", "result", "exit_code", "error")
        lines.append({"lane": lane, **{name: report[name] for name in names}, "summary": dict(sorted(counts.items()))})
        unwell += [row for row in (*report["apps"], *report["owners"]) if row["outcome"] not in WELL]
    return {
        "format_version": 1,
        "fleet": index.about.fleet,
        "fingerprint": index.fingerprint,
        "exit_code": int(gravest(found[lane]["exit_code"] for lane in index.lanes)),
        "lost": [line["lane"] for line in lines if not line["run_id"]],
        "summary": dict(sorted(total.items())),
        "lanes": lines,
        "unwell": unwell[:GATHERED_APPS_MAX_COUNT],
        "more_unwell": max(0, len(unwell) - GATHERED_APPS_MAX_COUNT),
    }


def gravest(codes: Iterable[int]) -> ExitCode:
    """Return the exit code of all shards together. Raises ValueError for what is none."""
    known = {ExitCode(code) for code in codes} or {ExitCode.OK}
    return min((code if code in _GRAVITY else ExitCode.FAILED for code in known), key=_GRAVITY.index)


def _lost_report(lane: str, plan: Plan) -> dict[str, Any]:
    error = {
        "code": SHARD_LOST,
        "message": f"no shard reported on {lane}",
        "hint": "Run the shard again: appfleet apply --shard I/N PLANS; existing apps are kept",
    }
    return _skipped(plan, "", "", int(ExitCode.FAILED), error)


def _skipped(plan: Plan, shard: str, run_id: str, exit_code: int, error: Mapping[str, str]) -> dict[str, Any]:
    """Return the report of a lane in which nothing was called."""
    rows = [
        {"key": str(change.key), "action": change.action.value, "outcome": Outcome.SKIPPED.value, "error": error}
        for change in plan.changes
    ]
    return {
        "run_id": run_id,
        "shard": shard,
        "result": "failed",
        "exit_code": exit_code,
        "error": error,
        "apps": rows,
        "owners": [],
    }
