from __future__ import annotations

from dataclasses import replace

from engine.core.change import Action, Change, Reason
from engine.core.desired import AppSpec
from engine.core.finding import Finding
from engine.core.identity import AppKey, QuotaBucket
from engine.core.plan import Fits, Plan, PlanLane, QuotaLine
from engine.core.plan_options import PlanOptions
from engine.core.planner import plan_fleet
from engine.core.settings import Safety
from tests.fleets import CANVAS, KERNEL, LAB, LANE, TODAY, a_fleet, a_row, an_app, key_of, observe, options

CREATE = Change(key_of(LAB), Action.CREATE, Reason.ABSENT, after=an_app(LAB, fallback=["ml.t3.large"]))
DRIFT = Change(
    key_of(CANVAS), Action.NONE, Reason.DRIFT, a_row(CANVAS, created_at=7.5), an_app(CANVAS), ("instance_type",)
)
PLAN = Plan("ml-platform", "2026-11-24T01:00:00Z", (CREATE, DRIFT), inputs=(("fleet.toml", "a" * 64),))


def test_a_create_shows_what_will_stand_there() -> None:
    assert CREATE.to_json() == {
        "key": LAB,
        "domain": "research",
        "owner_kind": "space",
        "owner": "alice-lab",
        "app_type": "JupyterLab",
        "app_name": "default",
        "action": "create",
        "reason": "absent",
        "before": None,
        "after": {"instance_type": "ml.t3.medium", "fallback": ["ml.t3.large"]},
        "differs": [],
    }


def test_what_is_observed_has_its_generation_and_status() -> None:
    shown = DRIFT.to_json()
    assert shown["before"] == {"instance_type": "ml.t3.medium", "generation": 7.5, "status": "InService"}
    assert shown["differs"] == ["instance_type"]


def test_a_declared_app_that_goes_leaves_nothing_after_it() -> None:
    app = an_app(mode="absent")
    change = Change(app.key, Action.DELETE, Reason.DECLARED_ABSENT, a_row(), app)
    assert change.to_json()["after"] is None
    assert change.to_json()["before"]["generation"] == 1_000.0


def test_a_fingerprint_does_not_change_when_a_tombstone_vanishes() -> None:
    fleet = a_fleet(an_app())
    with_tombstone = plan_fleet(fleet, observe(a_row(status="Deleted")), options())
    without = plan_fleet(fleet, observe(), options())
    assert with_tombstone.changes[0].before is not None
    assert with_tombstone.fingerprint == without.fingerprint


def test_a_fingerprint_changes_with_the_generation_that_would_be_replaced() -> None:
    fleet, wanted = a_fleet(an_app(image_arn="arn:new")), options(replace_on_drift=True)
    one, other = (plan_fleet(fleet, observe(a_row(created_at=at)), wanted) for at in (1.0, 2.0))
    assert [change.action for change in one.changes] == [Action.DELETE_THEN_CREATE]
    assert one.fingerprint != other.fingerprint


def test_a_fingerprint_is_pinned() -> None:
    """It is approved in one place and checked in another, so a release must not change it unawares."""
    assert PLAN.fingerprint == "sha256:81c4ff0ad3f77fb62ec4da666d5619de6696713955ba7cb8872621e6aa026cdd"
    assert replace(PLAN, decisions=(DRIFT,)).fingerprint != PLAN.fingerprint


def test_changes_and_drift_are_parts_of_the_decisions() -> None:
    assert PLAN.changes == (CREATE,)
    assert PLAN.drift == (DRIFT,)


def test_a_denied_plan_is_not_applyable() -> None:
    assert PLAN.applyable
    assert not replace(PLAN, denied=True).applyable


def test_the_summary_counts_actions_and_declared_apps() -> None:
    denied = Change(key_of(KERNEL), Action.NONE, Reason.DENIED, after=an_app(KERNEL))
    orphan = Change(key_of("lab/user/bob/Canvas/default"), Action.NONE, Reason.ORPHANED, a_row())
    plan = replace(PLAN, decisions=(CREATE, DRIFT, denied, orphan), unmanaged=3)
    assert plan.summary == {
        "create": 1,
        "delete_then_create": 0,
        "delete": 0,
        "adopt": 0,
        "none": 1,
        "unmanaged": 3,
        "denied": 1,
        "unknown": 0,
    }


