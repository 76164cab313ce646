"""What a plan creates with, and what follows from what the service says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core.change import Action, Change, OwnerChange, OwnerReason, Reason
from engine.core.desired import DesiredApp, DesiredOwner
from engine.core.facts import Facts, Unknown
from engine.core.identity import Owner
from engine.core.needs import Kind, Need, needs_of, question_of
from engine.core.observed import ObservedFleet
from engine.core.plan import Plan
from engine.core.preflight import (
    RULE,
    UNCHECKED,
    Check,
    Preflight,
    Result,
    findings_of,
    judged,
    needed_by,
    trouble_of_faults,
    trouble_of_plan,
)
from engine.core.quota_fit import LaneQuotas, QuotaValue
from engine.core.quota_text import quota_name
from engine.core.reserved import TrainingPlan
from engine.ports.ingredients import DomainDefaults, ImageState
from tests.fleets import CANVAS, KERNEL, LAB, LANE, SOURCE, a_fleet, an_app

HERE = "arn:aws:sagemaker:eu-west-1:111122223333"
IMAGE, VERSION = f"{HERE}:image/science", f"{HERE}:image-version/science/3"
SCRIPT = f"{HERE}:studio-lifecycle-config/setup"
PLAN = f"{HERE}:training-plan/p5"
ROLE = "arn:aws:iam::111122223333:role/lab"
LANES = {"research": LANE}
FACTS = Facts(ObservedFleet({}))


def planned(
    *apps: DesiredApp, owners: tuple[DesiredOwner, ...] = (), reason: Reason = Reason.ABSENT
) -> dict[Need, list[str]]:
    action = Action.NONE if reason is Reason.TRAINING_PLAN else Action.CREATE
    plan = Plan("f", "2026-11-24T01:00:00Z", tuple(Change(app.key, action, reason, after=app) for app in apps))
    return needs_of(plan, replace(a_fleet(*apps), owners=owners), LANES)


def kinds(needs: dict[Need, list[str]]) -> list[tuple[str, str]]:
    return [(need.kind.value, need.domain) for need in needs]


def judge(need: Need, answer: Any = None, facts: Facts = FACTS) -> Check:
    question = question_of(need)
    (check,) = judged(
        {need: ["research/user/alice/Canvas/default"]}, {} if question is None else {question: answer}, facts, 1_000.0
    )
    return check


def test_each_distinct_thing_is_one_need_with_all_that_need_it() -> None:
    spec: dict[str, Any] = {"image_arn": IMAGE, "image_version_alias": "1.2", "lifecycle_config_arn": SCRIPT}
    other = LAB.replace("alice", "bob")
    needs = planned(an_app(LAB, **spec), an_app(other, fallback=("ml.g5.xlarge",), **spec))
    assert kinds(needs) == [
        ("image", ""),
        ("image", "research"),
        ("image version", ""),
        ("instance type", ""),
        ("instance type", ""),
        ("lifecycle configuration", ""),
        ("lifecycle configuration", "research"),
    ]
    assert [len(keys) for keys in needs.values()] == [2, 2, 2, 1, 2, 2, 2]
    questions = {question.operation: question for need in needs if (question := question_of(need)) is not None}
    assert sorted(questions) == [
        "DescribeDomain", "DescribeImage", "DescribeImageVersion", "DescribeStudioLifecycleConfig",
    ]  # fmt: skip
    assert questions["DescribeImageVersion"][2:] == ("science", None, "1.2")


def test_a_version_is_asked_about_by_its_number() -> None:
    needs = planned(an_app(KERNEL, image_version_arn=VERSION))
    (version,) = (need for need in needs if need.kind is Kind.VERSION)
    assert question_of(version) == ("DescribeImageVersion", LANE, "science", 3, "")
    assert version.shown == "version 3 of image science"


def test_what_is_not_created_needs_nothing() -> None:
    app = an_app(LAB, image_arn=IMAGE)
    plan = Plan("f", "2026-11-24T01:00:00Z", (Change(app.key, Action.NONE, Reason.IN_SYNC, after=app),))
    assert needs_of(plan, a_fleet(app), LANES) == {}
    assert needs_of(plan, a_fleet(app), {}) == {}
    assert planned(an_app(CANVAS, None, lifecycle_config_arn="None")) == {}


def test_an_app_on_a_training_plan_needs_the_plan_and_no_quota_also_where_it_was_left_out_for_it() -> None:
    app = an_app(LAB, "ml.p5.48xlarge", training_plan_arn=PLAN)
    for reason in (Reason.ABSENT, Reason.TRAINING_PLAN):
        (need,) = planned(app, reason=reason)
        assert (need.kind, need.instance_type) == (Kind.TRAINING_PLAN, "ml.p5.48xlarge")


def test_what_the_fleet_itself_attaches_to_its_people_is_not_asked_of_the_domain() -> None:
    settings = {"JupyterLabAppSettings": {"CustomImages": [{"ImageName": "science"}], "LifecycleConfigArns": [SCRIPT]}}
    alice = DesiredOwner(Owner("research", "user", "alice"), SOURCE, settings=settings, execution_role=ROLE)
    space = DesiredOwner(Owner("research", "space", "alice-lab"), SOURCE, owner_user="alice")
    needs = planned(an_app(LAB, image_arn=IMAGE, lifecycle_config_arn=SCRIPT), owners=(alice, space))
    assert ("execution role", "") in kinds(needs)
    assert all(domain == "" for _, domain in kinds(needs))


def test_the_role_of_a_profile_that_is_made_is_needed_without_an_app() -> None:
    alice = DesiredOwner(Owner("research", "user", "alice"), SOURCE, execution_role=ROLE)
    made = OwnerChange(alice.owner, Action.CREATE, OwnerReason.ABSENT, after=alice)
    updated = replace(made, action=Action.UPDATE)
    plan = Plan("f", "2026-11-24T01:00:00Z", (), owners=(made, updated))
    needs = needs_of(plan, replace(a_fleet(), owners=(alice,)), LANES)
    assert needs == {Need(Kind.ROLE, ROLE, LANE): ["research/user/alice"]}
    (check,) = judged(needs, {}, FACTS, 0.0)
    assert needed_by(check) == "1 user profile (research/user/alice)"


def test_an_image_of_another_account_is_not_attached_and_not_checked() -> None:
    theirs = IMAGE.replace("111122223333", "885854791233")
    (need, _) = planned(an_app(LAB, image_arn=theirs))
    assert question_of(need) is None
    check = judge(need)
    assert (check.result, check.why) == (
        Result.NOT_CHECKED, "it is of account 885854791233, and only account 111122223333 can be asked",
    )  # fmt: skip
    elsewhere = judge(Need(Kind.IMAGE, IMAGE.replace("eu-west-1", "eu-west-2"), LANE))
    assert elsewhere.why == "it is of region eu-west-2, and only eu-west-1 can be asked"
    assert judge(Need(Kind.IMAGE, "science", LANE)).why == "it has no ARN"


IMAGES = Need(Kind.IMAGE, IMAGE, LANE)
ATTACHED = Need(Kind.IMAGE, IMAGE, LANE, app_type="JupyterLab", domain="research")
SCRIPTS = Need(Kind.SCRIPT, SCRIPT, LANE, app_type="JupyterLab")
SCRIPT_ATTACHED = SCRIPTS._replace(domain="research")
NO_DEFAULTS = DomainDefaults({}, {})


@pytest.mark.parametrize(
    ("need", "answer", "result", "why"),
    [
        (IMAGES, ImageState("CREATED"), Result.OK, ""),
        (IMAGES, ImageState("UPDATE_FAILED"), Result.OK, ""),
        (IMAGES, None, Result.FAULT, "image science does not exist in account 111122223333, region eu-west-1"),
        (IMAGES, ImageState("CREATING"), Result.FAULT, "image science is being created"),
        (IMAGES, ImageState("CREATE_FAILED", "no"), Result.FAULT, "image science is CREATE_FAILED (no)"),
        (IMAGES, ImageState("RESTING"), Result.NOT_CHECKED, "it has the status RESTING, which appfleet does not know"),
        (IMAGES, Unknown("denied"), Result.NOT_CHECKED, "denied"),
        (SCRIPTS, "JupyterLab", Result.OK, ""),
        (
            SCRIPTS,
            "CodeEditor",
            Result.FAULT,
            "lifecycle configuration setup is for CodeEditor apps, and is set for JupyterLab apps",
        ),
        (Need(Kind.ROLE, ROLE, LANE), None, Result.FAULT, "execution role lab does not exist in account 111122223333"),
        (Need(Kind.ROLE, ROLE, LANE), ROLE, Result.OK, ""),
        (
            ATTACHED,
            NO_DEFAULTS,
            Result.FAULT,
            "image science is not attached to domain research for JupyterLab apps",
        ),
        (
            ATTACHED,
            DomainDefaults({}, {"JupyterLabAppSettings": {"CustomImages": [{"ImageName": "science"}]}}),
            Result.OK,
            "",
        ),
        (ATTACHED, DomainDefaults({"JupyterLabAppSettings": {"CustomImages": "odd"}}, {}), Result.FAULT, None),
        (ATTACHED, None, Result.NOT_CHECKED, "domain research does not exist"),
        (
            SCRIPT_ATTACHED,
            DomainDefaults({"JupyterLabAppSettings": {"LifecycleConfigArns": [SCRIPT]}}, {}),
            Result.OK,
            "",
        ),
        (SCRIPT_ATTACHED, NO_DEFAULTS, Result.FAULT, None),
    ],
)
def test_what_follows_from_an_answer(need: Need, answer: Any, result: Result, why: str | None) -> None:
    check = judge(need, answer)
    assert check.result is result
    assert why is None or check.why == why
    assert bool(check.hint) is (result is Result.FAULT)


def test_a_type_is_offered_where_its_region_has_a_quota_of_it() -> None:
    need = Need(Kind.TYPE, "ml.t3.medium", LANE, app_type="JupyterLab")
    there = {quota_name("JupyterLab", "ml.t3.medium"): QuotaValue("L-1", 0)}
    other = LANE._replace(account="222233334444")
    assert judge(need, facts=replace(FACTS, quotas={other: LaneQuotas(there)})).result is Result.OK
    missing = judge(need._replace(name="ml.g99.xlarge"), facts=replace(FACTS, quotas={LANE: LaneQuotas(there)}))
    assert missing.why == "ml.g99.xlarge is not offered for JupyterLab apps in region eu-west-1: it has no quota there"
    unread = judge(need, facts=replace(FACTS, quotas={LANE: LaneQuotas(unread_because="denied")}))
    assert (unread.result, unread.why) == (Result.NOT_CHECKED, "denied")
    assert judge(need).why == "the quotas were not read"


def test_a_training_plan_is_judged_by_what_the_plan_has_read() -> None:
    need = Need(Kind.TRAINING_PLAN, PLAN, LANE, instance_type="ml.p5.48xlarge")
    found = TrainingPlan(PLAN, "Active", instance_types=("ml.p4d.24xlarge",))
    read: dict[str, Any] = {
        "training plan p5 reserves ml.p4d.24xlarge, and not ml.p5.48xlarge": found,
        "training plan p5 does not exist in account 111122223333, region eu-west-1": None,
        "denied": Unknown("denied"),
        "": replace(found, instance_types=()),
    }
    for why, plan in read.items():
        assert judge(need, facts=replace(FACTS, training_plans={PLAN: plan})).why == why
    assert judge(need).why == "appfleet did not ask about it"


def a_check(result: Result, why: str = "", count: int = 1, name: str = IMAGE) -> Check:
    keys = tuple(f"research/user/u{number}/Canvas/default" for number in range(min(count, 3)))
    return Check(Need(Kind.IMAGE, name, LANE), result, count, keys, why, "Do it" if result is Result.FAULT else "")


def test_findings_name_each_fault_and_what_was_not_checked_by_its_reason() -> None:
    unknown = [a_check(Result.NOT_CHECKED, "denied", name=f"{HERE}:image/i{number}") for number in range(5)]
    found = findings_of([a_check(Result.OK), a_check(Result.FAULT, "image science is gone", 5), *unknown])
    assert [finding.rule for finding in found] == [RULE, UNCHECKED]
    assert found[0].message == (
        "image science is gone; 5 apps (research/user/u0/Canvas/default, research/user/u1/Canvas/default, "
        "research/user/u2/Canvas/default and 2 more) would fail. Do it"
    )
    assert found[1].message == "image i0, image i1, image i2 and 2 more were not checked: denied"
    (fine,) = findings_of([a_check(Result.OK)] * 2)
    assert fine.message == "preflight found all 2 things that the plan needs"
    assert findings_of([]) == ()


def test_the_document_and_the_trouble_of_a_preflight() -> None:
    found = Preflight("f", "2026-11-24T01:00:00Z", (), (a_check(Result.OK), a_check(Result.FAULT, "gone")))
    document = found.to_json()
    assert document["summary"] == {"ok": 1, "fault": 1, "not_checked": 0}
    assert document["checks"][1]["keys"] == ["research/user/u0/Canvas/default"]
    trouble = trouble_of_faults(found)
    assert trouble is not None
    assert trouble.message == "1 thing that the plan needs is missing or cannot be used"
    assert trouble_of_faults(replace(found, checks=found.checks[:1])) is None
    plan = Plan("f", "2026-11-24T01:00:00Z", (), findings=findings_of(found.checks))
    assert trouble_of_plan(plan) == trouble
    assert trouble_of_plan(replace(plan, findings=())) is None
