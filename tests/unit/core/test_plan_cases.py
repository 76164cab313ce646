"""The planner's table, one data file a situation: tests/cases/plan/README.md says how to write one."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.change import Action, Reason
from engine.core.errors import AccessDenied
from engine.core.hours import HoursAt
from engine.core.identity import QuotaBucket
from engine.core.maintenance import Maintenance
from engine.core.plan import Fits
from engine.core.planner import join, needs_ownership, plan_fleet
from engine.core.selectors import Selectors
from tests.fleets import LANE, a_fleet, a_row, an_app, key_of, observe, options

if TYPE_CHECKING:
    from engine.core.desired import DesiredFleet
    from engine.core.observed import ObservedFleet
    from engine.core.plan_options import PlanOptions

CASES = sorted((Path(__file__).parents[2] / "cases" / "plan").glob("*.toml"))
NOW = datetime(2026, 11, 24, 1, tzinfo=UTC)
KEY_SETS = ("replace_keys", "allow_destructive", "once_done", "quarantined", "denied_keys")


def _options(told: dict[str, Any]) -> Any:
    told = dict(told)
    for name in KEY_SETS:
        told[name] = frozenset(map(key_of, told.get(name, [])))
    told["bucket_room"] = {
        QuotaBucket(*LANE, *bucket.split("/")): Fits(fits) for bucket, fits in told.pop("room", {}).items()
    }
    old = told.pop("maintenance", {})
    told["maintenance"] = Maintenance(old.get("before", 0.0), frozenset(map(key_of, old.get("awaited", []))))
    told["selectors"] = Selectors.parse(**told.pop("selectors", {}))
    return options(**told)


def _declared(*, instance_type: str = "ml.t3.medium", **told: Any) -> Any:
    return an_app(instance_type=instance_type or None, **told)


def read_case(path: Path) -> tuple[DesiredFleet, ObservedFleet, PlanOptions]:
    """Return what the case plans."""
    case = tomllib.loads(path.read_text(encoding="utf-8"))
    fleet = a_fleet(*(_declared(**app) for app in case.get("desired", [])), prune_refusal=case.get("prune_refusal", ""))
    errors = {name: AccessDenied("ListApps is not allowed", hint="Allow it") for name in case.get("unlisted", [])}
    observed = observe(*(a_row(**row) for row in case.get("observed", [])), errors=errors)
    told = dict(case.get("options", {}))
    hours = HoursAt.of(fleet.hours, told.pop("at", NOW))
    return fleet, observed, _options({**told, "hours": hours})


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    fleet, observed, wanted = read_case(path)

    plan = plan_fleet(fleet, observed, wanted)

    expected = tomllib.loads(path.read_text(encoding="utf-8"))["expected"]
    decided = [(str(change.key), change.action, change.reason, list(change.differs)) for change in plan.decisions]
    assert decided == [
        (entry["key"], Action(entry["action"]), Reason(entry["reason"]), entry.get("differs", []))
        for entry in expected.get("decisions", [])
    ]
    said = [f"{finding.rule} {finding.enforcement} {finding.key}: {finding.message}" for finding in plan.findings]
    assert said == expected.get("findings", [])
    assert plan.unmanaged == expected.get("unmanaged", 0)
    assert plan.complete is expected.get("complete", True)
    decisive = needs_ownership(join(fleet, observed, wanted.selectors), wanted).decisive
    assert [str(key) for key in decisive] == expected.get("needs_ownership", [])


def test_there_are_cases_for_every_reason() -> None:
    """A reason that no case expects is a row of the table that nobody looks at."""
    expected = {
        entry["reason"]
        for path in CASES
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["expected"].get("decisions", [])
    }

    # Whether owner and training plan can be used is decided after the planner: tests/unit/core/test_owners.py and
    # test_reserved.py. So are waves of replaces and freezes: test_waves.py and test_freeze.py.
    later = {Reason.OWNER_MISSING.value, Reason.TRAINING_PLAN.value, Reason.NEXT_WAVE.value, Reason.FROZEN.value}
    assert expected | later == {reason.value for reason in Reason}
    assert len(CASES) >= 30