def test_the_document() -> None:
    plan = replace(
        PLAN,
        lanes=(PlanLane("111122223333", "eu-west-1"),),
        selectors=(("team", "forecasting"), ("team", "vision"), ("user", "a*")),
        options=(("prune", "off"),),
        findings=(Finding("gpu", "advisory", LAB, "dear", "policies/gpu.toml:3"),),
        quotas=(QuotaLine("bucket", "quota", 10, 4, 3, Fits.YES),),
    )
    assert plan.to_json() == {
        "format_version": 1,
        "version": "",
        "fleet": "ml-platform",
        "made_at": "2026-11-24T01:00:00Z",
        "lanes": [{"account": "111122223333", "region": "eu-west-1", "endpoint": ""}],
        "inputs": {"fleet.toml": "a" * 64},
        "selectors": {"team": ["forecasting", "vision"], "user": ["a*"]},
        "options": {"prune": "off"},
        "fingerprint": PLAN.fingerprint,
        "complete": True,
        "applyable": True,
        "changes": [CREATE.to_json()],
        "drift": [DRIFT.to_json()],
        "findings": [
            {
                "rule": "gpu",
                "enforcement": "advisory",
                "key": LAB,
                "message": "dear",
                "source": "policies/gpu.toml:3",
            }
        ],
        "quotas": [
            {"bucket": "bucket", "quota": "quota", "value": 10, "used": 4, "wanted": 3, "fits": "yes", "code": ""},
        ],
        "cost": None,
        "forecast": None,
        "owners": [],
        "summary": {
            "create": 1,
            "delete_then_create": 0,
            "delete": 0,
            "adopt": 0,
            "none": 1,
            "unmanaged": 0,
            "denied": 0,
            "unknown": 0,
        },
    }


def test_plain_options_say_what_holds() -> None:
    assert dict(PlanOptions("2026-11-24T01:00:00Z", TODAY).pairs()) == {
        "adopt": "off",
        "allow_destructive": "",
        "prune": "off",
        "replace": "never",
        "replace_keys": "",
        "retry_quarantined": "off",
    }


def test_a_flag_or_the_policy_switches_prune_and_replace_on() -> None:
    for wanted in (
        options(prune=True, replace_on_drift=True, retry_quarantined=True),
        options(safety=Safety(prune=True, replace_on_drift=True), retry_quarantined=True),
    ):
        told = dict(wanted.pairs())
        assert (told["prune"], told["replace"], told["retry_quarantined"]) == ("on", "on-drift", "on")


def test_forced_keys_are_told_in_order() -> None:
    keys: frozenset[AppKey] = frozenset(map(key_of, (CANVAS, LAB)))
    assert dict(options(replace_keys=keys).pairs())["replace_keys"] == f"{LAB} {CANVAS}"


def test_there_may_be_room_where_nothing_is_said_of_the_bucket_and_in_what_is_left() -> None:
    g5, t3 = AppSpec("ml.g5.xlarge"), AppSpec("ml.t3.medium")
    told = options(bucket_room={QuotaBucket(*LANE, "JupyterLab", "ml.g5.xlarge"): Fits.NO})
    lab = an_app(LAB, "ml.g5.xlarge")
    assert not told.has_room(lab, t3)
    assert told.has_room(lab, g5), "the one that goes makes room"
    assert told.has_room(an_app(LAB, "ml.g5.xlarge", fallback=["ml.m5.large"]), t3)
    assert told.has_room(an_app("research/space/alice-lab/CodeEditor/default", "ml.g5.xlarge"), t3)
    assert replace(told, domain_lanes={}).has_room(lab, t3)


def test_a_training_plan_has_room_of_its_own() -> None:
    arn = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5"
    full = options(bucket_room={QuotaBucket(*LANE, "", "", arn): Fits.NO})
    on_plan = an_app(LAB, "ml.p5.48xlarge", training_plan_arn=arn)
    assert not full.has_room(on_plan, AppSpec("ml.p5.48xlarge"))
    assert full.has_room(on_plan, on_plan.spec)
    assert full.has_room(an_app(LAB, "ml.p5.48xlarge"), on_plan.spec)


def test_a_quota_shows_a_period_only_where_it_has_one() -> None:
    """A quota of the account always counts; a training plan can be used from one hour to another."""
    of_account = QuotaLine("111122223333/eu-west-1/JupyterLab/ml.t3.medium", "apps", 4, 1, 2, Fits.YES, "L-1")
    assert "period" not in of_account.to_json()
    of_plan = QuotaLine("111122223333/eu-west-1/training-plan/p5", "", 4, 1, 2, Fits.YES, period="Monday to Friday")
    assert of_plan.to_json() == {
        "bucket": "111122223333/eu-west-1/training-plan/p5",
        "quota": "",
        "value": 4,
        "used": 1,
        "wanted": 2,
        "fits": "yes",
        "code": "",
        "period": "Monday to Friday",
    }
