"""The least policy: what a fleet's files may make a run do, and on which domains."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from engine.core.bucket_url import BucketUrl
from engine.core.desired import DesiredOwner
from engine.core.iam import iam_policy, may_destroy
from engine.core.identity import Owner
from engine.core.settings import NotifyChannel, Safety, Settings
from tests.fleets import CANVAS, KERNEL, LAB, SOURCE, a_fleet, an_app

ROLE = "arn:aws:iam::111122223333:role/people"
ALICE = DesiredOwner(Owner("research", "user", "alice"), SOURCE, execution_role=ROLE)
SPACE = DesiredOwner(Owner("research", "space", "alice-lab"), SOURCE, owner_user="alice")


def by_sid(destroy: bool = False, settings: Settings | None = None, **more: Any) -> dict[str, Any]:
    fleet = replace(a_fleet(an_app(LAB)), **more)
    document = iam_policy(fleet, settings or Settings(), destroy=destroy)
    assert document["Version"] == "2012-10-17"
    assert all(statement["Effect"] == "Allow" for statement in document["Statement"])
    return {statement["Sid"]: statement for statement in document["Statement"]}


def test_a_plain_fleet_looks_and_creates_and_cannot_delete() -> None:
    found = by_sid()
    assert set(found) == {"LookAround", "ReadTags", "ReadQuotas", "Apps", "UserProfiles", "Spaces"}
    assert found["Apps"]["Action"] == [
        "sagemaker:AddTags", "sagemaker:CreateApp", "sagemaker:DescribeApp", "sagemaker:ListTags",
    ]  # fmt: skip
    assert found["Apps"]["Resource"] == [
        "arn:aws:sagemaker:eu-west-1:*:app/d-lab/*",
        "arn:aws:sagemaker:eu-west-1:*:app/d-research/*",
    ]
    assert found["UserProfiles"]["Action"] == ["sagemaker:DescribeUserProfile"]


def test_a_preflight_reads_what_the_fleet_names_and_nothing_else() -> None:
    here = "arn:aws:sagemaker:eu-west-1:111122223333"
    image, script = f"{here}:image/science", f"{here}:studio-lifecycle-config/setup"
    lab = an_app(LAB, image_version_arn=f"{here}:image-version/science/3", lifecycle_config_arn=script)
    fleet = replace(a_fleet(lab, an_app(CANVAS, None, lifecycle_config_arn="None")), owners=(ALICE,))
    for read_only in (True, False):
        document = iam_policy(fleet, Settings(), destroy=False, preflight=True, read_only=read_only)
        found = {one["Sid"]: (one["Action"], one["Resource"]) for one in document["Statement"]}
        assert found["Images"] == (
            ["sagemaker:DescribeImage", "sagemaker:DescribeImageVersion"],
            [image, f"{here}:image-version/science/*"],
        )
        assert found["LifecycleConfigs"] == (["sagemaker:DescribeStudioLifecycleConfig"], [script])
        assert found["ReadExecutionRoles"] == (["iam:GetRole"], [ROLE])
        assert found["Domains"][0] == ["sagemaker:DescribeDomain"]
    plain = iam_policy(a_fleet(an_app(LAB)), Settings(), destroy=False, preflight=True)
    assert {"Images", "LifecycleConfigs", "ReadExecutionRoles"}.isdisjoint(one["Sid"] for one in plain["Statement"])


def test_the_topics_of_the_policies_are_published_to_by_what_applies_alone() -> None:
    topic = "arn:aws:sns:eu-west-1:111122223333:ml-platform"
    channels = (NotifyChannel(frozenset(), sns=topic), NotifyChannel(frozenset(), command=("page",)))
    settings = Settings(notify=channels)
    assert by_sid(settings=settings)["Notify"] == {
        "Sid": "Notify", "Effect": "Allow", "Action": ["sns:Publish"], "Resource": [topic],
    }  # fmt: skip
    document = iam_policy(a_fleet(an_app(LAB)), settings, destroy=False, read_only=True)
    assert "Notify" not in {statement["Sid"] for statement in document["Statement"]}


def test_a_shared_state_needs_its_bucket_and_a_look_writes_nothing_there() -> None:
    fleet, state = a_fleet(an_app(LAB)), BucketUrl("acme-appfleet", "prod/")

    def own(**more: Any) -> dict[str, Any]:
        statements = iam_policy(fleet, Settings(), destroy=False, **more)["Statement"]
        return {one["Sid"]: one for one in statements if "State" in one["Sid"]}

    found, under = own(state=state), f"prod/{fleet.name}/*"
    assert found["ListState"]["Condition"] == {"StringLike": {"s3:prefix": [under]}}
    assert found["State"]["Action"] == ["s3:GetObject", "s3:PutObject"]
    assert found["State"]["Resource"] == [f"arn:aws:s3:::acme-appfleet/{under}"]
    assert found["StateBucket"]["Resource"] == ["arn:aws:s3:::acme-appfleet"]
    looking = own(state=state, read_only=True)
    assert (set(looking), looking["State"]["Action"]) == ({"ListState", "State"}, ["s3:GetObject"])
    assert own() == {}


def test_deleting_is_a_right_of_its_own() -> None:
    assert "sagemaker:DeleteApp" in by_sid(destroy=True)["Apps"]["Action"]


def test_reading_the_price_list_is_a_right_of_its_own() -> None:
    assert "ReadPrices" not in by_sid()
    document = iam_policy(a_fleet(an_app(LAB)), Settings(), destroy=False, prices=True)
    assert {"Sid": "ReadPrices", "Effect": "Allow", "Action": ["pricing:GetProducts"], "Resource": ["*"]} in document[
        "Statement"
    ]


def test_a_fleet_that_makes_its_owners_may_and_passes_their_roles_alone() -> None:
    found = by_sid(settings=Settings(create_owners=True), owners=(SPACE, ALICE))
    assert found["UserProfiles"]["Action"] == [
        "sagemaker:AddTags", "sagemaker:CreateUserProfile", "sagemaker:DescribeUserProfile",
    ]  # fmt: skip
    assert found["Spaces"]["Resource"] == ["arn:aws:sagemaker:eu-west-1:*:space/d-research/*"]
    assert found["Domains"]["Resource"][1] == "arn:aws:sagemaker:eu-west-1:*:domain/d-research"
    assert found["PassExecutionRoles"]["Resource"] == [ROLE]
    assert found["PassExecutionRoles"]["Condition"] == {
        "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
    }


def test_what_is_updated_has_its_tags_read_by_the_plan_as_well() -> None:
    settings = Settings(update_owners=True)
    found = by_sid(settings=settings, owners=(SPACE, ALICE))
    assert found["Spaces"]["Action"] == ["sagemaker:DescribeSpace", "sagemaker:ListTags", "sagemaker:UpdateSpace"]
    assert "sagemaker:ListTags" in found["UserProfiles"]["Action"]
    fleet = replace(a_fleet(an_app(LAB)), owners=(SPACE, ALICE))
    document = iam_policy(fleet, settings, destroy=False, read_only=True)
    looking = {statement["Sid"]: statement["Action"] for statement in document["Statement"]}
    assert looking["Spaces"] == ["sagemaker:DescribeSpace", "sagemaker:ListTags"]


def test_the_default_of_a_space_follows_its_app_whatever_is_updated() -> None:
    lab = replace(SPACE, app_type="JupyterLab")
    found = by_sid(owners=(lab, ALICE))
    assert found["Spaces"]["Action"] == ["sagemaker:DescribeSpace", "sagemaker:ListTags", "sagemaker:UpdateSpace"]
    assert found["UserProfiles"]["Action"] == ["sagemaker:DescribeUserProfile"]


def test_letting_people_go_is_a_right_of_its_own() -> None:
    document = iam_policy(a_fleet(an_app(LAB)), Settings(), destroy=False, offboard=True)
    found = {statement["Sid"]: statement["Action"] for statement in document["Statement"]}
    assert {"sagemaker:DeleteSpace", "sagemaker:ListTags", "sagemaker:UpdateSpace"} <= set(found["Spaces"])
    assert "sagemaker:DeleteUserProfile" in found["UserProfiles"]
    assert "sagemaker:DeleteApp" in found["Apps"]
    assert "sagemaker:DeleteSpace" not in by_sid(destroy=True)["Spaces"]["Action"]


ASSIGNS = Settings(create_owners=True, assign_users=True)


def test_a_fleet_that_assigns_users_may_find_and_assign_them() -> None:
    found = by_sid(settings=ASSIGNS, owners=(ALICE,))
    assert found["FindUsers"]["Action"] == ["identitystore:GetUserId", "sso:ListInstances"]
    assert found["AssignUsers"]["Action"] == ["sso:CreateApplicationAssignment"]
    assert found["AssignUsers"]["Resource"] == ["arn:aws:sso::*:application/*"]
    for settings in (
        Settings(create_owners=True),
        Settings(assign_users=True),
    ):  # only new profiles have users assigned
        assert not by_sid(settings=settings, owners=(ALICE,)).keys() & {"FindUsers", "AssignUsers"}


def test_without_execution_roles_none_is_passed() -> None:
    assert "PassExecutionRoles" not in by_sid(settings=Settings(create_owners=True), owners=(SPACE,))


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("us-east-1", "aws")]
)
def test_partitions_and_accounts_stand_in_the_resources(region: str, partition: str) -> None:
    (domain,) = a_fleet(domains=["research"]).domains
    domain = replace(domain, region=region, account="111122223333")
    assert by_sid(domains=(domain,))["Apps"]["Resource"] == [
        f"arn:{partition}:sagemaker:{region}:111122223333:app/d-research/*"
    ]


@pytest.mark.parametrize(
    ("app", "safety", "destroys"),
    [
        (an_app(LAB), Safety(), False),
        (an_app(LAB, mode="absent"), Safety(), True),
        (an_app(LAB, expires=date(2026, 12, 31)), Safety(), True),
        (an_app(LAB), Safety(prune=True), True),
        (an_app(LAB), Safety(replace_on_drift=True), True),
    ],
)
def test_what_makes_a_run_delete_without_a_flag(app: Any, safety: Safety, destroys: bool) -> None:
    assert may_destroy(a_fleet(app), Settings(safety=safety)) is destroys


def test_looking_makes_nobody_and_passes_no_role() -> None:
    fleet = replace(a_fleet(an_app(LAB)), owners=(SPACE, ALICE))
    document = iam_policy(fleet, Settings(create_owners=True), destroy=True, read_only=True)
    found = {statement["Sid"]: statement["Action"] for statement in document["Statement"]}
    assert found["Apps"] == ["sagemaker:DescribeApp", "sagemaker:ListTags"]
    assert found["UserProfiles"] == ["sagemaker:DescribeUserProfile"]
    assert found["Domains"] == ["sagemaker:DescribeDomain"]
    assert "PassExecutionRoles" not in found


def test_looking_assigns_nobody() -> None:
    fleet = replace(a_fleet(an_app(LAB)), owners=(ALICE,))
    document = iam_policy(fleet, ASSIGNS, destroy=False, read_only=True)
    found = {statement["Sid"]: statement["Action"] for statement in document["Statement"]}
    assert found["FindUsers"] == ["sso:ListInstances"]
    assert "AssignUsers" not in found


P5, P6 = (f"arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p{number}" for number in (5, 6))


def test_a_training_plan_that_apps_name_may_be_read_and_no_other() -> None:
    """Each once. What nobody names is not asked about, and the text that clears one names none."""
    apps = (
        an_app(LAB, training_plan_arn=P6),
        an_app(CANVAS, training_plan_arn=P5),
        an_app(KERNEL, training_plan_arn=P5),
    )
    found = by_sid(apps=apps)["TrainingPlans"]
    assert (found["Action"], found["Resource"]) == (["sagemaker:DescribeTrainingPlan"], [P5, P6])
    for named in (None, "None"):
        assert "TrainingPlans" not in by_sid(apps=(an_app(LAB, training_plan_arn=named),))
