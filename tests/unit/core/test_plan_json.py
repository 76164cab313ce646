from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.application import Application
from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.cost import CostLine, PlanCost
from engine.core.desired import DesiredOwner
from engine.core.errors import AccessDenied, StalePlanError
from engine.core.finding import Finding
from engine.core.forecast import Forecast
from engine.core.hours import HoursLine
from engine.core.identity import USER, Owner
from engine.core.plan import Fits, PlanLane, QuotaLine
from engine.core.plan_json import plan_from_json
from engine.core.planner import plan_fleet
from engine.core.selectors import Selectors
from tests.fleets import CANVAS, KERNEL, LAB, LANE, SOURCE, a_fleet, a_row, an_app, key_of, observe, options

if TYPE_CHECKING:
    from collections.abc import Callable

DENIED = frozenset({key_of("lab/user/bob/Canvas/default")})
PLAN = plan_fleet(
    a_fleet(
        an_app(LAB, "ml.g5.xlarge", fallback=["ml.t3.large"], recovery_mode=False, tags=(("a", "1"), ("b", "2"))),
        an_app(CANVAS, image_arn="arn:one"),
        an_app(KERNEL),
        an_app("lab/user/bob/Canvas/default"),
        an_app("sandbox/user/bob/Canvas/default"),
        domains=("lab", "research", "sandbox"),
    ),
    observe(
        a_row(CANVAS, created_at=1.5),
        a_row(LAB, status="Failed"),
        a_row("lab/user/zoe/Canvas/default"),
        domains=("lab", "research", "sandbox"),
        errors={"sandbox": AccessDenied("ListApps is not allowed")},
    ),
    options(
        prune=True,
        denied_keys=DENIED,
        run_denied=True,
        selectors=Selectors.parse(domains=["*"]),
        lanes=(PlanLane(*LANE, "http://127.0.0.1:4566"),),
        quotas=(QuotaLine("b", "q", 10, None, 1, Fits.UNKNOWN), QuotaLine("c", "q", None, 4, 1, Fits.NO)),
        findings=(Finding("gpu", "mandatory", "", "too many", "policies/gpu.toml:3"),),
    ),
)


def _document() -> Any:
    return json.loads(json.dumps(PLAN.to_json()))


def test_the_application_of_a_profile_s_user_is_read_back_and_counts_in_the_fingerprint() -> None:
    owner = Owner("research", USER, "ana")
    arn = "arn:aws:sso::111122223333:application/ssoins-1/apl-1"
    change = OwnerChange(
        owner, Action.CREATE, OwnerReason.ABSENT, None, DesiredOwner(owner, SOURCE, sso_identity="a@x")
    )
    plain = replace(PLAN, owners=(change,))
    assigning = replace(PLAN, owners=(replace(change, assigned_to=Application("eu-west-1", arn, "d-1")),))
    assert plain.to_json()["owners"][0].keys() == assigning.to_json()["owners"][0].keys() - {"assigned_to"}
    assert plain.fingerprint != assigning.fingerprint
    for made in (plain, assigning):
        read = plan_from_json(json.loads(json.dumps(made.to_json())))
        assert (read.fingerprint, read.to_json()) == (made.fingerprint, made.to_json())


def test_a_plan_that_is_read_back_says_the_same() -> None:
    read = plan_from_json(_document())
    assert read.fingerprint == PLAN.fingerprint
    assert read.to_json() == PLAN.to_json()
    assert read.summary == PLAN.summary
    assert (read.complete, read.applyable) == (False, False)
    assert [change.action for change in read.changes] == [Action.DELETE, Action.CREATE, Action.CREATE]
    assert [change.key for change in read.drift] == [key_of(CANVAS)]


def test_specs_and_generations_are_read_back() -> None:
    lab = plan_from_json(_document()).changes[1]
    wanted = PLAN.changes[1]
    assert lab.after is not None
    assert wanted.after is not None
    assert (lab.after.spec, lab.after.fallback) == (wanted.after.spec, wanted.after.fallback)
    assert lab.before is not None
    assert (lab.before.created_at, lab.before.status) == (1_000.0, "Failed")


