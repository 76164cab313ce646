"""A plan or a run in shards, by workers: each plans its shard, one gate judges all, each applies its shard.

The steps are those of `plan --shard`, `gate`, `apply --shard` and `gather`; here is who does which, and what happens
when a worker is lost. Not here: what a worker does (`shard_work`), and the engine (`adapters.dask_workers`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.app.afterwards import afterwards
from engine.app.apply import finished
from engine.app.approval import Approval
from engine.app.driver import LOST_HINT, opened_driver
from engine.app.fleet_name import fleet_name
from engine.app.gate import approved_index, gate
from engine.app.loading import now, read, today
from engine.app.plan import iso, tell_rules
from engine.app.plan_place import opened_place
from engine.app.shard_run import SHARD_LOST, WELL, gather, gravest
from engine.app.shard_work import APPLY, PLAN, trouble_in
from engine.config.fleet.fleet_file import find_policies
from engine.config.policy.policy_file import load_policies
from engine.core.bucket_url import safe_name
from engine.core.change import Action
from engine.core.ending import trouble_of
from engine.core.errors import (
    AppfleetError,
    BugError,
    ExitCode,
    LaneHeldError,
    StalePlanError,
    UsageError,
    WorkersError,
)
from engine.core.identity import parse_app_key
from engine.core.limits import WORDS_ERRORS_MAX_COUNT
from engine.core.outcome import ApplyReport, AppResult, Outcome
from engine.core.text import clean, count_of, listed
from engine.core.trouble import Trouble
from engine.ports.events import RunStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.app.driver import Driver
    from engine.app.options import AppOptions
    from engine.config.policy.policy_file import LoadedPolicies
    from engine.core.bucket_url import BucketUrl
    from engine.core.crew import Crew
    from engine.policy.gate import Verdict
    from engine.ports.events import Emit
    from engine.ports.workers import Values

_ONE_PROCESS: Final = (
    "A simulated world is in one process. Run appfleet simulate, and name its address with --endpoint-url"
)
_STATE: Final = "Add --state-dir s3://BUCKET/PREFIX"
_NAMED_MAX_COUNT: Final = 3


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of a run: its report, and what `gather` says of it; None where the plans were denied."""

    report: ApplyReport
    gathered: Mapping[str, Any] | None = None


async def plan_by_workers(options: AppOptions, out: Path | BucketUrl | None, emit: Emit) -> Verdict:
    """Plan every shard, and judge all of them together. `out` keeps the plans, for `apply PLANS`.

    Raises AppfleetError, and KeyboardInterrupt when a signal ended it.
    """
    crew = _crew_of(options, (out,))
    _, deadline_s = _policies(options)
    async with opened_driver(options, emit, deadline_s) as driver:
        if out is None:
            out = driver.folder / "plans" if crew.is_local else _plans_in_state(options)
        return await _judged(driver, options, out, emit)


async def apply_by_workers(options: AppOptions, emit: Emit, confirm: Callable[[Verdict], bool]) -> Carried | None:
    """Plan every shard, judge all, ask, apply every shard, and gather what came of it; None when the answer was no.

    With a saved plan only what `gate` approved there is applied. Raises AppfleetError for what keeps the run from
    starting, and KeyboardInterrupt when a signal ended it before that or a second one came.
    """
    _crew_of(options, (options.saved_plan,), writes=True)
    policies, deadline_s = _policies(options)
    emit = emit if options.trace is None else options.trace.tee(emit)
    started = now()
    plans = options.saved_plan or _plans_in_state(options)
    async with opened_driver(options, emit, deadline_s) as driver:
        verdict: Verdict | None = None
        if options.saved_plan is not None:
            (fleet, fingerprint), changes = await _approved(options, plans), 0
        else:
            verdict = await _judged(driver, options, plans, emit)
            fleet, fingerprint, changes = verdict.about.fleet, verdict.fingerprint, sum(verdict.summary.values())
        report = ApplyReport(options.run_id, fleet, iso(started), 0.0, (), {})
        if verdict is not None:
            report = replace(report, denied=verdict.denied, findings=verdict.findings)
            if not verdict.denied:
                Approval(checksum=options.checksum).check_fingerprint(verdict.fingerprint)
        gathered: dict[str, Any] | None = None
        if not report.denied:
            if verdict is not None and verdict.has_changes and not options.checksum and not confirm(verdict):
                return None
            if options.asks:
                driver.restart_clock()
            emit(RunStarted(fleet, version("appfleet"), changes))
            gathered, why = await _carried_out(driver, options, plans, fleet, fingerprint)
            report = _report_of(report, gathered, driver.applied, driver.signal, why)
    report = replace(report, seconds=(now() - started).total_seconds())
    report = await afterwards(options, policies.settings.notify, report, emit)
    emit(finished(report))
    return Carried(report, gathered and _with_end(gathered, report))


