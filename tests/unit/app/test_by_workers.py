"""A run in shards by workers: each shard is planned, judged with the others, applied, and made again when it is lost.

The workers here are threads of the test, each with a state folder of its own. What they do is what a worker does.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import pytest

from engine.app import by_workers, driver, shard_work
from engine.app.by_workers import apply_by_workers, plan_by_workers
from engine.app.options import AppOptions
from engine.app.process import Signals
from engine.app.shard_work import APPLY, PLAN, Stops, trouble_in, work
from engine.core.bucket_url import BucketUrl
from engine.core.crew import Crew
from engine.core.errors import (
    ConfigError,
    ExitCode,
    LaneHeldError,
    StalePlanError,
    Unreachable,
    UsageError,
    WorkersError,
)
from engine.core.outcome import Outcome
from engine.core.request import Request
from engine.core.selectors import Selectors
from engine.core.shards import Shard
from engine.ports import events
from engine.ports.workers import WorkerLostError
from engine.simulator.faces.thread_runner import SimulatorThread
from tests.e2e.harness import POLICY, QUICK, Place
from tests.hasty import BOUNDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from engine.policy.gate import Verdict
    from engine.ports.events import Event
    from engine.ports.workers import Line, Values

DOMAIN = """
[domains.NAME]
id = "d-NAME"
region = "eu-west-1"
account = "ACCOUNT"
role_arn = "arn:aws:iam::ACCOUNT:role/provisioner"
[domains.NAME.teams.vision]
members = ["alice", "bob"]
spaces = { "{member}-lab" = { apps = ["lab"] } }
"""
FLEET = 'schema = 1\nname = "wide"\n[apps.lab]\ntype = "JupyterLab"\ninstance_type = "ml.t3.medium"\n' + "".join(
    DOMAIN.replace("NAME", name).replace("ACCOUNT", f"{number:012}")
    for number, name in enumerate(("blue", "green", "red"), 1)
)
LANES = [f"{number:012}/eu-west-1" for number in (1, 2, 3)]


@dataclass
class ThreadLine:
    """The line of a task that a thread does."""

    emit: Callable[[Event], None]
    stops: list[tuple[str, bool]] = field(default_factory=list)
    listeners: list[Callable[[str], None]] = field(default_factory=list)

    def tell(self, event: Event) -> None:
        self.emit(event)

    def on_stop(self, listener: Callable[[str], None]) -> None:
        self.listeners.append(listener)
        for name, _ in self.stops:
            listener(name)


@dataclass
class Threads:
    """Workers that are threads. `before` may raise in place of a worker that is lost, or do what a test wants."""

    folder: Path
    count: int = 2
    before: Callable[[dict[str, Any]], Any] = lambda _: None
    emit: Callable[[Event], None] = lambda _: None
    tasks: list[dict[str, Any]] = field(default_factory=list)
    lines: list[ThreadLine] = field(default_factory=list)
    stopped: list[tuple[str, bool]] = field(default_factory=list)
    work: Callable[[Values, Line], Values] = work

    async def submit(self, task: Callable[[], Values]) -> Values:
        made = dict(task())
        self.tasks.append(made)
        if (waiting := self.before(made)) is not None:
            await waiting
        line = ThreadLine(self.emit, self.stopped)
        self.lines.append(line)
        state = str(self.folder / f"state-{made['shard'].replace('/', '-')}")
        return await asyncio.to_thread(self.work, {**made, "state": state}, line)

    async def stop(self, signal: str, *, at_once: bool = False) -> None:
        self.stopped.append((signal, at_once))
        for line in self.lines:
            for listener in line.listeners:
                listener(signal)


@dataclass
class Site:
    """A fleet, a world and workers."""

    place: Place
    threads: Threads
    told: list[Event] = field(default_factory=list)
    asked: list[Verdict] = field(default_factory=list)
    answer: bool = True

    def options(self, **more: Any) -> AppOptions:
        given = {"state_url": BucketUrl("states", "x/"), "crew": Crew(2), "run_id": "20261201T000000Z-abcdef", **more}
        return AppOptions(self.place.folder / "fleet.toml", **given)

    def apply(self, **more: Any) -> by_workers.Carried | None:
        def confirm(verdict: Verdict) -> bool:
            self.asked.append(verdict)
            return self.answer

        return asyncio.run(apply_by_workers(self.options(**more), self.told.append, confirm))

    def plan(self, out: Path | None = None, **more: Any) -> Verdict:
        given = {"state_url": None, "state_dir": self.place.folder / "state", **more}
        return asyncio.run(plan_by_workers(self.options(**given), out, self.told.append))

    def events(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.told if isinstance(event, kind)]

    def created(self) -> int:
        return self.place.calls().get("CreateApp", {}).get("ok", 0)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    place = Place(tmp_path / "fleet")
    place.write(FLEET)
    place.scenario(QUICK)
    made = Site(place, Threads(tmp_path))

    @asynccontextmanager
    async def opened(_crew: Crew, _work: Any, emit: Any, folder: Path) -> AsyncIterator[Threads]:
        assert folder.name == "workers"
        made.threads.emit = emit
        yield made.threads

    for bound, seconds in BOUNDS.items():
        monkeypatch.setattr(bound, seconds)
    monkeypatch.setattr(driver, "opened_workers", opened)
    monkeypatch.setattr(by_workers, "_plans_in_state", lambda options: tmp_path / f"plans-{options.run_id}")
    with SimulatorThread(place.world) as simulator:
        place.simulator = simulator
        place.url = simulator.url
        for name, value in place.environment().items():
            monkeypatch.setenv(name, value)
        yield made


def test_workers_plan_what_one_process_plans(site: Site, tmp_path: Path) -> None:
    two = site.plan()
    site.threads.count = 3
    three = site.plan(tmp_path / "plans")
    assert two.summary == {"create": 6, "delete_then_create": 0, "delete": 0}
    assert (two.fingerprint, two.lanes) == (three.fingerprint, three.lanes)
    assert list(two.lanes) == LANES
    assert (tmp_path / "plans" / "index.json").is_file()
    assert site.created() == 0


def test_each_worker_applies_its_shard_and_there_is_one_result(site: Site) -> None:
    carried = site.apply()
    assert carried is not None
    assert [verdict.summary["create"] for verdict in site.asked] == [6]
    assert (carried.report.exit_code, carried.report.summary) == (ExitCode.OK, {Outcome.CREATED: 6})
    assert carried.gathered is not None
    assert [line["lane"] for line in carried.gathered["lanes"]] == LANES
    assert (carried.gathered["run_id"], carried.gathered["result"]) == ("20261201T000000Z-abcdef", "converged")
    assert site.created() == 6
    assert [(task["step"], task["shard"]) for task in site.threads.tasks] == [
        (PLAN, "0/2"), (PLAN, "1/2"), (APPLY, "0/2"), (APPLY, "1/2"),
    ]  # fmt: skip
    assert site.events(events.WorkersStarted)[0].count == 2
    assert {(one.step, one.exit_code) for one in site.events(events.ShardFinished)} == {(PLAN, 0), (APPLY, 0)}
    assert sum(one.ended for one in site.events(events.ShardProgressed)) == 6
    assert isinstance(site.told[-1], events.RunFinished)
    again = site.apply(run_id="20261201T000001Z-abcdef")
    assert again is not None
    assert again.report.summary == {Outcome.UNCHANGED: 6}
    assert len(site.asked) == 1  # where nothing changes there is nothing to ask


def test_no_credential_is_in_a_task(site: Site) -> None:
    site.plan()
    secrets = [value for name, value in site.place.environment().items() if "KEY" in name or "TOKEN" in name]
    assert secrets
    assert not any(secret in str(site.threads.tasks) for secret in secrets)


def lose(step: str, shard: str, times: int) -> Callable[[dict[str, Any]], None]:
    """Return what loses the worker of a shard so many times."""
    left = [times]

    def before(task: dict[str, Any]) -> None:
        if (task["step"], task["shard"]) == (step, shard) and left[0]:
            left[0] -= 1
            raise WorkerLostError("worker tcp://one is gone")

    return before


def test_the_shard_of_a_lost_worker_is_made_again_and_waits_for_its_lanes(site: Site) -> None:
    site.threads.before = lose(APPLY, "1/2", 2)
    carried = site.apply(lock_timeout_s=1.0, deadline_s=3_600.0)
    assert carried is not None
    assert carried.report.summary == {Outcome.CREATED: 6}
    lost = site.events(events.WorkerLost)
    assert [(one.shard, one.step, one.tries) for one in lost] == [("1/2", APPLY, 1), ("1/2", APPLY, 2)]
    tries = [task for task in site.threads.tasks if (task["step"], task["shard"]) == (APPLY, "1/2")]
    assert [task["lock_timeout_s"] for task in tries] == [1.0, 600.0, 600.0]
    left = [task["deadline_s"] for task in site.threads.tasks]
    assert all(0 < seconds <= 3_600.0 for seconds in left)
    assert left[-1] < left[0]


def test_a_shard_that_is_lost_three_times_is_named_and_the_others_are_applied(site: Site) -> None:
    site.threads.before = lose(APPLY, "1/2", 3)
    carried = site.apply()
    assert carried is not None
    assert carried.report.exit_code is ExitCode.FAILED
    assert carried.report.error is not None
    assert carried.report.error.code == "shard_lost"
    assert "shard 1/2: its worker was lost 3 times" in carried.report.error.message
    assert carried.gathered is not None
    assert carried.gathered["lost"]
    codes = {app.error.code for app in carried.report.apps if app.error is not None}
    assert codes == {"shard_lost"}
    assert site.created() == carried.report.summary[Outcome.CREATED] == 6 - carried.report.summary[Outcome.SKIPPED]


def test_nothing_is_changed_where_a_shard_cannot_be_planned(site: Site) -> None:
    site.threads.before = lose(PLAN, "0/2", 3)
    with pytest.raises(WorkersError, match="nothing was changed, since a shard was not planned: shard 0/2: its worker"):
        site.apply()
    assert site.asked == []


def test_what_is_wrong_with_the_files_is_said_with_their_lines(site: Site) -> None:
    file = site.place.folder / "fleet.toml"
    file.write_text(FLEET.replace('use = "lab"', "").replace('apps = ["lab"]', 'apps = ["labb"]'))
    with pytest.raises(ConfigError) as caught:
        site.plan()
    assert caught.value.diagnostics


def test_a_worker_that_alone_refuses_what_it_is_asked_is_believed(site: Site) -> None:
    site.threads.work = lambda task, line: work({**task, "fleet_file": f"{task['fleet_file']}.gone"}, line)
    with pytest.raises(UsageError):
        site.plan()


def test_a_denied_plan_changes_nothing(site: Site) -> None:
    site.place.write(FLEET, policy=POLICY + "[safety]\ncreate_max = 5\n")
    carried = site.apply()
    assert carried is not None
    assert carried.report.exit_code is ExitCode.DENIED
    assert carried.gathered is None
    assert site.asked == []
    assert site.events(events.RuleFired)
    assert site.created() == 0


def test_a_no_changes_nothing(site: Site) -> None:
    site.answer = False
    assert site.apply() is None
    assert site.created() == 0


def test_a_fingerprint_is_an_answer(site: Site) -> None:
    with pytest.raises(StalePlanError, match="and sha256:other was approved; nothing was changed"):
        site.apply(checksum="sha256:other")
    assert site.asked == []
    fingerprint = site.plan().fingerprint
    carried = site.apply(checksum=fingerprint, run_id="20261201T000001Z-abcdef", asks=True)
    assert carried is not None
    assert carried.report.summary == {Outcome.CREATED: 6}
    assert site.asked == []


def test_a_saved_plan_is_applied_and_only_this_run_counts(site: Site, tmp_path: Path) -> None:
    plans = tmp_path / "plans"
    fingerprint = site.plan(plans).fingerprint
    first = site.apply(saved_plan=plans, checksum=fingerprint)
    assert first is not None
    assert first.report.summary == {Outcome.CREATED: 6}
    site.threads.before = lose(APPLY, "0/2", 3)
    second = site.apply(saved_plan=plans)
    assert second is not None
    assert second.report.exit_code is ExitCode.FAILED  # although the first run reported on all of them
    with pytest.raises(StalePlanError, match="has the fingerprint sha256:"):
        site.apply(saved_plan=plans, checksum="sha256:other")


def test_a_stop_reaches_every_shard_and_every_app_has_an_outcome(site: Site) -> None:
    site.place.scenario(QUICK.replace("app_pending = 0.05", "app_pending = 600"))
    line = ThreadLine(lambda _: None)

    def stop_later(task: dict[str, Any]) -> Any:
        async def wait() -> None:
            line.listeners[0]("SIGTERM")

        return wait() if (task["step"], task["shard"]) == (APPLY, "1/2") else None

    site.threads.before = stop_later
    carried = site.apply(signals=Stops(line))
    assert carried is not None
    assert carried.report.exit_code is ExitCode.INTERRUPTED
    assert carried.report.interrupted_by == "SIGTERM"
    assert sum(carried.report.summary.values()) == 6
    assert site.threads.stopped == [("SIGTERM", False)]
    assert [one.signal for one in site.events(events.RunInterrupted)] == ["SIGTERM"]


@pytest.mark.parametrize("signals", [1, 2])
def test_a_stop_while_shards_are_planned_ends_the_run(site: Site, signals: int) -> None:
    line = ThreadLine(lambda _: None)

    def stop(task: dict[str, Any]) -> Any:
        async def wait() -> None:
            for _ in range(signals if task["shard"] == "1/2" else 0):
                line.listeners[0]("SIGINT")
            await asyncio.sleep(0.0 if signals == 1 else 60.0)

        return wait()

    site.threads.before = stop
    with pytest.raises(KeyboardInterrupt, match="SIGINT"):
        site.plan(signals=Stops(line))
    assert site.threads.stopped[-1] == ("SIGINT", signals == 2)


def test_a_worker_that_does_not_end_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "WORKERS_END_MAX_SECONDS", 0.0)
    line = ThreadLine(lambda _: None)

    def hang(task: dict[str, Any]) -> Any:
        async def wait() -> None:
            if task["shard"] == "1/2":
                line.listeners[0]("SIGTERM")
            await asyncio.sleep(600.0)

        return wait() if task["step"] == APPLY else None

    site.threads.before = hang
    carried = site.apply(signals=Stops(line))
    assert carried is not None
    assert (carried.report.exit_code, carried.report.summary) == (ExitCode.INTERRUPTED, {Outcome.SKIPPED: 6})
    assert "did not end within" in site.events(events.WorkerLost)[0].message


def test_where_other_runs_hold_every_lane_that_is_the_end(site: Site) -> None:
    held = {"code": "AF506", "message": "Another run works in account 1", "hint": "Wait"}

    def done(task: Values, line: Line) -> Values:
        return {**work(task, line), "exit_code": 5, "error": held} if task["step"] == APPLY else work(task, line)

    site.threads.work = done
    with pytest.raises(LaneHeldError, match="Another run works in account 1"):
        site.apply()


def test_the_error_of_a_shard_is_that_of_the_run(site: Site) -> None:
    bug = {"code": "AF901", "message": "this is a bug in appfleet: KeyError", "hint": ""}

    def done(task: Values, line: Line) -> Values:
        found = work(task, line)
        return {**found, "exit_code": 70, "error": bug} if (task["step"], task["shard"]) == (APPLY, "1/2") else found

    site.threads.work = done
    carried = site.apply()
    assert carried is not None
    assert (carried.report.exit_code, carried.report.bug) == (ExitCode.BUG, True)


def test_what_was_done_is_counted_also_where_it_cannot_be_gathered(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: Any) -> Any:
        raise Unreachable("Cannot connect to 127.0.0.1 (connection refused)", hint="Check the endpoint")

    monkeypatch.setattr(by_workers, "gather", gone)
    carried = site.apply()
    assert carried is not None
    assert carried.gathered is not None
    assert carried.report.exit_code is ExitCode.FAILED
    assert carried.gathered["summary"] == {"created": site.created()} == {"created": 6}
    assert carried.report.error is not None
    assert carried.report.error.message.startswith(
        "The shards ended, and their reports could not be read: Cannot connect"
    )
    assert "To read them: appfleet gather " in carried.report.error.hint
    assert carried.gathered["error"]["message"] == carried.report.error.message


async def one_applied(site: Site) -> None:
    """Wait until both shards are planned and one of them is applied."""
    while len(site.events(events.ShardFinished)) < 3:  # noqa: ASYNC110 - a list that another task fills
        await asyncio.sleep(0.01)


def test_what_was_done_is_gathered_also_where_the_workers_are_gone_at_once(site: Site) -> None:
    def gone(task: dict[str, Any]) -> Any:
        async def wait() -> None:
            await one_applied(site)
            raise WorkersError("the Dask scheduler is gone", hint="Start it again")

        return wait() if (task["step"], task["shard"]) == (APPLY, "1/2") else None

    site.threads.before = gone
    carried = site.apply()
    assert carried is not None
    assert carried.gathered is not None
    assert carried.report.exit_code is ExitCode.FAILED
    assert [error.message for error in carried.report.errors] == ["the Dask scheduler is gone"]
    assert site.created() == carried.gathered["summary"]["created"] > 0
    assert carried.gathered["lost"]


def test_a_second_signal_while_shards_are_applied_leaves_a_result(site: Site) -> None:
    line = ThreadLine(lambda _: None)

    def stop(task: dict[str, Any]) -> Any:
        async def wait() -> None:
            await one_applied(site)
            for _ in range(2):
                line.listeners[0]("SIGINT")
            await asyncio.sleep(60.0)

        return wait() if (task["step"], task["shard"]) == (APPLY, "1/2") else None

    site.threads.before = stop
    carried = site.apply(signals=Stops(line))
    assert carried is not None
    assert carried.gathered is not None
    assert carried.report.exit_code is ExitCode.INTERRUPTED
    assert site.created() == carried.gathered["summary"]["created"] > 0
    (error,) = carried.report.errors
    assert error.message == "stopped at once: 1 of 2 shards had ended, and the others may have made changes"
    assert "To see what was done: appfleet gather " in error.hint
    assert site.threads.stopped[-1] == ("SIGINT", True)


def test_an_app_that_fails_is_named_by_the_run(site: Site) -> None:
    site.place.scenario(QUICK + '[[failure]]\nowner = "alice-lab"\nreason = "the script failed"\n')
    carried = site.apply()
    assert carried is not None
    assert carried.report.exit_code is ExitCode.INCOMPLETE
    assert carried.report.error is not None
    assert "of 6 apps" in carried.report.error.message
    assert {app.outcome for app in carried.report.apps} == {Outcome.FAILED}
    assert site.events(events.AppFailed)


REFUSED = [
    ({"simulate": ""}, "--workers does not work with --simulate. A simulated world is in one process"),
    ({"request": Request(Selectors(shards=(Shard(0, 2),)))}, "--workers divides the fleet into shards itself"),
    ({"state_url": None}, "--workers needs a state that its workers can share: a folder has one run at a time. Add"),
]


@pytest.mark.parametrize(("more", "said"), REFUSED)
def test_what_workers_cannot_share_is_refused(site: Site, more: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        site.apply(**more)


def test_workers_of_other_machines_reach_no_folder_of_this_one(site: Site, tmp_path: Path) -> None:
    crew = Crew(scheduler="tls://dask:8786")
    with pytest.raises(UsageError, match="--scheduler needs a state that its workers can share"):
        site.plan(crew=crew)
    with pytest.raises(UsageError, match="--scheduler needs plans that its workers can reach"):
        site.plan(tmp_path, crew=crew, state_url=BucketUrl("states", ""))


def test_the_plans_of_a_run_are_below_its_fleet_in_the_shared_state(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET)
    options = AppOptions(file, state_url=BucketUrl("states", "prod/"), run_id="R")
    assert str(by_workers._plans_in_state(options)) == "s3://states/prod/wide/plans/R"
    file.write_text("schema = 1\n")
    with pytest.raises(ConfigError):
        by_workers._plans_in_state(options)


# What a worker does.

OF_THE_TASK = {
    "fleet_file", "state_dir", "state_url", "endpoint_url", "request", "wait", "deadline_s", "lock_timeout_s",
    "plan_age_max_s", "policies", "refresh_quotas", "strict", "saved_plan",
}  # fmt: skip
MADE_BY_THE_WORKER = {"run_id", "redactor", "signals", "is_part", "wave", "command_line"}
OF_THE_RUN = {"checksum", "asks", "report_to", "trace", "crew", "command"}
REFUSED_WITH_WORKERS = {"simulate", "at"}
OF_OTHER_COMMANDS = {"again", "lets_go", "whole_domains"}


def test_each_option_reaches_the_workers_or_is_no_business_of_theirs() -> None:
    known = OF_THE_TASK | MADE_BY_THE_WORKER | OF_THE_RUN | REFUSED_WITH_WORKERS | OF_OTHER_COMMANDS
    assert {one.name for one in fields(AppOptions)} == known


def a_task(site: Site, **more: Any) -> dict[str, Any]:
    options = site.options(state_url=None, state_dir=site.place.folder / "state")
    return {**shard_work.task_of(options, site.place.folder / "plans", PLAN, Shard(0, 1)), **more}


def test_a_worker_of_another_version_says_so(site: Site) -> None:
    result = work(a_task(site, version="0.0.1"), ThreadLine(site.told.append))
    error = trouble_in(result)
    assert error is not None
    assert error.code == WorkersError.code
    assert error.message.startswith("this run is of appfleet 0.0.1, and a worker has ")


def test_a_bug_in_a_worker_is_a_result(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(shard_work, "plan_shard", broken)
    result = work(a_task(site), ThreadLine(site.told.append))
    error = trouble_in(result)
    assert result["exit_code"] == ExitCode.BUG
    assert error is not None
    assert "KeyError at test_by_workers.py:" in error.message
    assert "secret" not in error.message


def test_a_worker_tells_no_more_warnings_than_a_log_can_take(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_work, "SHARD_EVENTS_MAX_COUNT", 1)
    assert work(a_task(site), ThreadLine(site.told.append))["exit_code"] == ExitCode.OK
    assert [event.name for event in site.told] == ["lane.endpoint_noticed"]


def test_a_stop_from_before_a_run_reaches_it() -> None:
    line = ThreadLine(lambda _: None)
    stops, taken = Stops(line), list[str]()
    assert isinstance(stops, Signals)
    line.listeners[0]("SIGTERM")
    with stops.directed_to(taken.append, lambda take, name: take(name)):
        assert taken == ["SIGTERM"]
        line.listeners[0]("SIGINT")
    line.listeners[0]("SIGHUP")
    assert taken == ["SIGTERM", "SIGINT"]
