"""Everything that people read, on narrow and wide terminals: no word is broken, no command is folded, no key is cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.cli.application import COMMANDS
from engine.core.change import Action, Change, Reason
from engine.core.finding import Finding
from engine.core.outcome import AppResult, Outcome
from engine.core.plan import Fits, QuotaLine
from engine.core.trouble import Trouble
from engine.ports.history import PastRun, RunRecord
from engine.render.history_text import history_text
from engine.render.layout import COMMAND_NAMES, split_command, with_commands, without_empty, wrapped
from engine.render.plan_text import plan_text
from engine.render.report.text import report_text
from engine.render.status_text import status_text
from tests.fleets import LAB, TODAY, a_row, an_app, key_of
from tests.unit.render.samples import a_plan, a_report, a_status

WIDTHS = (40, 80, 120)
COMMAND = (
    "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-988CE6C5 "
    "--desired-value 9 --region eu-west-1"
)
APPLY = "appfleet -f /srv/fleets/platform/fleet.toml --state-dir /var/lib/appfleet apply --team forecasting --prune"
FULL = Trouble(
    "ResourceLimitExceeded", "the quota is full", f"appfleet retries when quota frees up. To raise it: {COMMAND}"
)
LONG = "a message of many words that no narrow terminal holds on a line, and that says what happened and where"


def whole(text: str, width: int, *commands: str) -> str:
    """Return what a terminal shows, and see that its lines fit: all but a single word, and commands."""
    shown = wrapped(text, width)
    for line in shown.splitlines():
        words, command = split_command(line.strip())
        if len(line) > width and not (command and not words):
            assert " " not in line.strip(), f"{len(line)} characters: {line}"
    lines = [line.strip() for line in shown.splitlines()]
    for command in commands:
        assert command in lines or any(line.endswith(f": {command}") for line in lines), command
    assert shown.split() == text.split()  # nothing but line breaks and indents is different
    return shown


@pytest.mark.parametrize("width", WIDTHS)
def test_a_plan_fits(width: int) -> None:
    full = QuotaLine("111122223333/eu-west-1/JupyterLab/ml.g5.xlarge",
                     "Studio JupyterLab Apps running on ml.g5.xlarge instances", 3, 3, 6, Fits.NO)  # fmt: skip
    findings = (*a_plan().findings, Finding("long", "advisory", LAB, LONG, "policies/rules.toml:7"))
    plan = a_plan(quotas=(full,), findings=findings)
    shown = whole(plan_text(plan, width=width, next_command=APPLY), width, COMMAND, APPLY)
    assert all(str(change.key) in shown.split() for change in plan.changes)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_report_fits(width: int) -> None:
    apps = [AppResult(key_of(f"research/space/lab-{n}/JupyterLab/default"), Action.CREATE, Outcome.PARKED, error=FULL)
            for n in range(4)]  # fmt: skip
    report = a_report(apps=tuple(apps), findings=(Finding("long", "mandatory", "", LONG),), notes=(LONG,))
    shown = whole(report_text(report, next_command=APPLY), width, COMMAND, APPLY)
    assert "research/space/lab-3/JupyterLab/default" in shown.split()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_status_fits(width: int) -> None:
    expired = Change(key_of(LAB), Action.NONE, Reason.GONE, None, replace(an_app(LAB), expires=TODAY, team="vision"))
    failed = Change(
        key_of(LAB)._replace(owner="x-lab"), Action.CREATE, Reason.FAILED, a_row(LAB, "Failed"), an_app(LAB)
    )
    view = a_status(a_plan(decisions=(*a_plan().decisions, expired, failed)), reasons={key_of(LAB): LONG})
    shown = whole(status_text(view, width=width), width)
    assert LAB in shown or "space/alice-lab/JupyterLab/default" in shown


def test_an_expired_app_of_a_team_is_counted_in_a_column() -> None:
    expired = Change(key_of(LAB), Action.NONE, Reason.GONE, None, replace(an_app(LAB), expires=TODAY, team="vision"))
    table = status_text(a_status(a_plan(decisions=(expired,))), width=100).split("\n\n")[1].splitlines()
    assert table[0].split() == ["TEAM", "DECLARED", "DONE", "EXPIRING"]
    assert table[1].split() == ["vision", "1", "1", "1"]


def test_a_column_of_nothing_is_left_out() -> None:
    rows = [("a", "b", "c", "d"), ("0", "0", "-", "1"), ("0", "0", "", "0")]
    assert without_empty(rows, 1) == [("a", "d"), ("0", "1"), ("0", "0")]
    assert without_empty([], 1) == []


def past(number: int, **more: object) -> PastRun:
    run = RunRecord(f"20261124T06000{number}Z-abc123", "ml-platform", "1.0", 1_000.0 + number, 1_020.0, 1_020.0,
                    "converged", 0, {"created": 5})  # fmt: skip
    return PastRun(replace(run, **more), 20.0, 2.0, 0, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_history_fits_and_its_command_finds_the_same_runs(width: int) -> None:
    runs = [past(2, owners={"created": 4}), past(1, error=Trouble("AF503", LONG))]
    command = "appfleet -f /srv/fleets/platform/fleet.toml --state-dir /var/lib/appfleet report"
    text = history_text(runs, width=width, report_command=command)
    shown = whole(text, width, f"{command} {runs[0].run.run_id}")
    assert "Throttled" not in shown
    assert "throttled" not in shown
    assert all(one.run.run_id in shown.split() for one in runs)


def test_the_commands_that_a_line_may_end_with_are_those_that_there_are() -> None:
    assert sorted(COMMAND_NAMES) == sorted(COMMANDS)


@pytest.mark.parametrize(
    ("text", "words", "command"),
    [
        (COMMAND, "", COMMAND),
        (f"To raise it: {COMMAND}", "To raise it:", COMMAND),
        (f"Next: fix it, then run: {APPLY}", "Next: fix it, then run:", APPLY),
        ("To continue: appfleet -f 'my fleet.toml' apply", "To continue:", "appfleet -f 'my fleet.toml' apply"),
        ("x: appfleet apply plan.json", "x:", "appfleet apply plan.json"),
        ("See, or run: appfleet explain a/user/b/Canvas/c", "See, or run:", "appfleet explain a/user/b/Canvas/c"),
        ("appfleet plan prints the keys", "appfleet plan prints the keys", ""),
        ("Note: appfleet history lists the runs", "Note: appfleet history lists the runs", ""),
        ("run appfleet plan again", "run appfleet plan again", ""),
        ("", "", ""),
    ],
)
def test_a_command_is_told_from_a_sentence(text: str, words: str, command: str) -> None:
    assert split_command(text) == (words, command)


def test_commands_that_follow_each_other_have_a_line_each() -> None:
    assert with_commands(f"To raise them: {COMMAND} && {COMMAND}", "  ") == [
        "  To raise them:",
        f"    {COMMAND}",
        f"    {COMMAND}",
    ]
    assert with_commands(COMMAND, "  ") == [f"  {COMMAND}"]
    assert with_commands("Log in", "  ") == ["  Log in"]