async def _carried_out(
    driver: Driver, options: AppOptions, plans: Path | BucketUrl, fleet: str, fingerprint: str
) -> tuple[dict[str, Any], tuple[Trouble, ...]]:
    """Apply every shard; return what `gather` says, and why it may not say all.

    From here on something may be changed, so every end has a result. Raises LaneHeldError alone.
    """
    why: list[Trouble] = []
    try:
        _require_a_lane(await driver.each(APPLY, plans))
    except LaneHeldError:
        raise
    except AppfleetError as error:
        why.append(trouble_of(error))
    except asyncio.CancelledError:
        if not driver.was_aborted_in_order():
            raise
        counted = _counted(fleet, fingerprint, driver.applied, ExitCode.INTERRUPTED)
        return counted, (_not_known(plans, len(driver.applied), driver.count),)
    runs = frozenset(str(one["run_id"]) for one in driver.applied)
    try:
        return await gather(options, plans, None if options.saved_plan is None else runs), tuple(why)
    except AppfleetError as error:  # the shards said how much they did
        counted = _counted(fleet, fingerprint, driver.applied, ExitCode.FAILED)
        return counted, (*why, _not_gathered(plans, error))


def _crew_of(options: AppOptions, places: Sequence[Path | BucketUrl | None], *, writes: bool = False) -> Crew:
    """Return the workers. Raises UsageError for what they cannot share."""
    crew = options.crew
    if crew is None:
        raise BugError("there are no workers")
    flag = "--workers" if crew.is_local else "--scheduler"
    if options.simulate is not None:
        raise UsageError(f"{flag} does not work with --simulate", hint=_ONE_PROCESS)
    if options.selectors.shard is not None:
        raise UsageError(f"{flag} divides the fleet into shards itself", hint="Leave --shard out")
    if options.state_url is None and (writes or not crew.is_local):
        raise UsageError(
            f"{flag} needs a state that its workers can share: a folder has one run at a time", hint=_STATE
        )
    if not crew.is_local and any(isinstance(place, Path) for place in places):
        raise UsageError(f"{flag} needs plans that its workers can reach", hint="Name s3://BUCKET/PREFIX for the plans")
    return crew


def _policies(options: AppOptions) -> tuple[LoadedPolicies, float]:
    """Read the policies; return them with the seconds that the run may take. Raises ConfigError and PolicyError."""
    folder, files = find_policies(options.fleet_file)
    policies = load_policies(files, folder, options.policies)
    asked_s = options.deadline_s
    return policies, policies.settings.execution.deadline if asked_s is None else asked_s


def _plans_in_state(options: AppOptions) -> BucketUrl:
    """Return where the plans of this run are, in the state that the workers share. Raises ConfigError."""
    url, fleet = options.state_url, fleet_name(options.fleet_file)
    if fleet is None:
        read(options, today())
    if url is None or fleet is None:  # pragma: no cover - a file without a name was refused
        raise BugError("there is no place for the plans")
    return replace(url, prefix=f"{url.prefix}{safe_name(fleet)}/plans/{options.run_id}/")


async def _approved(options: AppOptions, plans: Path | BucketUrl) -> tuple[str, str]:
    """Return the fleet and the fingerprint of what was approved. Raises StalePlanError."""
    async with opened_place(options, plans) as place:
        index = await approved_index(place)
    if options.checksum and index.fingerprint != options.checksum:
        raise StalePlanError(
            f"{place.shown} has the fingerprint {index.fingerprint}, and {clean(options.checksum, 80)} was approved; "
            "nothing was changed",
            hint="Read it again, and approve the fingerprint that it has",
        )
    return index.about.fleet, index.fingerprint


async def _judged(driver: Driver, options: AppOptions, plans: Path | BucketUrl, emit: Emit) -> Verdict:
    """Plan every shard, and return what the gate says. Raises AppfleetError, and KeyboardInterrupt after a stop."""
    results = await driver.each(PLAN, plans)
    if driver.signal:
        raise KeyboardInterrupt(driver.signal)
    for result in results:
        _require_planned(options, result)
    verdict = await gate(options, plans, len(results))
    tell_rules(verdict.findings, emit)
    return verdict


