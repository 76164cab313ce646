"""`appfleet validate`: fleet, policies and admission, offline."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import flags
from engine.cli.output import Delivery, deliver, say, wants_colour
from engine.core.errors import ExitCode

if TYPE_CHECKING:
    from engine.cli.context import Globals


def validate(
    ctx: typer.Context,
    policy_tests: Annotated[
        bool, flags.flag("--policy-tests", help="Run the tests beside the policies, *.test.toml, as well.")
    ] = False,
    strict: flags.StrictFlag = False,
) -> int:
    """Check the fleet file and the policies, offline.

    Lists all problems at once. Exits 1 when a policy test fails.
    """
    globals_: Globals = ctx.obj
    # Not through `app`: what it needs to run things would double the time that this takes.
    from engine.app.loading import today, validated
    from engine.render.validate_text import validate_text

    result = validated(
        globals_.fleet_file, today(), policy_tests=policy_tests, strict=strict, organization=globals_.policies
    )
    for warning in result.warnings:
        say(warning.render())
    text = validate_text(
        result.fleet,
        file=str(globals_.fleet_file),
        policy_files=result.policy_files,
        warnings=len(result.warnings),
        findings=result.findings,
        tests=[(ran.test.name, str(ran.test.source), ran.problems) for ran in result.policy_tests],
        colour=wants_colour(sys.stdout),
    )
    written = deliver(text) is not Delivery.FAILED  # the exit code tells the verdict as well
    if result.denied:
        return ExitCode.DENIED
    failed = any(ran.problems for ran in result.policy_tests)
    return ExitCode.OK if written and not failed else ExitCode.FAILED
