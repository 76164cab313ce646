"""A new image for a hundred apps, night after night in virtual time, while people are at work in some of them."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from engine.adapters.pace import ThrottlePace
from engine.core.desired import AppSpec
from engine.core.settings import Execution, Safety, Settings
from engine.executor.control import Control
from engine.executor.fleet_run import FleetRun
from engine.executor.link import Link
from engine.ports.journal import NOTHING_REMEMBERED
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.service import app_operations, owner_operations
from engine.simulator.world.records import IN_SERVICE, app_id
from engine.simulator.world.world import Timing, World
from tests.fleets import LANE, a_fleet, an_app, options
from tests.rounds import a_draft, whole
from tests.simulation.virtual_loop import VirtualLoop
from tests.throttle_clock import throttle_on_loop_clock
from tests.unit.executor.test_owner_run import NoteBook

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.outcome import ApplyReport
    from engine.simulator.world.records import App

APPS: Final = 100
WAVE: Final = 20
AT_WORK: Final = 30
DAY: Final = 86_400.0
EPOCH: Final = 1_800_000_000.0
IMAGE: Final = "arn:aws:sagemaker:eu-west-1:111122223333:image/{}"
SETTINGS: Final = Settings(
    execution=Execution(create_rate=20.0, create_rate_max=20.0, read_rate=50.0),
    safety=Safety(replace_on_drift=True, replace_wave=WAVE, spare_active=3_600.0),
)


class CountingWorld(World):
    """Counts how many apps were down at the same time."""

    most_down = 0

    def set_app_status(self, app: App, status: str) -> None:
        super().set_app_status(app, status)
        self.most_down = max(self.most_down, APPS - Counter(one.status for one in self.apps.values())[IN_SERVICE])


class Studio:
    """A domain of a hundred labs with the old image, and the nights in which they get the new one."""

    def __init__(self) -> None:
        times = (60.0, 120.0)
        self.world = CountingWorld(account=LANE.account, timing=Timing(app_pending=times, app_deleting=times))
        self.world.advance(EPOCH)
        domain = owner_operations.add_domain(self.world, "d-research", LANE.region, LANE.account, name="research")
        self.names = [f"lab{number:03}" for number in range(APPS)]
        for name in self.names:
            owner_operations.create_profile(self.world, domain, name, at_once=True)
            owner_operations.create_space(
                self.world, domain, name, owner=name, sharing="Private", settings={"AppType": "JupyterLab"}, tags={},
                at_once=True,
            )  # fmt: skip
            key, spec = app_id("d-research", "space", name, "JupyterLab", "default"), AppSpec("ml.t3.medium", "old")
            app_operations.place_app(
                self.world, domain, key, name, spec, {"appfleet:fleet": "ml"}, IN_SERVICE
            ).spec = replace(spec, image_arn=IMAGE.format("old"))
        self.fleet = a_fleet(
            *(
                an_app(f"research/space/{name}/JupyterLab/default", image_arn=IMAGE.format("new"))
                for name in self.names
            ),
            domains=["research"],
        )

    def on_new_image(self) -> set[str]:
        """Name the labs that run the new image."""
        return {app.owner for app in self.world.apps.values() if app.spec.image_arn == IMAGE.format("new")}

    def night(self, number: int, at_work: set[str]) -> ApplyReport:
        """Apply in the night of that number, while these people work."""
        loop = VirtualLoop(None)
        loop.start_at(number * DAY + 100.0)  # between two health checks
        for app in self.world.apps.values():
            app.used_until = EPOCH + number * DAY + 6 * 3_600.0 if app.owner in at_work else 0.0

        async def main() -> ApplyReport:
            wall: Callable[[], float] = lambda: EPOCH + loop.time()  # noqa: E731
            cloud = MemoryCloud(self.world, wall, account=LANE.account, region=LANE.region)
            run = FleetRun(
                fleet="ml", links={"research": Link(self.fleet.domains[0], LANE, cloud)}, unreachable={},
                settings=SETTINGS, control=Control(3_600.0, lambda _: None), journal=NoteBook(),
                memory=NOTHING_REMEMBERED, make_pace=lambda: ThrottlePace(1.0), emit=lambda _: None, wall=wall,
                jitter=random.Random(number).random,
            )  # fmt: skip
            observed = await run.observe({"research": None})
            made_at = datetime.fromtimestamp(wall(), UTC).isoformat()
            asked = replace(options(), made_at=made_at, safety=SETTINGS.safety)
            draft = await whole(run, a_draft(run, self.fleet, observed, asked))
            return await run.apply(draft.plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

        task = loop.create_task(main())
        with throttle_on_loop_clock():
            try:
                return loop.run_until_complete(task)
            finally:
                loop.close()


def test_five_nights_bring_a_new_image_and_nobody_at_work_loses_an_app() -> None:
    """Each night thirty others work late."""
    studio = Studio()
    for night in range(1, 6):
        before = studio.on_new_image()
        at_work = {studio.names[(night * AT_WORK + one) % APPS] for one in range(AT_WORK)}
        report = studio.night(night, at_work)
        replaced = studio.on_new_image() - before
        assert not replaced & at_work
        assert len(replaced) == WAVE
        assert set(report.summary) == {"replaced", "unchanged"}
        assert report.exit_code == 0
    assert studio.on_new_image() == set(studio.names)
    assert studio.world.most_down <= WAVE


def test_who_works_every_night_keeps_an_app_and_is_named_until_the_night_of_rest() -> None:
    studio = Studio()
    always = set(random.Random(1).sample(studio.names, AT_WORK))
    summaries = [
        {name.value: count for name, count in studio.night(one, always).summary.items()} for one in range(1, 6)
    ]
    assert summaries[:3] == [{"replaced": 20, "unchanged": 80}] * 3
    assert summaries[3:] == [{"replaced": 10, "skipped": 10, "unchanged": 80}, {"skipped": 20, "unchanged": 80}]
    assert studio.on_new_image() == set(studio.names) - always
    assert studio.night(6, set()).exit_code == 0
    assert studio.night(7, set()).exit_code == 0
    assert studio.on_new_image() == set(studio.names)
    assert studio.world.most_down <= WAVE