def test_a_status_that_is_not_known_is_read_back() -> None:
    fleet = a_fleet(an_app())
    plan = plan_fleet(fleet, observe(a_row(instance_type="ml.m5.large")), options())
    document = plan.to_json()
    document["drift"][0]["before"]["status"] = "Exploded"
    before = plan_from_json(document).drift[0].before
    assert before is not None
    assert (before.status, before.status_text) == ("unknown", "Exploded")


def _without(name: str) -> Callable[[Any], Any]:
    return lambda document: {key: value for key, value in document.items() if key != name}


def _with(**values: Any) -> Callable[[Any], Any]:
    return lambda document: document | values


def _edited(document: Any) -> Any:
    document["changes"][0]["action"] = "none"
    return document


def _bad_key(document: Any) -> Any:
    document["changes"][0]["key"] = "research"
    return document


def _bad_action(document: Any) -> Any:
    document["changes"][0]["action"] = "explode"
    return document


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda _: [], "the plan is not a JSON object"),
        (lambda _: None, "the plan is not a JSON object"),
        (_with(format_version=2), "it has format version 2, and this appfleet reads 1"),
        (_without("format_version"), "it has format version None"),
        (_without("changes"), "changes is missing"),
        (_without("summary"), "summary is missing"),
        (_with(changes=[None]), "it is not the document of a plan"),
        (_with(changes="x"), "it is not the document of a plan"),
        (_with(lanes=[{"account": "1", "planet": "x"}]), "it is not the document of a plan"),
        (_with(lanes=["x"]), "it is not the document of a plan"),
        (_with(fleet=7), "it is not the document of a plan: 7 is where a text belongs"),
        (_with(summary={"unmanaged": True}), "it is not the document of a plan: True is where a whole number"),
        (_with(summary={"unmanaged": 1.5}), "it is not the document of a plan: 1.5 is where a whole number"),
        (_with(fingerprint="sha256:0"), "its changes have the fingerprint sha256:"),
        (_without("fingerprint"), "its changes have the fingerprint sha256:"),
        (_with(inputs={"fleet.toml": "0" * 64}), "its changes have the fingerprint sha256:"),
        (_edited, "its changes have the fingerprint sha256:"),
        (_bad_key, 'it is not the document of a plan: "research" is not an app key'),
        (_bad_action, "it is not the document of a plan: 'explode' is not a valid Action"),
        (
            _with(summary={"create": 9, "none": 9, "denied": 9, "unmanaged": 0}),
            "its changes are {'create': 2",
        ),
    ],
)
def test_another_document_is_refused_with_the_way_to_a_new_one(edit: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(StalePlanError) as caught:
        plan_from_json(edit(_document()))
    assert caught.value.message.startswith(f"the saved plan is not used: {message}")
    assert caught.value.hint == "Make it again with: appfleet plan --out FILE"


def test_cost_and_forecast_are_read_back() -> None:
    cost = PlanCost((CostLine("vision", 1.5, 2),), (key_of(LAB),))
    forecast = Forecast(60.0, "b", 1, (("CreateApp", 2),), (6.0,) * 10, rate_is_learnt=True, durations_are_known=False)
    told = replace(PLAN, cost=cost, forecast=forecast, version="1.0")
    read = plan_from_json(json.loads(json.dumps(told.to_json())))
    assert read.to_json() == told.to_json()
    assert (read.cost, read.forecast) == (cost, forecast)


def test_hours_are_read_back_and_a_plan_for_another_time_is_refused() -> None:
    told = replace(PLAN, hours=(HoursLine("office", "Europe/Berlin", False, 3, "2026-12-07T07:00:00Z", "Mon 08:00"),))
    read = plan_from_json(json.loads(json.dumps(told.to_json())))
    assert read.hours == told.hours
    with pytest.raises(StalePlanError, match="a plan for another time, 2026-12-07T07:00:00Z"):
        plan_from_json(replace(PLAN, at="2026-12-07T07:00:00Z").to_json())


def test_an_owner_of_an_unknown_kind_is_refused() -> None:
    document = {**_document(), "owners": [{"kind": "team", "domain": "research", "name": "a"}]}
    with pytest.raises(StalePlanError, match="not a kind of owner"):
        plan_from_json(document)
