"""`--workers` and `--scheduler` of plan and apply: what is asked, what is refused, and what is written."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from engine.app import by_workers
from engine.app.by_workers import Carried
from engine.cli import ask
from engine.core.crew import Crew
from engine.core.finding import Finding
from engine.core.outcome import ApplyReport, Outcome
from engine.core.trouble import Trouble
from engine.policy.gate import Circumstances, Verdict
from engine.policy.weight import Weight

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.app.options import AppOptions
    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

STATE = ("--state-dir", "s3://states/prod")
FINDING = Finding("team-size", "mandatory", "", "team vision: too many", "policies/rules.toml:1")


def a_verdict(*, denied: bool = False, created: int = 6) -> Verdict:
    about = Circumstances("wide", "0.1.0", {}, {}, (), ())
    lanes = {"000000000001/eu-west-1": "sha256:one"}
    findings = (FINDING,) if denied else ()
    weights = {"blue": Weight(created=created)}
    return Verdict(about, "2026-12-01T00:00:00Z", lanes, findings, denied, True, (), weights)


def a_report(**more: Any) -> ApplyReport:
    return ApplyReport("R", "wide", "2026-12-01T00:00:00Z", 1.0, (), {}, unnamed={Outcome.CREATED: 6}, **more)


GATHERED: dict[str, Any] = {
    "format_version": 1, "fleet": "wide", "fingerprint": "sha256:all", "exit_code": 0, "lost": [],
    "summary": {"created": 6}, "lanes": [], "unwell": [], "more_unwell": 0,
    "errors": [{"code": "shard_lost", "message": "shard 1/2: its worker was lost", "hint": "Run it again"}],
}  # fmt: skip


class Workers:
    """Stands in for the workers, and remembers what they were asked."""

    def __init__(self) -> None:
        self.asked: AppOptions | None = None
        self.out: Any = None
        self.confirmed: bool | None = None
        self.verdict = a_verdict()
        self.carried = Carried(a_report(), GATHERED)

    @property
    def options(self) -> AppOptions:
        assert self.asked is not None
        return self.asked

    async def plan(self, options: AppOptions, out: Any, _emit: Any) -> Verdict:
        self.asked, self.out = options, out
        return self.verdict

    async def apply(self, options: AppOptions, _emit: Any, confirm: Callable[[Verdict], bool]) -> Carried | None:
        self.asked = options
        self.confirmed = confirm(self.verdict)
        return self.carried if self.confirmed else None


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Workers:
    made = Workers()
    monkeypatch.setattr(by_workers, "plan_by_workers", made.plan)
    monkeypatch.setattr(by_workers, "apply_by_workers", made.apply)
    (tmp_path / "fleet.toml").write_text('schema = 1\nname = "wide"\n')
    return made


def test_plan_says_what_gate_says_and_how_to_apply_it(workers: Workers, run: Run) -> None:
    ran = run("plan", "--workers", "2", "--team", "vision", *STATE)
    assert ran.code == 0
    assert "Plan: 6 to create, 0 to replace, 0 to delete." in ran.out
    assert "To apply this plan: appfleet --state-dir s3://states/prod apply --workers 2 --team vision\n" in ran.out
    assert workers.options.crew == Crew(2)
    assert run("plan", "--workers", "2", "--detailed-exitcode", *STATE).code == 2
    ran = run("plan", "--scheduler", "tls://dask:8786", "--out", "s3://states/plans/a", *STATE)
    assert "apply --scheduler tls://dask:8786 s3://states/plans/a\n" in ran.out
    assert str(workers.out) == "s3://states/plans/a"
    assert json.loads(run("plan", "--workers", "2", "--format", "json").out)["summary"]["create"] == 6


def test_a_denied_plan_exits_4(workers: Workers, run: Run) -> None:
    workers.verdict = a_verdict(denied=True)
    ran = run("plan", "--workers", "2")
    assert ran.code == 4
    assert "Denied: nothing was approved." in ran.out


def test_apply_writes_what_was_gathered(workers: Workers, run: Run) -> None:
    ran = run("apply", "--yes", "--workers", "2", *STATE)
    assert ran.code == 0
    assert ran.out.startswith("Fleet wide: 0 accounts and regions; 6 created.\n  shard_lost  shard 1/2: its worker")
    assert workers.confirmed
    assert json.loads(run("apply", "--yes", "--workers", "2", "--format", "json", *STATE).out) == GATHERED
    assert run("apply", "--yes", "--workers", "2", "--format", "markdown", *STATE).out.startswith("#")


def test_the_exit_code_is_that_of_the_run(workers: Workers, run: Run) -> None:
    workers.carried = Carried(a_report(errors=(Trouble("shard_lost", "it was lost", "Run it again"),)), GATHERED)
    ran = run("apply", "--yes", "--workers", "2", *STATE)
    assert ran.code == 1
    assert "failed (exit code 1): it was lost" in ran.err


def test_a_run_that_was_denied_is_kept(workers: Workers, run: Run, tmp_path: Path) -> None:
    workers.carried = Carried(a_report(denied=True, findings=(FINDING,)))
    ran = run("apply", "--yes", "--workers", "2", "--state-dir", "state", "--format", "json")
    assert ran.code == 4
    assert json.loads(ran.out)["error"]["code"] == "AF301"
    assert json.loads(run("history", "--state-dir", str(tmp_path / "state"), "--format", "json").out)["runs"]


def test_a_no_is_the_answer_to_all_shards(workers: Workers, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "can_ask", lambda: True)
    monkeypatch.setattr(ask, "line_typed", lambda: "no\n")
    ran = run("apply", "--workers", "2", *STATE)
    assert ran.code == 1
    assert "Plan: 6 to create" in ran.err
    assert "Fingerprint:" in ran.err
    assert "Approved" not in ran.err
    assert "Apply these changes? Only 'yes' is accepted: " in ran.err
    assert workers.confirmed is False
    assert workers.options.asks


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("apply", "--dry-run", "--workers", "2"), "--dry-run does not work with --workers and --scheduler"),
        (("plan", "--workers", "2", "--fail-on-drift"), "--fail-on-drift does not work with --workers"),
        (("plan", "--workers", "2", "--at", "2026-12-31T21:00:00Z"), "--at does not work with --workers"),
        (("plan", "--workers", "2", "--format", "markdown"), "--format markdown does not work with --workers"),
        (("plan", "--workers", "0"), "--workers"),
        (("plan", "--scheduler", "tcp://dask:8786"), "tcp://dask:8786 is not on this machine"),
    ],
)
def test_what_cannot_be_done_by_workers_is_refused(run: Run, words: tuple[str, ...], said: str) -> None:
    ran = run(*words)
    assert ran.code == 64
    assert said in ran.err


def test_nothing_of_dask_is_imported_without_the_flag(tmp_path: Path) -> None:
    look = (
        "import sys; from engine.cli.main import main; "
        "main(['plan', '--simulate', '--shard', '0/2']); main(['apply', '--help']); "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'dask', 'distributed', 'tornado'}), "
        "'engine.app.gate' in sys.modules, file=sys.stderr)"
    )
    (tmp_path / "fleet.toml").write_text('schema = 1\nname = "wide"\n')
    ran = subprocess.run([sys.executable, "-c", look], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines()[-1].startswith("[]"), ran.stderr
