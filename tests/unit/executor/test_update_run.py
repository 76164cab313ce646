"""Updates in a run, in virtual time over the world in memory: what is sent, after what, and when an answer is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.change import Action
from engine.core.desired import DesiredOwner, Mode
from engine.core.outcome import Outcome
from engine.executor.course import late_max_s
from engine.ports.journal import Memory, Unfinished
from engine.simulator.service import app_operations, owner_operations
from engine.simulator.world.faults import FaultKind
from engine.simulator.world.records import app_id
from tests.fleets import SOURCE, an_app, options
from tests.rounds import a_draft, whole, with_ownership
from tests.unit.executor.parts import decisive
from tests.unit.executor.test_owner_run import ALICE, BOB, DOMAIN_ID, EPOCH, LAB_A, SPACE_A, Stage, outcomes, owners_of
from tests.unit.executor.test_unfinished import Kept, ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.identity import Owner
    from engine.core.outcome import ApplyReport
    from engine.executor.fleet_run import FleetRun
    from engine.simulator.faces.memory_face import SimulatedCall
    from engine.simulator.world.records import Space

LAB_ID = app_id(DOMAIN_ID, "space", "alice-lab", "JupyterLab", "default")
REPOSITORIES = [{"RepositoryUrl": "https://example.org/lab.git"}]


def idle(minutes: int) -> dict[str, Any]:
    return {"AppLifecycleManagement": {"IdleSettings": {"IdleTimeoutInMinutes": minutes}}}


@pytest.fixture
def stage() -> Stage:
    """A space of ours that shuts down after an hour, and is declared to after two."""
    made = Stage()
    made.profile("alice")
    owner_operations.create_space(
        made.world, made.domain, "alice-lab", owner="alice", sharing="Private", at_once=True,
        settings={"AppType": "JupyterLab", "JupyterLabAppSettings": {**idle(60), "CodeRepositories": REPOSITORIES}},
        tags={"appfleet:managed-by": "ml"},
    )  # fmt: skip
    declare(made, idle_minutes=120)
    made.fleet = replace(made.fleet, apps=())
    return made


def declare(stage: Stage, **more: Any) -> None:
    space = DesiredOwner(SPACE_A, SOURCE, owner_user="alice", sharing="Private", app_type="JupyterLab", **more)
    stage.fleet = replace(stage.fleet, owners=(space,))


def update(stage: Stage, meanwhile: Callable[[], None] = lambda: None, **more: Any) -> ApplyReport:
    """Plan as apply does where a policy updates, then carry it out; `more` is what planning found besides."""

    async def work(run: FleetRun) -> ApplyReport:
        observed = await run.observe({"research": None})
        observed = await with_ownership(run, observed, decisive(observed.domains["research"].apps))
        draft = a_draft(run, stage.fleet, observed, options(), updates_owners=True, watched=[SPACE_A])
        plan = (await whole(run, draft)).plan
        meanwhile()
        return await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True, **more)

    return stage.do(work)  # type: ignore[no-any-return]


def space_of(stage: Stage) -> Space:
    return stage.domain.spaces["alice-lab"]


def sent_at(stage: Stage) -> list[tuple[str, float]]:
    """Note each change that reaches the service, and when."""
    sent: list[tuple[str, float]] = []

    async def latency(call: SimulatedCall) -> None:
        if call.operation in ("UpdateSpace", "DeleteApp") and call.phase == "request" and stage.run is not None:
            sent.append((call.operation, stage.run.control.now()))

    stage.latency = latency
    return sent


def test_a_space_is_updated_in_place_and_what_nobody_declares_stays(stage: Stage) -> None:
    report = update(stage)
    assert owners_of(report) == {SPACE_A: Outcome.UPDATED}
    assert report.exit_code == 0
    assert report.calls["UpdateSpace"] == {"ok": 1}
    assert space_of(stage).settings["JupyterLabAppSettings"] == {**idle(120), "CodeRepositories": REPOSITORIES}
    told = [event.name for event in stage.events if event.name.startswith("owner.")]
    assert told == ["owner.call_started", "owner.accepted", "owner.settled"]
    assert update(stage).owners == (), "the next run finds nothing to do"


def test_what_somebody_set_since_the_plan_is_not_taken_back(stage: Stage) -> None:
    """The update is laid over what was read just before it."""
    others = [{"RepositoryUrl": "https://example.org/other.git"}]

    def meanwhile() -> None:
        settings = space_of(stage).settings
        settings["JupyterLabAppSettings"] = {**settings["JupyterLabAppSettings"], "CodeRepositories": others}

    assert owners_of(update(stage, meanwhile)) == {SPACE_A: Outcome.UPDATED}
    assert space_of(stage).settings["JupyterLabAppSettings"] == {**idle(120), "CodeRepositories": others}


def test_a_volume_grows_once_the_app_that_goes_from_the_space_is_gone(stage: Stage) -> None:
    """The service refuses it while an app runs there."""
    declare(stage, idle_minutes=120, ebs_gb=50)
    stage.fleet = replace(stage.fleet, apps=(replace(an_app(LAB_A), mode=Mode.ABSENT),))
    tags = {"appfleet:fleet": "ml"}
    app_operations.place_app(stage.world, stage.domain, LAB_ID, "alice-lab", an_app().spec, tags, "InService")
    sent = sent_at(stage)
    report = update(stage)
    assert outcomes(report) == {LAB_A: "deleted"}
    assert owners_of(report) == {SPACE_A: Outcome.UPDATED}
    assert space_of(stage).ebs_gb == 50
    assert [operation for operation, _ in sent] == ["DeleteApp", "UpdateSpace"]
    assert sent[1][1] - sent[0][1] >= stage.world.timing.app_deleting[0]


@pytest.mark.parametrize(("kind", "calls"), [(FaultKind.RESET_AFTER, 1), (FaultKind.RESET_BEFORE, 2)])
def test_an_update_whose_answer_is_lost_is_looked_up_and_sent_again_only_when_it_can_come_no_more(
    stage: Stage, kind: FaultKind, calls: int
) -> None:
    stage.fault(kind, "UpdateSpace")
    sent = sent_at(stage)
    assert owners_of(update(stage)) == {SPACE_A: Outcome.UPDATED}
    assert len(sent) == calls
    assert all(at - sent[0][1] >= late_max_s(stage.settings.observe) for _, at in sent[1:])


@pytest.mark.parametrize("arrives", [True, False])
def test_an_update_that_an_earlier_run_sent_is_looked_up_before_another_one_is_sent(
    stage: Stage, *, arrives: bool
) -> None:
    stage.memory = Memory(frozenset(), {}, {}, unfinished={SPACE_A: Unfinished("UpdateSpace", EPOCH, in_doubt=True)})
    stage.journal = Kept()

    def late(_: FleetRun) -> None:
        settings = {"JupyterLabAppSettings": {**idle(120), "CodeRepositories": REPOSITORIES}}
        owner_operations.update_space(stage.world, stage.domain, "alice-lab", settings, None)

    if arrives:
        stage.at = [(9.0, late)]
    sent = sent_at(stage)
    assert owners_of(update(stage)) == {SPACE_A: Outcome.UPDATED}
    assert len(sent) == (0 if arrives else 1)
    assert all(at >= late_max_s(stage.settings.observe) - 1.0 for _, at in sent)
    assert ending(stage, SPACE_A)["in_doubt"] is arrives, "a look does not tell whose update it shows"


class Settled(Kept):
    """A journal that notes whose users need not be assigned any more."""

    def __init__(self) -> None:
        super().__init__()
        self.settled: list[Owner] = []

    def settle_assignment(self, *told: Any) -> None:
        self.settled.extend(told)


def test_what_planning_found_done_is_written_down_and_an_update_of_an_earlier_run_is_in_the_report(
    stage: Stage,
) -> None:
    """The next run then neither looks it up nor speaks of it. Nothing else is done, and nothing is called for it."""
    declare(stage, idle_minutes=60)
    journal = stage.journal = Settled()
    report = update(stage, ended=[SPACE_A], not_to_assign=[ALICE, BOB])
    assert journal.settled == [ALICE, BOB]
    assert list(journal.ends) == [SPACE_A]
    (result,) = report.owners
    assert (result.owner, result.action, result.outcome) == (SPACE_A, Action.UPDATE, Outcome.UNCHANGED)
    assert (report.exit_code, report.calls.get("UpdateSpace")) == (0, None)