def _require_planned(options: AppOptions, result: Values) -> None:
    """Raise the error for which a shard could not be planned."""
    error = trouble_in(result)
    if error is None:
        return
    if result["exit_code"] == ExitCode.USAGE:
        read(options, today())  # files that are not valid here either have all their problems named
        raise UsageError(error.message, hint=error.hint)
    raise WorkersError(f"nothing was changed, since a shard was not planned: {error.message}", hint=error.hint)


def _require_a_lane(results: Sequence[Values]) -> None:
    """Raise LaneHeldError where other runs hold every lane of every shard that has one."""
    with_lanes = [one for one in results if one["error"] is not None or one["summary"]]
    held = [one for one in with_lanes if one["exit_code"] == ExitCode.LOCKED]
    if held and len(held) == len(with_lanes) and (error := trouble_in(held[0])) is not None:
        raise LaneHeldError(error.message, hint=error.hint)


def _counted(fleet: str, fingerprint: str, results: Sequence[Values], code: ExitCode) -> dict[str, Any]:
    """Return what `gather` says where it cannot: what the shards counted, without the names of apps."""
    total: Counter[str] = Counter()
    for one in results:
        total.update(one["summary"])
    return {
        "format_version": 1,
        "fleet": fleet,
        "fingerprint": fingerprint,
        "exit_code": int(code),
        "lost": [],
        "summary": dict(sorted(total.items())),
        "lanes": [],
        "unwell": [],
        "more_unwell": sum(count for outcome, count in total.items() if Outcome(outcome) not in WELL),
    }


def _not_known(plans: Path | BucketUrl, ended: int, count: int) -> Trouble:
    why = f"stopped at once: {ended:,} of {count_of(count, 'shard')} had ended, and the others may have made changes"
    return Trouble("interrupted", why, f"Run the same command again. To see what was done: appfleet gather {plans}")


def _not_gathered(plans: Path | BucketUrl, error: AppfleetError) -> Trouble:
    why = f"The shards ended, and their reports could not be read: {error.message}"
    return Trouble(error.code, why, f"{error.hint.rstrip('.')}. To read them: appfleet gather {plans}".lstrip(". "))


def _report_of(
    begun: ApplyReport,
    gathered: Mapping[str, Any],
    results: Sequence[Values],
    signal: str,
    why: Sequence[Trouble],
) -> ApplyReport:
    """Return the report of the run, in which apps that ended well are counted alone; `why` it may not say all."""
    code = gravest((gathered["exit_code"], *(one["exit_code"] for one in results)))
    apps = tuple(
        AppResult(
            parse_app_key(row["key"]),
            Action(row["action"]),
            Outcome(row["outcome"]),
            row.get("attempts", 0),
            row.get("seconds", 0.0),
            error=None if row["error"] is None else Trouble(**row["error"]),
        )
        for row in gathered["unwell"]
        if "key" in row
    )
    counts = Counter({Outcome(name): count for name, count in gathered["summary"].items()})
    report = replace(
        begun,
        apps=apps,
        unnamed=counts - Counter(app.outcome for app in apps),
        interrupted=code is ExitCode.INTERRUPTED,
        interrupted_by=signal,
        bug=code is ExitCode.BUG,
        denied=code is ExitCode.DENIED,
        errors=_errors(gathered, results, why),
    )
    return report if report.exit_code is code else replace(report, ended_by=code)


def _errors(gathered: Mapping[str, Any], results: Sequence[Values], why: Sequence[Trouble]) -> tuple[Trouble, ...]:
    """Return why the run, shards and lanes failed, each reason once."""
    found = [*why, *(error for one in results if (error := trouble_in(one)) is not None)]
    found += [
        Trouble(**line["error"])
        for line in gathered["lanes"]
        if line["exit_code"] in (ExitCode.FAILED, ExitCode.BUG) and line["error"] is not None and line["run_id"]
    ]
    if gathered["lost"] and not found:
        found.append(
            Trouble(SHARD_LOST, f"no shard reported on {listed(gathered['lost'], _NAMED_MAX_COUNT)}", LOST_HINT)
        )
    return tuple(dict.fromkeys(found))[:WORDS_ERRORS_MAX_COUNT]


def _with_end(gathered: Mapping[str, Any], report: ApplyReport) -> dict[str, Any]:
    """Return what `gather` says with the end of this run."""
    return {
        **gathered,
        "run_id": report.run_id,
        "result": report.result.value,
        "exit_code": int(report.exit_code),
        "error": None if report.error is None else report.error.to_json(),
        "errors": [error.to_json() for error in report.errors],
        "notes": list(report.notes),
        "seconds": round(report.seconds, 3),
    }
