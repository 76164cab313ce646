"""Whatever the shapes and whichever of them are broken: a canary changes when apps are made, and never which ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.outcome import Outcome
from engine.simulator.service.app_operations import place_app
from engine.simulator.world.faults import LIFECYCLE, FailureRule
from engine.simulator.world.records import IN_SERVICE, app_id
from tests.unit.executor.test_owner_run import DOMAIN_ID
from tests.unit.executor.test_trial_run import OURS, TrialStage, kernels, script, shape

if TYPE_CHECKING:
    from engine.core.desired import DesiredApp
    from engine.core.outcome import ApplyReport

SCRIPTS = ("one", "two", "three")
FAMILIES = ("t3", "g5")
SHAPES = [(name, family) for name in SCRIPTS for family in FAMILIES]


@st.composite
def fleets(draw: st.DrawFn) -> list[DesiredApp]:
    """Draw up to six apps of each of six shapes: three scripts on two families."""
    counts = draw(st.lists(st.integers(0, 6), min_size=len(SHAPES), max_size=len(SHAPES)).filter(any))
    return [
        app
        for (name, family), count in zip(SHAPES, counts, strict=True)
        for app in kernels(count, f"{name}-{family}-", family, lifecycle_config_arn=script(name))
    ]


def night(apps: list[DesiredApp], there: set[int], broken: set[str], known: set[int], *, canary: bool) -> ApplyReport:
    """Run once over a world in which some apps are there and some scripts are broken; some shapes are known to run."""
    stage = TrialStage(*apps, canary=canary, failures_max=100, failure_share_max=1.0)
    stage.world.failures = [FailureRule(LIFECYCLE, lifecycle_config=script(name)) for name in sorted(broken)]
    stage.shapes.shapes = {shape(apps[index % len(apps)]).id: True for index in known}
    for key, spec in {apps[index % len(apps)].key: apps[index % len(apps)].spec for index in sorted(there)}.items():
        wanted = app_id(DOMAIN_ID, key.owner_kind, key.owner, key.app_type, key.app_name)
        place_app(stage.world, stage.domain, wanted, key.owner, spec, OURS, IN_SERVICE)
    return stage.night()


some = st.sets(st.integers(0, 35), max_size=4)


@settings(max_examples=40, deadline=None)
@given(fleets(), some, st.sets(st.sampled_from(SCRIPTS), max_size=2), some)
def test_a_canary_never_changes_which_apps_are_made(
    apps: list[DesiredApp], there: set[int], broken: set[str], known: set[int]
) -> None:
    careful, bold = (night(apps, there, broken, known, canary=canary) for canary in (True, False))
    made = [{one.key for one in report.apps if one.outcome is Outcome.CREATED} for report in (careful, bold)]
    assert made[0] == made[1]
    well = [{one.key for one in report.apps if one.outcome is Outcome.UNCHANGED} for report in (careful, bold)]
    assert well[0] == well[1]
    # What a canary spares is what fails without one.
    failed = [{one.key for one in report.apps if one.outcome is Outcome.FAILED} for report in (careful, bold)]
    assert failed[0] <= failed[1]
    assert {one.key for one in careful.apps if one.outcome is Outcome.SKIPPED} == failed[1] - failed[0]
