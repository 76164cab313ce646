"""The composition root over a small fleet and a simulated world: ends that a process cannot be brought to."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.state.journal_reader import read_memory
from engine.adapters.state.state_dir import StateDir
from engine.app.apply import apply
from engine.app.begun import Begun
from engine.app.loading import load, today
from engine.app.options import AppOptions
from engine.app.plan import plan
from engine.app.stopping import Beginning
from engine.core.errors import BugError, ExitCode, UsageError, WrongAccountError
from engine.core.outcome import Outcome
from engine.core.request import Request
from engine.executor.calls import StoppedError
from engine.executor.cause import Cause
from engine.executor.control import Control
from engine.executor.workers import Workers
from engine.ports.events import Event, RunFinished
from tests.e2e.harness import POLICY, fleet_text, people

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def options(tmp_path: Path) -> AppOptions:
    """Return what a run over two labs in a world of its own takes."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "execution.toml").write_text(POLICY)
    (tmp_path / "fleet.toml").write_text(fleet_text(people(2)))
    return AppOptions(fleet_file=tmp_path / "fleet.toml", simulate="", run_id="r1", wait=False)


def unclean_end_at(options: AppOptions) -> float | None:
    with StateDir.open(options.state_path, create=False) as state:
        return read_memory(state, "e2e").unclean_end_at


async def test_a_bug_in_a_worker_is_70_with_the_app_named_and_a_whole_report(
    options: AppOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 56: the run stops in order; nothing is lost and nothing is hidden."""

    async def broken(_workers: Any, _reach: Any, operation: Any) -> None:
        raise RuntimeError(f"cannot be: {operation.key}")

    monkeypatch.setattr(Workers, "_create", broken)
    report = await apply(options, lambda _: None, lambda _: True)
    assert report is not None
    assert report.exit_code is ExitCode.BUG
    assert len(report.apps) == 2
    failed = [one for one in report.apps if one.outcome is Outcome.FAILED]
    assert failed
    assert all(one.error is not None and str(one.key) in one.error.message for one in failed)
    assert any(error.code == BugError.code for error in report.errors)


async def test_every_call_is_counted_the_question_who_calls_too(options: AppOptions) -> None:
    without = "".join(
        line for line in options.fleet_file.read_text().splitlines(keepends=True) if not line.startswith("account")
    )
    options.fleet_file.write_text(
        without
    )  # with its account the simulation assumes a role, whose answer says who calls
    events: list[Event] = []
    report = await apply(options, events.append, lambda _: True)
    assert report is not None
    expected = {"GetCallerIdentity": {"ok": 1}, "CreateApp": {"ok": 2}}
    assert {name: report.calls[name] for name in expected} == expected
    assert report.calls["ListApps"].keys() == {"ok"}
    assert isinstance(events[-1], RunFinished)
    assert unclean_end_at(options) is None


async def test_a_run_that_is_stopped_before_its_plan_counts_what_it_has_read(options: AppOptions) -> None:
    """Its calls say where the time went."""

    def stop(event: Event) -> None:
        if event.name == "domain.listed":
            options.signals._arrive(signal.SIGTERM, None)

    report = await apply(options, stop, lambda _: True)
    assert report is not None
    assert report.interrupted
    assert "CreateApp" not in report.calls
    assert report.calls["ListApps"] == {"ok": 1}


async def test_a_no_is_a_clean_end_and_calls_nothing(options: AppOptions) -> None:
    assert await apply(options, lambda _: None, lambda _: False) is None
    assert unclean_end_at(options) is None
    made = await plan(options, lambda _: None)
    assert made.summary["create"] == 2


async def test_a_run_that_could_not_begin_is_a_clean_end(options: AppOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """It changed nothing, so the next run need not wait until calls of it come to light."""

    def refuse(*_: object) -> None:
        raise WrongAccountError("another account")

    monkeypatch.setattr("engine.app.reaching.verify_account", refuse)
    with pytest.raises(WrongAccountError):
        await apply(options, lambda _: None, lambda _: True)
    assert unclean_end_at(options) is None


async def test_a_simulated_world_is_kept_though_the_command_fails(
    options: AppOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise WrongAccountError("another account")

    monkeypatch.setattr("engine.app.reaching.verify_account", refuse)
    with pytest.raises(WrongAccountError):
        await plan(options, lambda _: None)
    assert json.loads((options.state_path / "simulated-world.json").read_bytes())


async def test_an_allowance_that_is_none_is_told_before_anything_is_opened(options: AppOptions) -> None:
    wrong = AppOptions(fleet_file=options.fleet_file, simulate="", request=Request(allow_destructive=("x=y=z",)))
    with pytest.raises(UsageError, match="--allow-destructive"):
        await plan(wrong, lambda _: None)
    assert not options.state_path.exists()


async def test_a_stop_in_the_beginning_cancels_and_later_does_not() -> None:
    control = Control(60.0, lambda _: None)

    async def wait(*, over: bool) -> str:
        beginning = Beginning(control)
        if over:
            beginning.is_over()
        asyncio.get_running_loop().call_soon(control.stop, Cause.INTERRUPTED)
        try:
            await asyncio.sleep(0.02)
        except asyncio.CancelledError as error:
            return "ended" if beginning.was_ended_by(error) else "cancelled"
        return "went on"

    assert await asyncio.create_task(wait(over=True)) == "went on"
    assert await asyncio.create_task(wait(over=False)) == "ended"


async def test_only_a_stop_is_taken_for_one() -> None:
    control = Control(60.0, lambda _: None)
    beginning = Beginning(control)
    assert not beginning.was_ended_by(StoppedError())
    beginning_of_stopped = Control(60.0, lambda _: None)
    beginning_of_stopped.stop(Cause.DEADLINE)

    async def look() -> list[bool]:
        stopped = Beginning(beginning_of_stopped)
        errors = (ExceptionGroup("g", [StoppedError()]), ExceptionGroup("g", [StoppedError(), ValueError()]))
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError as error:
            return [stopped.was_ended_by(one) for one in (*errors, error)]
        return []

    assert await asyncio.create_task(look()) == [True, False, True]
    beginning.is_over()


async def test_a_deadline_of_nothing_is_a_deadline(options: AppOptions) -> None:
    loaded = load(options.fleet_file, today())
    now = Begun.now(AppOptions(fleet_file=options.fleet_file, deadline_s=0.0), loaded, lambda _: None)
    assert now.deadline_s == 0.0
    assert not now.control.may_call()
    policy = Begun.now(options, loaded, lambda _: None)
    assert policy.deadline_s == loaded.settings.execution.deadline
    assert policy.with_all_calls({}) == {}
    counted = Begun(policy.control, policy.emit, 1.0, Counter(ok=2))
    assert counted.with_all_calls({"ListApps": {"ok": 1}}) == {
        "ListApps": {"ok": 1},
        "GetCallerIdentity": {"ok": 2},
    }
