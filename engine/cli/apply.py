"""`appfleet apply`: plans, asks, and makes it so."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from engine.cli import flags
from engine.cli.ask import confirm_verdict_with, confirm_with, require_answer
from engine.cli.asked import Asked, taking
from engine.cli.named import plan_place_of, report_to_of
from engine.cli.output import fitted, say, wants_colour, write_result
from engine.cli.plan import PlanFormat, plan_in
from engine.core.errors import ExitCode, NotConfirmedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.app.options import AppOptions
    from engine.app.teams.overlay import Preparation
    from engine.cli.context import Globals
    from engine.core.outcome import ApplyReport

_NO_STDIN: Final = "A saved plan is read from a file: appfleet plan --out FILE"

PlanFileArgument = Annotated[
    Any,
    typer.Argument(
        help="A plan saved by `plan --out`; runs without asking. With --shard: the plans that gate approved.",
        metavar="PLAN.json",
        parser=partial(plan_place_of, flag="PLAN.json", dash_hint=_NO_STDIN),
    ),
]
YesFlag = Annotated[bool, flags.flag("--yes", "-y", help="Do not ask.")]
DryRunFlag = Annotated[
    bool, flags.flag("--dry-run", help="Show the plan and the order of the calls, without making them.")
]
ReportFormatFlag = Annotated[PlanFormat, flags.flag("--format", help="Format of the report.")]
NoWaitFlag = Annotated[
    bool, flags.flag("--no-wait", help="Exit once every app is accepted, without waiting until it is in service.")
]
DeadlineFlag = Annotated[
    str | None, flags.flag("--deadline", help="Start no new calls after this time, such as 2h.", metavar="DURATION")
]
LockTimeoutFlag = Annotated[
    str | None,
    flags.flag("--lock-timeout", help="Wait this long for another run to end, such as 10m.", metavar="DURATION"),
]
MetricsFileFlag = Annotated[
    Path | None,
    flags.path_flag("--metrics-file", help="Write the result of the run to this file, for Prometheus."),
]
ReportToFlag = Annotated[
    str | None,
    flags.flag(
        "--report-to",
        help="Keep report, result and log of the run below this folder, or in s3://BUCKET/PREFIX.",
        metavar="PLACE",
        parser=report_to_of,
    ),
]
PlanAgeMaxFlag = Annotated[
    str,
    flags.flag("--plan-age-max", help="Refuse a saved plan older than this.", metavar="DURATION"),
]
ChecksumFlag = Annotated[
    str | None,
    flags.flag(
        "--checksum",
        help="Run without asking, but only if the plan has this fingerprint.",
        metavar="FINGERPRINT",
    ),
]


@taking
def apply(
    ctx: typer.Context,
    plan_file: PlanFileArgument = None,
    yes: YesFlag = False,
    dry_run: DryRunFlag = False,
    format_: ReportFormatFlag = PlanFormat.TEXT,
    no_wait: NoWaitFlag = False,
    deadline: DeadlineFlag = None,
    lock_timeout: LockTimeoutFlag = None,
    _metrics_file: MetricsFileFlag = None,  # the end reads it, also where a flag beside it is wrong
    _report_to: ReportToFlag = None,  # read as `_metrics_file` is
    plan_age_max: PlanAgeMaxFlag = "1h",
    checksum: ChecksumFlag = None,
    *,
    asked: Asked,
) -> int:
    """Plan, ask, then apply the plan.

    Safe to run again at any time: existing apps are kept. Press Ctrl-C once to stop cleanly, twice to stop now.
    """
    from engine.cli.context import duration_of

    approved = plan_file is not None or checksum is not None
    require_answer(yes=yes or dry_run or approved)
    options = replace(
        asked.options(ctx.obj),
        saved_plan=plan_file,
        checksum=checksum or "",
        wait=not no_wait,
        asks=not (yes or approved),
        deadline_s=duration_of(deadline, "--deadline"),
        lock_timeout_s=duration_of(lock_timeout, "--lock-timeout") or 0.0,
        plan_age_max_s=duration_of(plan_age_max, "--plan-age-max") or 0.0,
    )
    if plan_file is not None:
        _refuse_beside_a_plan(options, dry_run=dry_run)
    if options.crew is not None:
        if dry_run:
            raise UsageError("--dry-run does not work with --workers and --scheduler", hint="Use appfleet plan")
        return _run_by_workers(ctx.obj, options, format_, yes=yes)
    if dry_run:
        return _dry_run(ctx.obj, options, format_.value)
    return run(ctx.obj, options, format_.value, yes=yes)


def _refuse_beside_a_plan(options: AppOptions, *, dry_run: bool) -> None:
    """Raise UsageError, naming the flags, for what a saved plan has decided already."""
    request = replace(options.request, selectors=replace(options.selectors, shards=()))
    given = {word for word in request.argv(*["--dry-run"] * dry_run) if word.startswith("--")}
    if given:
        raise UsageError(
            f"{', '.join(sorted(given))}: the saved plan {options.saved_plan} was made with its own flags",
            hint="Leave them out, or make the plan again with them",
        )


def run(
    globals_: Globals,
    options: AppOptions,
    format_: str,
    preparation: Preparation | None = None,
    *,
    yes: bool,
    word: str = "",
    declined: str = "",
    more: Callable[[ApplyReport], str] = lambda _: "",
) -> int:
    """Apply, and write the report. `word` is typed as a yes, `declined` is said of a no, `more` follows the text."""
    from engine.app import apply as app_apply
    from engine.cli.ending import end_with_report
    from engine.cli.sinks import Sinks

    with Sinks(globals_, options, quiet=False) as sinks:
        report = sinks.run(app_apply.apply(options, sinks.emit, confirm_with(sinks, yes=yes, word=word), preparation))
        if report is None:
            if declined:
                say(declined)
            raise NotConfirmedError
        report = sinks.noted(report)
    text = report_in(report, format_, options)
    return end_with_report(globals_.call, report, text + (more(report) if format_ == PlanFormat.TEXT else ""))


def _run_by_workers(globals_: Globals, options: AppOptions, format_: PlanFormat, *, yes: bool) -> int:
    """Apply in shards, and write what came of all of them together."""
    from engine.app import by_workers
    from engine.cli.end_channels import keep_in_journal
    from engine.cli.ending import end_with_report
    from engine.cli.sinks import Sinks
    from engine.render.gate_text import gathered_text
    from engine.render.json_text import json_text

    with Sinks(globals_, options, quiet=False) as sinks:
        confirm = confirm_verdict_with(sinks, yes=yes)
        carried = sinks.run(by_workers.apply_by_workers(options, sinks.emit, confirm))
        if carried is None:
            raise NotConfirmedError
        report = sinks.noted(carried.report)
    if carried.gathered is None:  # the runs of its shards are kept; a run that was denied has none
        with suppress(Exception):
            keep_in_journal(globals_.call, report, report.result.value)
    if carried.gathered is None or format_ is PlanFormat.MARKDOWN:
        text = report_in(report, format_.value, options)
    else:
        text = json_text(carried.gathered) if format_ is PlanFormat.JSON else gathered_text(carried.gathered)
    return end_with_report(globals_.call, report, text)


def _dry_run(globals_: Globals, options: AppOptions, format_: str) -> int:
    from engine.app import plan as app_plan
    from engine.cli.context import next_after
    from engine.cli.sinks import Sinks
    from engine.core.ending import plan_trouble
    from engine.render.steps_text import steps_text

    with Sinks(globals_, options, quiet=True) as sinks:
        made, weight = sinks.run(app_plan.dry_run(options, sinks.emit))
        text = plan_in(made, format_, next_after(made, options))
        if format_ == PlanFormat.TEXT and not made.denied:  # of a plan that is refused nothing would be called
            text += steps_text(made, colour=wants_colour(sys.stdout), weight=weight)
        written = write_result(text)
    globals_.call.trouble = plan_trouble(made)
    if not made.complete or not written:
        return ExitCode.FAILED
    return ExitCode.DENIED if made.denied else ExitCode.OK


def report_in(report: ApplyReport, format_: str, options: AppOptions) -> str:
    """Return the report in the format that was asked for."""
    from engine.cli.context import next_after, with_typed
    from engine.render.json_text import json_text
    from engine.render.report.markdown import report_markdown
    from engine.render.report.text import report_text

    if format_ == PlanFormat.JSON:
        return json_text(report.document())
    next_command = next_after(report, options)
    if format_ == PlanFormat.MARKDOWN:
        return report_markdown(report, next_command=next_command)
    text = report_text(report, colour=wants_colour(sys.stdout), next_command=next_command)
    return fitted(with_typed(text, options), sys.stdout)
