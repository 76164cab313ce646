"""CreateApp, DescribeApp, DeleteApp and ListApps: rules, texts and life."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.desired import AppSpec
from engine.core.errors import CloudError, NoCapacity, Rejected
from engine.core.identity import Lane
from engine.core.limits import TOMBSTONE_SECONDS
from engine.core.service_errors import failure_from_reason
from engine.simulator.service import app_operations as apps
from engine.simulator.service import owner_operations as owners
from engine.simulator.world.faults import FailureRule
from engine.simulator.world.records import app_id
from engine.simulator.world.service_error import ServiceError
from engine.simulator.world.world import Timing
from tests.unit.simulator.worlds import (
    ACCOUNT,
    DOMAIN_ID,
    LANE,
    REGION,
    START,
    add_space,
    call,
    create,
    lab_key,
    make_world,
    pass_time,
    statuses,
    the_domain,
)


def refused(world: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        create(world, *args, **more)
    return f"{caught.value.code}: {caught.value.message}"


@pytest.mark.parametrize("app_type", ["JupyterLab", "CodeEditor"])
def test_lab_and_editor_need_a_space(app_type: str) -> None:
    assert "requires a SpaceName" in refused(make_world(), app_type, user="alice")


@pytest.mark.parametrize("app_type", ["Canvas", "TensorBoard", "DetailedProfiler", "RSessionGateway"])
def test_apps_of_users_are_not_taken_in_a_space(app_type: str) -> None:
    assert "is not supported in a private space" in refused(make_world(), app_type)


def test_a_shared_space_takes_classic_apps_and_a_private_one_does_not() -> None:
    world = make_world()
    add_space(world, "team", None, "Shared")
    assert create(world, "JupyterServer", space="team").bucket.instance_type == "system"
    assert "KernelGateway] is not supported in a private space" in refused(
        world, "KernelGateway", instance_type="ml.t3.medium"
    )


def test_an_app_type_must_be_that_of_its_space() -> None:
    assert "does not match AppType [JupyterLab] of Space [alice-lab]" in refused(make_world(), "CodeEditor")


def test_a_space_without_an_app_type_takes_either() -> None:
    world = make_world()
    add_space(world, "free", None)
    assert create(world, "CodeEditor", space="free").status == "Pending"


def test_a_space_runs_one_application() -> None:
    world = make_world()
    create(world)
    assert refused(world, name="second") == (
        "ResourceInUse: Space [alice-lab] already has an app; a space runs one application."
    )


def test_rstudio_belongs_to_the_pseudo_profile_of_the_domain() -> None:
    world = make_world()
    assert create(world, "RStudioServerPro", user="domain-shared").status == "Pending"
    assert "belong to the user profile [domain-shared]" in refused(world, "RStudioServerPro", user="alice")


def test_a_profile_is_found_whatever_the_case_of_its_name() -> None:
    world = make_world()
    create(world, "Canvas", user="ALICE")
    assert refused(world, "Canvas", user="alice").startswith(
        "ResourceInUse: App [default] of AppType [Canvas] is in Pe"
    )


@pytest.mark.parametrize(
    ("app_type", "asked", "given"),
    [
        ("JupyterLab", None, "ml.t3.medium"),
        ("JupyterServer", None, "system"),
        ("JupyterServer", "system", "system"),
        ("Canvas", None, "system"),
        ("KernelGateway", "system", "ml.t3.medium"),
        ("KernelGateway", "ml.m5.large", "ml.m5.large"),
        ("RSessionGateway", None, "ml.t3.medium"),
    ],
)
def test_the_instance_type_that_an_app_gets(app_type: str, asked: str | None, given: str) -> None:
    owner = {} if app_type == "JupyterLab" else {"user": "alice"}
    app = create(make_world(), app_type, instance_type=asked, **owner)
    assert app.spec.instance_type == given


@pytest.mark.parametrize(
    ("app_type", "asked", "text"),
    [
        ("JupyterServer", "ml.t3.medium", "not valid for AppType [JupyterServer]: use system"),
        ("JupyterLab", "system", "InstanceType [system] is not valid for AppType [JupyterLab]"),
        ("KernelGateway", None, "InstanceType must be specified for AppType [KernelGateway]"),
    ],
)
def test_instance_types_that_are_refused(app_type: str, asked: str | None, text: str) -> None:
    owner = {} if app_type == "JupyterLab" else {"user": "alice"}
    assert text in refused(make_world(), app_type, instance_type=asked, **owner)


def test_an_instance_type_comes_from_the_owner_and_then_from_the_domain() -> None:
    world = make_world()
    domain = the_domain(world)
    domain.user_settings = {"KernelGatewayAppSettings": {"DefaultResourceSpec": {"InstanceType": "ml.m5.large"}}}
    assert create(world, "KernelGateway", user="alice", name="a").spec.instance_type == "ml.m5.large"
    settings = {"KernelGatewayAppSettings": {"DefaultResourceSpec": {"InstanceType": "ml.c5.large"}}}
    domain.profiles["alice"].settings = settings
    assert create(world, "KernelGateway", user="alice", name="b").spec.instance_type == "ml.c5.large"
    domain.space_settings = {"JupyterLabAppSettings": {"DefaultResourceSpec": {"InstanceType": "ml.g5.xlarge"}}}
    assert create(world).spec.instance_type == "ml.g5.xlarge"


def test_an_owner_that_is_not_there_or_not_ready() -> None:
    world = make_world()
    assert refused(world, space="gone") == "ResourceNotFound: Space [gone] does not exist in Domain [d-abc]."
    assert refused(world, "Canvas", user="gone").startswith("ResourceNotFound: UserProfile [gone] does not exist")
    call(world, "CreateUserProfile", DomainId=DOMAIN_ID, UserProfileName="bob")
    assert refused(world, "Canvas", user="bob") == (
        "ValidationException: Unable to create App [default] because UserProfile [bob] is not in InService status."
    )


def test_a_volume_takes_its_time_after_the_space_is_in_service() -> None:
    world = make_world(timing=Timing(space_pending=(1.0, 1.0), space_storage=(5.0, 5.0)))
    call(world, "CreateSpace", DomainId=DOMAIN_ID, SpaceName="fresh")
    pass_time(world, 1.0)
    assert refused(world, space="fresh") == (
        "ResourceInUse: Unable to create app [default] because storage is not in Available status"
    )
    pass_time(world, 5.0)
    assert create(world, space="fresh").status == "Pending"


def test_the_texts_of_a_delete_that_comes_too_early_or_too_late() -> None:
    world = make_world()

    def refusal() -> str:
        with pytest.raises(ServiceError) as caught:
            apps.delete_app(world, lab_key())
        return f"{caught.value.code}: {caught.value.message}"

    assert refusal() == "ValidationException: App [default] does not exist."
    world.failures = [FailureRule("internal")]
    create(world)
    assert refusal().startswith("ResourceInUse: App [default] is in Pending status")
    pass_time(world, 2.0)
    assert refusal().startswith(
        "ValidationException: App [default] previously failed and was automatically deleted. For tracking purposes, "
    )
    world.failures = []
    create(world)
    pass_time(world, 2.0)
    apps.delete_app(world, lab_key())
    apps.delete_app(world, lab_key())
    pass_time(world, 3.0)
    assert refusal().startswith("ValidationException: App [default] has already been deleted.")


def test_a_record_of_a_dead_app_is_kept_for_exactly_a_day() -> None:
    world = make_world()
    create(world)
    pass_time(world, 2.0)
    apps.delete_app(world, lab_key())
    pass_time(world, 3.0)
    pass_time(world, TOMBSTONE_SECONDS - 0.001)
    assert statuses(world) == {"default": "Deleted"}
    pass_time(world, 0.001)
    assert statuses(world) == {}
    with pytest.raises(ServiceError, match="RecordNotFound"):
        apps.describe_app(world, lab_key())


@pytest.mark.parametrize(("keep", "shown"), [(False, ["Pending"]), (True, ["Deleted", "Pending"])])
def test_an_app_made_again_hides_its_tombstone_unless_the_world_keeps_both(keep: bool, shown: list[str]) -> None:
    world = make_world()
    world.keep_replaced_rows = keep
    create(world)
    pass_time(world, 2.0)
    apps.delete_app(world, lab_key())
    pass_time(world, 3.0)
    create(world)
    rows, _ = apps.list_apps(world, LANE, domain_id=DOMAIN_ID)
    assert [row.status for row in rows] == shown
    pass_time(world, TOMBSTONE_SECONDS)
    rows, _ = apps.list_apps(world, LANE, domain_id=DOMAIN_ID)
    assert [row.status for row in rows] == ["InService"]
    assert apps.describe_app(world, lab_key()).created_at == START + 5.0


def test_a_health_check_that_finds_nobody_at_work_sets_both_times_alike() -> None:
    world = make_world()
    app = create(world)
    assert apps.activity_of(world, app) == (0.0, 0.0)
    pass_time(world, 2.0)
    assert apps.activity_of(world, app) == (START, START)
    app.used_until = START + 700.0
    pass_time(world, 648.0)
    assert apps.activity_of(world, app) == (START + 650.0, START + 600.0)
    pass_time(world, 300.0)  # the check at 900 s finds that somebody was there since the one at 600 s
    assert apps.activity_of(world, app) == (START + 700.0, START + 900.0)
    pass_time(world, 300.0)
    assert apps.activity_of(world, app) == (START + 1_200.0, START + 1_200.0)
    apps.delete_app(world, lab_key())
    assert apps.activity_of(world, app) == (0.0, 0.0)


def test_failures_are_chosen_by_type_owner_and_lifecycle_and_say_why() -> None:
    world = make_world()
    world.failures = [
        FailureRule("capacity", instance_type="ml.p5.*"),
        FailureRule("lifecycle", lifecycle_config="arn:*broken"),
        FailureRule("silent", owner="bob*"),
        FailureRule("AccessDenied: no execution role", app_type="Canvas"),
    ]
    broken = "arn:aws:sagemaker:eu-west-1:111122223333:studio-lifecycle-config/broken"
    owners.create_profile(world, the_domain(world), "bobby", at_once=True)

    def reason(app_type: str, user: str, instance_type: str, lifecycle: str | None = None) -> tuple[str, str]:
        key = app_id(DOMAIN_ID, "user", user, app_type, f"n{world.next_seq()}")
        spec = AppSpec(instance_type=instance_type, lifecycle_config_arn=lifecycle)
        app = apps.create_app(world, the_domain(world), key, user, spec, {})
        pass_time(world, 2.0)
        return app.status, app.failure_reason

    assert reason("KernelGateway", "alice", "ml.p5.48xlarge")[1].startswith(
        "EC2InsufficientCapacityError: Instance type"
    )
    assert "LifecycleConfig execution failed" in reason("KernelGateway", "alice", "ml.m5.large", broken)[1]
    assert reason("KernelGateway", "bobby", "ml.m5.large") == ("Failed", "")
    assert reason("Canvas", "alice", "system") == ("Failed", "AccessDenied: no execution role")
    assert reason("KernelGateway", "alice", "ml.m5.large") == ("InService", "")


@pytest.mark.parametrize(
    ("word", "kind", "code"),
    [
        ("capacity", NoCapacity, "EC2InsufficientCapacityError"),
        ("lifecycle", Rejected, "LifecycleConfigFailed"),
        ("internal", Rejected, "InternalFailure"),
        ("silent", Rejected, "Failed"),
    ],
)
def test_the_engine_reads_each_reason_as_what_it_is(word: str, kind: type[CloudError], code: str) -> None:
    error = failure_from_reason(FailureRule(word).text("ml.g5.xlarge", REGION))
    assert (type(error), error.service_code) == (kind, code)


def test_an_app_can_be_stuck_in_pending_for_ever() -> None:
    world = make_world()
    world.failures = [FailureRule("stuck")]
    app = create(world)
    pass_time(world, 10 * TOMBSTONE_SECONDS)
    assert (app.status, app.failure_reason) == ("Pending", "")


def test_a_failure_can_be_a_matter_of_chance() -> None:
    world = make_world()
    world.failures = [FailureRule("internal", probability=0.5)]
    for number in range(40):
        create(world, "RSessionGateway", user="alice", name=f"n{number}")
    pass_time(world, 2.0)
    assert 5 < list(statuses(world).values()).count("Failed") < 35


def test_tags_of_the_domain_and_the_profile_reach_the_app_and_its_own_win() -> None:
    world = make_world()
    the_domain(world).tags = {"a": "domain", "b": "domain", "c": "domain"}
    the_domain(world).profiles["alice"].tags = {"b": "profile", "c": "profile"}
    assert create(world, "Canvas", user="alice", c="app").tags == {"a": "domain", "b": "profile", "c": "app"}
    assert create(world, c="app").tags == {"a": "domain", "b": "domain", "c": "app"}


def test_the_merged_tags_are_at_most_fifty() -> None:
    world = make_world()
    the_domain(world).tags = {f"k{number}": "" for number in range(50)}
    assert "The app would have 51 tags" in refused(world, mine="x")
    assert statuses(world) == {}


def test_a_listing_of_an_account_spans_its_domains_and_no_other_account() -> None:
    world = make_world()
    other = owners.add_domain(world, "d-other", REGION, ACCOUNT)
    foreign = owners.add_domain(world, "d-foreign", REGION, "999900001111")
    for domain in (other, foreign):
        owners.create_profile(world, domain, "alice", at_once=True)
        key = app_id(domain.domain_id, "user", "alice", "Canvas", "default")
        apps.place_app(world, domain, key, "alice", AppSpec(), {}, "InService")
    create(world)
    rows, token = apps.list_apps(world, LANE)
    assert ([row.key.domain_id for row in rows], token) == (["d-other", DOMAIN_ID], None)
    rows, _ = apps.list_apps(world, LANE, owner_kind="user", owner="Alice")
    assert [row.key.domain_id for row in rows] == ["d-other"]
    with pytest.raises(ServiceError, match="does not exist"):
        apps.list_apps(world, LANE, domain_id="d-foreign")
    with pytest.raises(ServiceError, match="does not exist"):
        apps.list_apps(world, Lane(ACCOUNT, "us-east-1"), domain_id=DOMAIN_ID)


def test_a_listing_can_run_from_the_youngest() -> None:
    world = make_world()
    for number in range(3):
        create(world, "RSessionGateway", user="alice", name=f"n{number}")
    names: list[str] = []
    token: str | None = None
    for _ in range(3):
        rows, token = apps.list_apps(world, LANE, domain_id=DOMAIN_ID, size=1, token=token, descending=True)
        names += [row.key.app_name for row in rows]
    assert (names, token) == (["n2", "n1", "n0"], None)


def test_a_request_names_exactly_one_owner() -> None:
    for user, space in ((None, None), ("a", "b")):
        with pytest.raises(ServiceError, match=r"UserProfileName (and|or) SpaceName"):
            apps.owner_of_request(user, space)


@pytest.mark.parametrize(
    ("status", "later"),
    [("InService", "InService"), ("Pending", "InService"), ("Deleting", "Deleted"), ("Failed", "Failed")],
)
def test_a_scenario_puts_an_app_at_any_point_of_its_life(status: str, later: str) -> None:
    world = make_world()
    app = apps.place_app(world, the_domain(world), lab_key(), "alice-lab", AppSpec(), {}, status)
    assert (app.status, world.bucket_usage[app.bucket]) == (status, int(status != "Failed"))
    pass_time(world, 3.0)
    assert app.status == later


def test_a_scenario_does_not_replace_an_app_that_is_alive() -> None:
    world = make_world()
    app = create(world)
    assert apps.place_app(world, the_domain(world), lab_key(), "alice-lab", AppSpec(), {}, "InService") is app
