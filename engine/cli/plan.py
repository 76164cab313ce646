"""`appfleet plan`: observes, and shows what apply would do."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from engine.cli import flags
from engine.cli.asked import Asked, taking
from engine.cli.named import check_writable, plan_place_of
from engine.cli.output import Delivery, deliver, fitted, say, wants_colour, width_of
from engine.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from engine.app.options import AppOptions
    from engine.cli.context import Globals
    from engine.core.bucket_url import BucketUrl
    from engine.core.plan import Plan


class PlanFormat(StrEnum):
    """Format of the plan."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


OutFlag = Annotated[
    Any,
    flags.flag(
        "--out",
        help="Save the plan here, for: appfleet apply FILE. With --shard a folder or s3://BUCKET/PREFIX, for: appfleet "
        "gate.",
        metavar="FILE",
        parser=partial(plan_place_of, flag="--out", dash_hint="For standard output use --format json"),
    ),
]


_PREFLIGHT_HINT: Final = "Run appfleet preflight for the whole fleet"
_AT_HINT: Final = "A plan for another time cannot be applied. Leave one of them out"
PreflightFlag = Annotated[
    bool, flags.flag("--preflight", help="Also check that images, roles and so on exist; exit 3 when apps would fail.")
]


@taking
def plan(
    ctx: typer.Context,
    format_: Annotated[PlanFormat, flags.flag("--format", help="Format of the plan.")] = PlanFormat.TEXT,
    detailed_exitcode: Annotated[
        bool, flags.flag("--detailed-exitcode", help="Exit 2 when there are changes, 0 when there are none.")
    ] = False,
    out: OutFlag = None,
    all_: flags.AllFlag = False,
    at: flags.AtFlag = None,
    fail_on_drift: flags.FailOnDriftFlag = False,
    preflight: PreflightFlag = False,
    *,
    asked: Asked,
) -> int:
    """Show what apply would do, and change nothing.

    Makes read-only calls and takes no lock.
    """
    from engine.app import gate as app_gate
    from engine.app import plan as app_plan
    from engine.app import preflight as app_preflight
    from engine.cli.context import instant_of, next_after
    from engine.cli.sinks import Sinks
    from engine.core.ending import plan_trouble
    from engine.core.preflight import trouble_of_plan

    options = replace(asked.options(ctx.obj), at=instant_of(at, "--at"))
    if options.crew is not None:
        _refuse_with_workers(options, format_, fail_on_drift=fail_on_drift, preflight=preflight)
        return _plan_by_workers(ctx.obj, options, format_, out, detailed_exitcode=detailed_exitcode)
    of_shard = out is not None and options.selectors.shard is not None
    if not of_shard:
        _check_file(out)
    elif preflight:
        raise UsageError("--preflight does not work with --shard and --out", hint=_PREFLIGHT_HINT)
    if options.at is not None and out is not None:
        raise UsageError("--out does not work with --at", hint=_AT_HINT)
    with Sinks(ctx.obj, options, quiet=True) as sinks:
        if out is not None and of_shard:
            made = sinks.run(app_gate.plan_shard(options, out, sinks.emit))
        else:
            look = app_preflight.plan_with_preflight if preflight else app_plan.plan
            made = sinks.run(look(options, sinks.emit))
        saved = out is None or of_shard or _save(made, out)
        command = "" if options.at is not None else next_after(made, options, out if saved else None)
        text = plan_in(made, format_.value, command, unfold=all_)
        delivery = deliver(text)
        written = saved and (delivery is Delivery.READ or (delivery is Delivery.UNREAD and out is not None))
    ctx.obj.call.trouble = plan_trouble(made) or trouble_of_plan(made)
    if not made.complete or not written:
        return ExitCode.FAILED
    if made.denied or trouble_of_plan(made) is not None:
        return ExitCode.DENIED if made.denied else ExitCode.INCOMPLETE
    changed = detailed_exitcode and made.has_changes
    drifted = fail_on_drift and bool(made.drift or made.owner_drift)
    return ExitCode.CHANGES if changed or drifted else ExitCode.OK


def _refuse_with_workers(options: AppOptions, format_: PlanFormat, *, fail_on_drift: bool, preflight: bool) -> None:
    """Raise UsageError for what the plans of shards do not say together."""
    if preflight:
        raise UsageError("--preflight does not work with --workers and --scheduler", hint=_PREFLIGHT_HINT)
    if options.at is not None or fail_on_drift or format_ is PlanFormat.MARKDOWN:
        flag = "--at" if options.at is not None else "--fail-on-drift" if fail_on_drift else "--format markdown"
        raise UsageError(f"{flag} does not work with --workers and --scheduler", hint="Leave one of them out")


def _plan_by_workers(
    globals_: Globals,
    options: AppOptions,
    format_: PlanFormat,
    out: Path | BucketUrl | None,
    *,
    detailed_exitcode: bool,
) -> int:
    """Plan in shards, and write what gate says of all of them together."""
    from engine.app import by_workers
    from engine.cli.context import next_apply
    from engine.cli.gate import end_of_gate
    from engine.cli.sinks import Sinks

    with Sinks(globals_, options, quiet=True) as sinks:
        verdict = sinks.run(by_workers.plan_by_workers(options, out, sinks.emit))
    as_json = format_ is PlanFormat.JSON
    return end_of_gate(
        verdict, next_apply(options, out), "To apply this plan", as_json=as_json, detailed_exitcode=detailed_exitcode
    )


def _check_file(out: Path | BucketUrl | None) -> None:
    """Raise UsageError where a plan that is not of a shard cannot be saved."""
    if out is not None and not isinstance(out, Path):
        raise UsageError(
            f"--out {out} takes the plans of shards",
            hint="Add --shard 0/1 for one shard with everything, or name a file",
        )
    check_writable(out, "--out")


def _save(made: Plan, out: Path) -> bool:
    """Save the plan for `apply FILE`; tell whether it could be."""
    from engine.app.named_file import why_not_written
    from engine.render.json_text import json_text

    why = why_not_written(out, json_text(made.document()))
    if why:
        say(f"appfleet: the plan could not be saved to {out}: {why}")
    return not why


def plan_in(made: Plan, format_: str, next_command: str, *, unfold: bool = False) -> str:
    """Return the plan in the format that was asked for."""
    from engine.render.json_text import json_text
    from engine.render.plan_markdown import plan_markdown
    from engine.render.plan_text import plan_text

    if format_ == PlanFormat.JSON:
        return json_text(made.document())
    if format_ == PlanFormat.MARKDOWN:
        return plan_markdown(made, next_command=next_command)
    text = plan_text(
        made,
        colour=wants_colour(sys.stdout),
        width=width_of(sys.stdout),
        next_command=next_command,
        unfold=unfold,
    )
    return fitted(text, sys.stdout)
