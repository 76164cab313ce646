"""Who goes first of a shape that never ran here, and that a plan stays the same plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.canaries import Tried, in_service, with_canaries
from engine.core.change import CANARY, Action
from engine.core.plan_json import plan_from_json
from engine.core.planner import plan_fleet
from engine.core.shape import shape_of
from tests.fleets import LANE, a_fleet, a_row, an_app, key_of, observe, options

if TYPE_CHECKING:
    from engine.core.desired import DesiredApp
    from engine.core.observed import ObservedApp
    from engine.core.plan import Plan
    from engine.core.shape import Shape

LANES = {"research": LANE}


def lab(owner: str) -> str:
    return f"research/space/{owner}-lab/JupyterLab/default"


LABS = tuple(an_app(lab(owner)) for owner in ("ada", "bob", "cyd"))


def a_plan(*apps: DesiredApp, rows: tuple[ObservedApp, ...] = (), **asked: Any) -> Plan:
    return plan_fleet(a_fleet(*(apps or LABS)), observe(*rows), options(**asked))


def tried(known: dict[Shape, bool] | None = None, *failing: str) -> Tried:
    return Tried(LANES, lambda shape, _: (known or {}).get(shape), frozenset(map(key_of, failing)))


def waiting(plan: Plan, knows: Tried | None = None, heavy: str = "") -> dict[str, str]:
    """Return who waits for whom, by owner."""
    made, _ = with_canaries(plan, knows or tried(), lambda app: float(app.key.owner.startswith(heavy or "?")))
    return {
        one.key.owner.removesuffix("-lab"): one.canary.owner.removesuffix("-lab")
        for one in made.changes
        if one.canary is not None
    }


def test_the_first_in_the_order_of_calls_goes_first() -> None:
    assert waiting(a_plan()) == {"bob": "ada", "cyd": "ada"}
    assert waiting(a_plan(), heavy="cyd") == {"ada": "cyd", "bob": "cyd"}


def test_whoever_failed_the_last_time_does_not_go_first_again() -> None:
    assert waiting(a_plan(), tried(None, lab("ada"))) == {"ada": "bob", "cyd": "bob"}


def test_what_is_being_deleted_or_would_be_replaced_goes_behind_what_is_missing() -> None:
    old = a_row(lab("ada"), instance_type="ml.g5.xlarge")
    plan = a_plan(rows=(old, a_row(lab("bob"), "Deleting")), replace_on_drift=True)
    assert next(one.action for one in plan.changes) is Action.DELETE_THEN_CREATE
    assert waiting(plan) == {"ada": "cyd", "bob": "cyd"}


def test_an_app_that_is_starting_as_declared_has_gone_first() -> None:
    assert waiting(a_plan(rows=(a_row(lab("cyd"), "Pending"),))) == {"ada": "cyd", "bob": "cyd"}
    otherwise = a_row(lab("cyd"), "Pending", "ml.g5.xlarge")
    assert waiting(a_plan(rows=(otherwise,))) == {"bob": "ada"}


def test_one_app_of_a_shape_waits_for_nobody_and_its_shape_is_named() -> None:
    plan, shapes = with_canaries(a_plan(LABS[0]), tried(), lambda _: 0.0)
    assert [one.canary for one in plan.changes] == [None]
    assert [str(shape) for shape in shapes] == ["JupyterLab, family t3"]


@pytest.mark.parametrize(("runs", "waits"), [(True, False), (False, True), (None, True)])
def test_the_journal_knows_what_ran(*, runs: bool | None, waits: bool) -> None:
    shape = shape_of(LANE, "JupyterLab", LABS[0].spec)
    known = {} if runs is None else {shape: runs}
    assert bool(waiting(a_plan(), tried(known))) is waits


def test_what_is_in_service_as_declared_runs_here_unless_it_failed_since() -> None:
    plan = a_plan(rows=(a_row(lab("ada")),))
    assert waiting(plan) == {}
    assert waiting(plan, tried({shape_of(LANE, "JupyterLab", LABS[0].spec): False})) == {"cyd": "bob"}
    assert waiting(a_plan(rows=(a_row(lab("ada"), instance_type="ml.g5.xlarge"),))) == {"cyd": "bob"}


def test_a_fallback_in_service_speaks_for_what_is_declared_and_for_itself() -> None:
    app = an_app(lab("ada"), "ml.g5.xlarge", fallback=["ml.t3.medium"])
    decisions = a_plan(app, rows=(a_row(lab("ada")),)).decisions
    assert {shape.family for shape in in_service(decisions, LANES)} == {"g5", "t3"}


def test_what_is_in_service_and_not_declared_speaks_for_itself() -> None:
    plan = a_plan(rows=(a_row(lab("old")), a_row(lab("older"))))
    assert waiting(plan) == {}


def test_nothing_is_known_of_a_domain_without_a_lane() -> None:
    plan = a_plan(rows=(a_row(lab("ada")),))
    assert list(in_service(plan.decisions, {})) == []
    nowhere = Tried({}, lambda *_: None)
    assert waiting(plan, nowhere) == {}
    assert waiting(a_plan(rows=(a_row(lab("ada"), "Pending"),)), nowhere) == {}


def test_a_plan_that_is_denied_has_no_canaries() -> None:
    assert waiting(replace(a_plan(), denied=True)) == {}


def test_who_waits_changes_no_fingerprint_and_is_written_and_read_back() -> None:
    plan = a_plan()
    made, _ = with_canaries(plan, tried(), lambda _: 0.0)
    assert made.fingerprint == plan.fingerprint
    document = made.to_json()
    entries = {entry["key"]: (entry["reason"], entry.get("canary")) for entry in document["changes"]}
    assert entries[lab("ada")] == ("absent", None)
    assert entries[lab("bob")] == (CANARY, {"key": lab("ada"), "reason": "absent"})
    read = plan_from_json(document)
    assert read.to_json() == document
    assert [str(one.canary or "") for one in read.changes] == ["", lab("ada"), lab("ada")]
