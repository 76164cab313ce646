"""What every implementation of the cloud port promises, on the same world."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core import errors
from engine.core.activity import Activity
from engine.core.desired import AppSpec
from engine.core.limits import LIST_PAGE_MAX_ROWS, TOMBSTONE_SECONDS
from engine.core.quota_text import bucket_of_quota
from engine.core.reserved import TrainingPlan
from engine.ports.cloud import AppDetail, AppName, TaggedPage
from engine.simulator.service import app_operations
from engine.simulator.world import quotas
from engine.simulator.world.faults import FailureRule, FaultKind
from engine.simulator.world.quotas import Wording
from engine.simulator.world.records import app_id
from engine.simulator.world.request_limit import RequestLimit
from engine.simulator.world.training_plans import training_plan
from tests.contract.conftest import ACCOUNT, DOMAIN_ID, START, Contract, canvas, kernel, lab

ARN = f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:app/{DOMAIN_ID}/alice-lab/jupyterlab/default"


async def status_of(contract: Contract, app: AppName) -> str:
    return (await contract.cloud.describe_app(app)).row.status


async def test_the_caller_is_the_account_of_the_world(contract: Contract) -> None:
    caller = await contract.cloud.caller()
    assert caller.account == ACCOUNT
    assert caller.arn.startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/")


async def test_an_app_lives_from_pending_to_deleted_and_is_forgotten_after_a_day(contract: Contract) -> None:
    assert await contract.create(lab()) == ARN
    assert await status_of(contract, lab()) == "Pending"
    contract.pass_time(2.0)
    assert await status_of(contract, lab()) == "InService"
    await contract.cloud.delete_app(lab())
    assert await status_of(contract, lab()) == "Deleting"
    contract.pass_time(3.0)
    assert await status_of(contract, lab()) == "Deleted"
    contract.pass_time(TOMBSTONE_SECONDS - 1)
    assert await status_of(contract, lab()) == "Deleted"
    contract.pass_time(1.0)
    with pytest.raises(errors.NotFound):
        await contract.cloud.describe_app(lab())


async def test_a_row_tells_owner_type_name_creation_time_and_spec(contract: Contract) -> None:
    image = f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:image/lab"
    spec = AppSpec(
        instance_type="ml.g5.xlarge",
        image_arn=image,
        image_version_alias="1.2",
        lifecycle_config_arn="None",
        recovery_mode=True,
    )
    await contract.cloud.create_app(lab(), spec, (("appfleet:fleet", "ml"),))
    page = await contract.cloud.list_apps(DOMAIN_ID)
    (row,) = page.rows
    assert (row.owner_kind, row.owner, row.app_type, row.app_name) == ("space", "alice-lab", "JupyterLab", "default")
    assert row.created_at == START
    assert row.spec == AppSpec(
        instance_type="ml.g5.xlarge", image_arn=image, image_version_alias="1.2", lifecycle_config_arn="None"
    )
    assert page.next_token == ""


async def test_a_user_and_a_space_are_told_apart(contract: Contract) -> None:
    await contract.create(canvas(), None)
    await contract.create(lab())
    rows = (await contract.cloud.list_apps(DOMAIN_ID)).rows
    assert [(row.owner_kind, row.owner) for row in rows] == [("user", "alice"), ("space", "alice-lab")]
    of_user = (await contract.cloud.list_apps(DOMAIN_ID, owner_kind="user", owner="alice")).rows
    assert [row.app_type for row in of_user] == ["Canvas"]
    of_space = (await contract.cloud.list_apps(DOMAIN_ID, owner_kind="space", owner="alice-lab")).rows
    assert [row.app_type for row in of_space] == ["JupyterLab"]


async def test_a_description_adds_the_arn_and_the_reason_of_a_failure(contract: Contract) -> None:
    contract.world.failures = [FailureRule("capacity", instance_type="ml.p5.*")]
    await contract.create(lab(), "ml.p5.48xlarge")
    contract.pass_time(2.0)
    detail = await contract.cloud.describe_app(lab())
    assert isinstance(detail, AppDetail)
    assert detail.arn == ARN
    assert detail.row.status == "Failed"
    assert detail.failure_reason.startswith("EC2InsufficientCapacityError: Instance type 'ml.p5.48xlarge'")


async def test_a_description_tells_when_somebody_last_worked_in_an_app(contract: Contract) -> None:
    await contract.create(lab())
    assert (await contract.cloud.describe_app(lab())).activity == Activity()
    contract.pass_time(400.0)
    made_at = (await contract.cloud.describe_app(lab())).row.created_at
    assert (await contract.cloud.describe_app(lab())).activity == Activity(made_at + 300.0, made_at + 300.0)
    next(iter(contract.world.apps.values())).used_until = made_at + 1_000.0
    assert (await contract.cloud.describe_app(lab())).activity == Activity(made_at + 400.0, made_at + 300.0)


async def test_pages_hold_a_hundred_rows_and_their_tokens_stay_valid_while_rows_are_added(contract: Contract) -> None:
    contract.world.quotas.apps_per_bucket = 1_000
    domain = contract.world.domains[DOMAIN_ID]
    from engine.simulator.service import app_operations, owner_operations
    from engine.simulator.world.records import app_id

    for number in range(205):
        user = f"user-{number}"
        owner_operations.create_profile(contract.world, domain, user, at_once=True)
        key = app_id(DOMAIN_ID, "user", user, "Canvas", "default")
        app_operations.place_app(contract.world, domain, key, user, AppSpec(), {}, "InService")
    first = await contract.cloud.list_apps(DOMAIN_ID)
    assert len(first.rows) == 100
    await contract.create(lab())
    second = await contract.cloud.list_apps(DOMAIN_ID, token=first.next_token)
    third = await contract.cloud.list_apps(DOMAIN_ID, token=second.next_token)
    rows = (*first.rows, *second.rows, *third.rows)
    assert third.next_token == ""
    assert len({(row.owner, row.app_type) for row in rows}) == len(rows) == 206
    assert rows[-1].owner == "alice-lab"


async def test_a_token_of_another_listing_is_refused(contract: Contract) -> None:
    with pytest.raises(errors.ScanIncomplete):
        await contract.cloud.list_apps(DOMAIN_ID, token="bm90IGEgdG9rZW4=")


async def test_a_domain_without_apps_is_an_empty_page(contract: Contract) -> None:
    page = await contract.cloud.list_apps(DOMAIN_ID)
    assert (page.rows, page.next_token) == ((), "")


async def test_an_unknown_domain_is_not_found(contract: Contract) -> None:
    with pytest.raises(errors.NotFound):
        await contract.cloud.list_apps("d-nowhere")
    with pytest.raises(errors.NotFound):
        await contract.create(AppName("d-nowhere", "space", "x", "JupyterLab", "default"))


async def test_an_unknown_owner_is_not_found(contract: Contract) -> None:
    with pytest.raises(errors.NotFound):
        await contract.create(lab("nobodys-lab"))
    with pytest.raises(errors.NotFound):
        await contract.create(canvas("nobody"), None)


@pytest.mark.parametrize("seconds", [0.0, 2.0])
async def test_a_live_key_is_in_use(contract: Contract, seconds: float) -> None:
    await contract.create(lab())
    contract.pass_time(seconds)
    with pytest.raises(errors.InUse):
        await contract.create(lab())
    assert contract.world.stats.create_for_live_key.total() == 1


async def test_a_key_that_is_deleting_is_in_use_until_it_is_deleted(contract: Contract) -> None:
    await contract.create(lab())
    contract.pass_time(2.0)
    await contract.cloud.delete_app(lab())
    with pytest.raises(errors.InUse):
        await contract.create(lab())
    contract.pass_time(3.0)
    assert await contract.create(lab()) == ARN
    rows = (await contract.cloud.list_apps(DOMAIN_ID)).rows
    assert [(row.status, row.created_at) for row in rows] == [("Pending", START + 5.0)]


async def test_a_failed_app_can_be_made_again(contract: Contract) -> None:
    contract.world.failures = [FailureRule("internal")]
    await contract.create(lab())
    contract.pass_time(2.0)
    contract.world.failures = []
    assert await contract.create(lab()) == ARN


async def test_a_volume_that_is_not_attached_yet_is_told_apart(contract: Contract) -> None:
    contract.world.domains[DOMAIN_ID].spaces["alice-lab"].storage_ready_at = START + 10
    with pytest.raises(errors.StorageNotReady):
        await contract.create(lab())
    contract.pass_time(10.0)
    assert await contract.create(lab()) == ARN


async def test_an_owner_that_is_not_in_service_yet_is_told_apart(contract: Contract) -> None:
    contract.world.domains[DOMAIN_ID].spaces["alice-lab"].status = "Updating"
    with pytest.raises(errors.StorageNotReady):
        await contract.create(lab())


@pytest.mark.parametrize("wording", list(Wording))
async def test_a_full_quota_tells_its_name_value_and_use_in_every_wording(contract: Contract, wording: Wording) -> None:
    name = quotas.bucket_quota_name("JupyterLab", "ml.t3.medium")
    contract.world.quotas.wording = wording
    contract.world.quotas.set(name, 1)
    await contract.create(lab())
    with pytest.raises(errors.QuotaExceeded) as caught:
        await contract.create(lab("bob-lab"))
    facts = caught.value.facts
    assert (facts.value, facts.used, facts.requested, facts.never_fits) == (1, 1, 1, False)
    if wording is Wording.UNNAMED:
        assert facts.quota == ""
    else:
        assert bucket_of_quota(facts.quota) == ("JupyterLab", "ml.t3.medium")


async def test_large_quotas_are_read_with_their_commas(contract: Contract) -> None:
    contract.world.quotas.wording = Wording.THOUSANDS
    contract.world.quotas.running_apps = 1_234
    contract.world.running[ACCOUNT, "eu-west-1"] = 1_234
    with pytest.raises(errors.QuotaExceeded) as caught:
        await contract.create(lab())
    facts = caught.value.facts
    assert (facts.quota, facts.value, facts.used) == (quotas.RUNNING_APPS, 1_234, 1_234)


async def test_a_quota_of_zero_never_fits(contract: Contract) -> None:
    contract.world.quotas.set(quotas.bucket_quota_name("JupyterLab", "ml.g5.xlarge"), 0)
    with pytest.raises(errors.QuotaExceeded) as caught:
        await contract.create(lab(), "ml.g5.xlarge")
    assert caught.value.facts.never_fits


async def test_a_quota_of_zero_may_show_only_after_the_app_was_accepted(contract: Contract) -> None:
    contract.world.quotas.zero_is_refused = False
    contract.world.quotas.set(quotas.bucket_quota_name("JupyterLab", "ml.g5.xlarge"), 0)
    await contract.create(lab(), "ml.g5.xlarge")
    contract.pass_time(2.0)
    detail = await contract.cloud.describe_app(lab())
    assert detail.row.status == "Failed"
    assert "ResourceLimitExceeded" in detail.failure_reason


async def test_a_fifth_kernel_of_one_user_and_type_names_the_user(contract: Contract) -> None:
    for number in range(4):
        await contract.create(kernel(f"k{number}"))
    with pytest.raises(errors.QuotaExceeded) as caught:
        await contract.create(kernel("k4"))
    facts = caught.value.facts
    assert (facts.user_profile, facts.app_type, facts.instance_type) == ("alice", "KernelGateway", "ml.t3.medium")
    await contract.create(kernel("k4"), "ml.m5.large")
    await contract.create(kernel("k4", "bob"))


async def test_a_request_limit_throttles_and_refills(contract: Contract) -> None:
    contract.world.set_request_limit("CreateApp", RequestLimit(1.0, 1.0))
    await contract.create(lab())
    with pytest.raises(errors.Throttled):
        await contract.create(lab("bob-lab"))
    contract.pass_time(1.0)
    await contract.create(lab("bob-lab"))


@pytest.mark.parametrize(
    ("seconds_alive", "fails"), [(0.0, False), (2.0, True), (5.0, False)], ids=["absent", "failed", "deleted"]
)
async def test_deleting_what_is_gone_is_already_gone(contract: Contract, seconds_alive: float, fails: bool) -> None:
    if fails:
        contract.world.failures = [FailureRule("internal")]
    if seconds_alive:
        await contract.create(lab())
        contract.pass_time(2.0)
    if seconds_alive > 2.0:
        await contract.cloud.delete_app(lab())
        contract.pass_time(3.0)
    with pytest.raises(errors.AlreadyGone):
        await contract.cloud.delete_app(lab())


async def test_a_pending_app_cannot_be_deleted_yet(contract: Contract) -> None:
    await contract.create(lab())
    with pytest.raises(errors.InUse):
        await contract.cloud.delete_app(lab())


async def test_names_and_types_that_the_model_refuses_are_rejected(contract: Contract) -> None:
    for app in (
        AppName(DOMAIN_ID, "space", "alice-lab", "JupyterLab", "under_score"),
        AppName(DOMAIN_ID, "space", "alice-lab", "JupyterLab", "x" * 64),
        AppName(DOMAIN_ID, "space", "alice-lab", "Notebook", "default"),
        AppName(DOMAIN_ID, "user", "alice", "JupyterLab", "default"),
    ):
        with pytest.raises(errors.Rejected):
            await contract.create(app)
    with pytest.raises(errors.Rejected):
        await contract.create(lab(), "t3.medium")
    with pytest.raises(errors.Rejected):
        await contract.create(AppName(DOMAIN_ID, "user", "alice", "JupyterServer", "default"), "ml.t3.medium")


async def test_an_instance_type_that_the_model_does_not_know_yet_is_taken(contract: Contract) -> None:
    await contract.create(lab(), "ml.g9.2xlarge")
    (row,) = (await contract.cloud.list_apps(DOMAIN_ID)).rows
    assert row.spec.instance_type == "ml.g9.2xlarge"


async def test_system_on_a_kernel_gateway_becomes_a_real_type(contract: Contract) -> None:
    await contract.create(kernel("nightly"), "system")
    (row,) = (await contract.cloud.list_apps(DOMAIN_ID)).rows
    assert row.spec.instance_type == "ml.t3.medium"


async def test_tags_are_read_back_sorted_and_refused_once_the_app_is_gone(contract: Contract) -> None:
    contract.world.domains[DOMAIN_ID].tags["cost-center"] = "4711"
    arn = await contract.create(lab(), team="a", zone="b")
    assert await contract.cloud.list_tags(arn) == (("cost-center", "4711"), ("team", "a"), ("zone", "b"))
    contract.pass_time(2.0)
    await contract.cloud.delete_app(lab())
    contract.pass_time(3.0)
    with pytest.raises(errors.NotFound):
        await contract.cloud.list_tags(arn)


@pytest.mark.parametrize(
    ("kind", "error", "acted"),
    [
        (FaultKind.THROTTLE, errors.Throttled, False),
        (FaultKind.INTERNAL_ERROR, errors.OutcomeUnknown, False),
        (FaultKind.INTERNAL_ERROR_AFTER, errors.OutcomeUnknown, True),
        (FaultKind.UNAVAILABLE, errors.OutcomeUnknown, False),
        (FaultKind.RESET_BEFORE, errors.OutcomeUnknown, False),
        (FaultKind.RESET_AFTER, errors.OutcomeUnknown, True),
        (FaultKind.STALL_AFTER, errors.OutcomeUnknown, True),
        (FaultKind.GARBAGE_AFTER, errors.OutcomeUnknown, True),
        (FaultKind.EMPTY_AFTER, errors.OutcomeUnknown, True),
        (FaultKind.EXPIRED_CREDENTIALS, errors.CredentialsFailed, False),
        (FaultKind.ACCESS_DENIED, errors.AccessDenied, False),
    ],
    ids=lambda value: value.value if isinstance(value, FaultKind) else "",
)
async def test_a_fault_of_a_create_is_the_same_error_on_every_face(
    contract: Contract, kind: FaultKind, error: type[errors.CloudError], acted: bool
) -> None:
    contract.fault(kind, "CreateApp")
    with pytest.raises(error):
        await contract.create(lab())
    assert len((await contract.cloud.list_apps(DOMAIN_ID)).rows) == acted


@pytest.mark.parametrize("kind", [FaultKind.GARBAGE_AFTER, FaultKind.EMPTY_AFTER, FaultKind.RESET_AFTER])
async def test_a_listing_without_an_answer_is_never_an_empty_one(contract: Contract, kind: FaultKind) -> None:
    await contract.create(lab())
    contract.fault(kind, "ListApps")
    with pytest.raises(errors.OutcomeUnknown) as caught:
        await contract.cloud.list_apps(DOMAIN_ID)
    assert caught.value.unreadable is (kind is not FaultKind.RESET_AFTER)


async def test_a_listing_may_show_a_row_twice_or_not_at_all(contract: Contract) -> None:
    await contract.create(lab())
    await contract.create(lab("bob-lab"))
    contract.fault(FaultKind.DUPLICATE_ROWS, "ListApps")
    contract.fault(FaultKind.MISSING_ROWS, "ListApps")
    shown = [[row.owner for row in (await contract.cloud.list_apps(DOMAIN_ID)).rows] for _ in range(3)]
    assert shown == [["alice-lab", "bob-lab", "bob-lab"], ["alice-lab"], ["alice-lab", "bob-lab"]]


async def test_an_error_that_is_not_in_the_table_is_rejected_with_its_own_words(contract: Contract) -> None:
    contract.fault(FaultKind.ERROR, "CreateApp", code="TeapotException", message="short and stout")
    with pytest.raises(errors.Rejected, match="short and stout") as caught:
        await contract.create(lab())
    assert caught.value.service_code == "TeapotException"


async def test_the_index_of_tags_tells_the_fleet_of_each_app_and_pages(contract: Contract) -> None:
    first = await contract.create(lab(), **{"appfleet:fleet": "ml"})
    await contract.create(lab("bob-lab"), other="tag")
    page = await contract.cloud.tagged_resources("appfleet:fleet", ("app",))
    assert page == TaggedPage(((first, "ml"),), "")
    assert (await contract.cloud.tagged_resources("appfleet:fleet", ("user-profile", "space", "domain"))).values == ()
    for number in range(LIST_PAGE_MAX_ROWS):
        identity = app_id(DOMAIN_ID, "user", "alice", "KernelGateway", f"k{number}")
        domain, tags = contract.world.domains[DOMAIN_ID], {"appfleet:fleet": "ml"}
        spec = AppSpec(instance_type="ml.t3.medium")
        app_operations.place_app(contract.world, domain, identity, "alice", spec, tags, "InService")
    page = await contract.cloud.tagged_resources("appfleet:fleet", ("app",))
    rest = await contract.cloud.tagged_resources("appfleet:fleet", ("app",), token=page.next_token)
    assert (len(page.values), len(rest.values), rest.next_token) == (LIST_PAGE_MAX_ROWS, 1, "")


async def test_a_tag_that_is_added_is_listed_and_wins(contract: Contract) -> None:
    arn = await contract.create(lab(), **{"appfleet:fleet": "others", "team": "a"})
    await contract.cloud.add_tags(arn, (("appfleet:fleet", "ml"),))
    assert await contract.cloud.list_tags(arn) == (("appfleet:fleet", "ml"), ("team", "a"))
    with pytest.raises(errors.NotFound):
        await contract.cloud.add_tags(arn.replace("alice-lab", "nobody"), (("appfleet:fleet", "ml"),))


async def test_a_token_of_the_index_that_is_not_one_is_refused(contract: Contract) -> None:
    with pytest.raises(errors.Rejected):
        await contract.cloud.tagged_resources("appfleet:fleet", ("app",), token="nonsense")


PLAN = f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:training-plan/p5"
P5 = "ml.p5.48xlarge"


def reserve(contract: Contract, total: int = 1, **more: Any) -> None:
    contract.world.training_plans[PLAN] = training_plan(PLAN, (P5,), total, starts_at=START, **more)


async def test_an_app_takes_an_instance_of_its_training_plan_and_shows_the_plan(contract: Contract) -> None:
    reserve(contract, ends_at=START + 3_600.0)
    spec = AppSpec(instance_type=P5, training_plan_arn=PLAN)
    before = TrainingPlan(PLAN, "Active", 1, 1, START, START + 3_600.0, ("studio-apps",), (P5,))
    assert await contract.cloud.training_plan(PLAN) == before
    await contract.cloud.create_app(lab(), spec, ())
    assert (await contract.cloud.list_apps(DOMAIN_ID)).rows[0].spec == spec
    assert (await contract.cloud.describe_app(lab())).row.spec == spec
    assert await contract.cloud.training_plan(PLAN) == replace(before, available=0)
    with pytest.raises(errors.QuotaExceeded) as full:
        await contract.cloud.create_app(lab("bob-lab"), spec, ())
    assert (full.value.facts.quota, full.value.facts.value) == ("", None)
    contract.pass_time(2.0)
    await contract.cloud.delete_app(lab())
    contract.pass_time(3.0)
    await contract.cloud.create_app(lab("bob-lab"), spec, ())


async def test_a_full_plan_says_so_late_where_it_is_not_refused(contract: Contract) -> None:
    reserve(contract, total=0, full_is_refused=False)
    await contract.cloud.create_app(lab(), AppSpec(instance_type=P5, training_plan_arn=PLAN), ())
    contract.pass_time(2.0)
    detail = await contract.cloud.describe_app(lab())
    assert (detail.row.status, "EC2InsufficientCapacityError" in detail.failure_reason) == ("Failed", True)


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"ends_at": START}, errors.Rejected),
        ({"targets": ("training-job",)}, errors.Rejected),
        ({"instance_types": ("ml.p4d.24xlarge",)}, errors.Rejected),
        (None, errors.NotFound),
    ],
)
async def test_an_app_that_its_plan_cannot_run_is_refused_with_what_to_check(
    contract: Contract, changed: dict[str, Any] | None, kind: type[errors.CloudError]
) -> None:
    if changed is not None:
        reserve(contract)
        for name, value in changed.items():
            setattr(contract.world.training_plans[PLAN], name, value)
    with pytest.raises(kind) as refused:
        await contract.cloud.create_app(lab(), AppSpec(instance_type=P5, training_plan_arn=PLAN), ())
    assert "Check training_plan_arn in fleet.toml" in refused.value.hint


async def test_a_plan_that_nobody_has_is_not_found(contract: Contract) -> None:
    with pytest.raises(errors.NotFound):
        await contract.cloud.training_plan(PLAN)


async def test_an_app_is_detached_from_the_plan_that_its_space_has_by_default(contract: Contract) -> None:
    reserve(contract)
    space = contract.world.domains[DOMAIN_ID].spaces["alice-lab"]
    space.settings["JupyterLabAppSettings"] = {"DefaultResourceSpec": {"TrainingPlanArn": PLAN, "InstanceType": P5}}
    await contract.cloud.create_app(lab(), AppSpec(training_plan_arn="None"), ())
    assert (await contract.cloud.list_apps(DOMAIN_ID)).rows[0].spec == AppSpec(instance_type=P5)
    contract.pass_time(2.0)
    await contract.cloud.delete_app(lab())
    contract.pass_time(3.0)
    await contract.cloud.create_app(lab(), AppSpec(), ())
    (row,) = [one for one in (await contract.cloud.list_apps(DOMAIN_ID)).rows if one.status == "Pending"]
    assert row.spec == AppSpec(instance_type=P5, training_plan_arn=PLAN)
