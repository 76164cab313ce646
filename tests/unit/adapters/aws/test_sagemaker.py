"""What is sent for each call, and what is read from an answer as the service gives it."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import orjson
import pytest

from engine.core.activity import Activity
from engine.core.desired import AppSpec
from engine.core.errors import (
    AlreadyGone,
    InUse,
    NotFound,
    OutcomeUnknown,
    QuotaExceeded,
    Rejected,
    ScanIncomplete,
)
from engine.core.identity import SPACE, USER
from engine.ports.cloud import AppName, AppRow, Caller
from tests.unit.adapters.aws.conftest import SESSION_TOKEN
from tests.unit.adapters.aws.hostile import APP, ARN, DOMAIN_ID, ROW, SPEC, Request, cloud_at, error, hostile, http

USER_APP = AppName(DOMAIN_ID, USER, "alice", "KernelGateway", "nightly")
IDENTITY = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    b"<Arn>arn:aws:iam::111122223333:user/ops</Arn><UserId>AIDA</UserId><Account>111122223333</Account>"
    b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


def body_of(request: Request) -> Any:
    return orjson.loads(request.body)


async def test_a_create_sends_what_is_declared_and_nothing_else() -> None:
    async with hostile(http(b'{"AppArn":"%s","New":1}' % ARN.encode())) as server, cloud_at(server.url) as cloud:
        assert await cloud.create_app(APP, SPEC, (("appfleet:fleet", "ml"), ("team", "x"))) == ARN
        spec = AppSpec(
            instance_type="ml.m5.large",
            image_arn="arn:i",
            image_version_arn="None",
            image_version_alias="1.0",
            lifecycle_config_arn="arn:l",
            training_plan_arn="arn:t",
            recovery_mode=False,
            tags=(("left", "aside"),),
        )
        await cloud.create_app(USER_APP, spec, ())
        await cloud.create_app(USER_APP, AppSpec(), ())
    assert body_of(server.requests[0]) == {
        "DomainId": DOMAIN_ID,
        "SpaceName": "alice-lab",
        "AppType": "JupyterLab",
        "AppName": "default",
        "ResourceSpec": {"InstanceType": "ml.t3.medium"},
        "Tags": [{"Key": "appfleet:fleet", "Value": "ml"}, {"Key": "team", "Value": "x"}],
    }
    assert body_of(server.requests[1]) == {
        "DomainId": DOMAIN_ID,
        "UserProfileName": "alice",
        "AppType": "KernelGateway",
        "AppName": "nightly",
        "RecoveryMode": False,
        "ResourceSpec": {
            "InstanceType": "ml.m5.large",
            "SageMakerImageArn": "arn:i",
            "SageMakerImageVersionArn": "None",
            "SageMakerImageVersionAlias": "1.0",
            "LifecycleConfigArn": "arn:l",
            "TrainingPlanArn": "arn:t",
        },
    }
    assert set(body_of(server.requests[2])) == {"DomainId", "UserProfileName", "AppType", "AppName"}
    headers = server.requests[0].headers
    assert headers["user-agent"] == f"appfleet/{version('appfleet')}"
    assert headers["x-amz-security-token"] == SESSION_TOKEN
    assert headers["x-amz-target"] == "SageMaker.CreateApp"
    assert headers["content-type"] == "application/x-amz-json-1.1"


async def test_a_page_is_read_row_by_row() -> None:
    user_row = (
        b'{"DomainId":"d-abcd1234efgh","UserProfileName":"alice","SpaceName":null,"AppType":"Canvas","AppName":"default",'
        b'"Status":"Exploded","CreationTime":1700000001,"ResourceSpec":{"InstanceType":"","New":[]},"More":{}}'
    )
    answer = http(b'{"Apps":[%s,%s],"NextToken":"t/1+=","Extra":[1]}' % (ROW, user_row))
    async with hostile(answer) as server, cloud_at(server.url) as cloud:
        page = await cloud.list_apps(DOMAIN_ID)
    assert page.next_token == "t/1+="
    assert page.rows == (
        AppRow(SPACE, "alice-lab", "JupyterLab", "default", "InService", 1700000000.5, SPEC),
        AppRow(USER, "alice", "Canvas", "default", "Exploded", 1700000001.0, AppSpec()),
    )
    assert isinstance(page.rows[1].created_at, float)


async def test_a_row_without_a_spec_is_read() -> None:
    row = ROW.replace(b',"ResourceSpec":{"InstanceType":"ml.t3.medium"}', b"")
    async with hostile(http(b'{"Apps":[%s]}' % row)) as server, cloud_at(server.url) as cloud:
        page = await cloud.list_apps(DOMAIN_ID)
    assert (page.rows[0].spec, page.next_token) == (AppSpec(), "")


async def test_a_listing_asks_for_full_pages_oldest_first() -> None:
    async with hostile(http(b'{"Apps":[]}')) as server, cloud_at(server.url) as cloud:
        await cloud.list_apps(DOMAIN_ID, token="abc")
        await cloud.list_apps(DOMAIN_ID, owner_kind=SPACE, owner="alice-lab")
        await cloud.list_apps(DOMAIN_ID, owner_kind=USER, owner="alice")
    common = {"DomainIdEquals": DOMAIN_ID, "MaxResults": 100, "SortBy": "CreationTime", "SortOrder": "Ascending"}
    assert [body_of(request) for request in server.requests] == [
        {**common, "NextToken": "abc"},
        {**common, "SpaceNameEquals": "alice-lab"},
        {**common, "UserProfileNameEquals": "alice"},
    ]


@pytest.mark.parametrize("body", [b"", b" \n", b"{}"])
async def test_a_delete_is_done_when_the_answer_says_nothing_else(body: bytes) -> None:
    async with hostile(http(body)) as server, cloud_at(server.url) as cloud:
        await cloud.delete_app(APP)
    assert [request.operation for request in server.requests] == ["DeleteApp"]


async def test_a_description_adds_the_arn_and_the_reason() -> None:
    told = b',"LastUserActivityTimestamp":1800000060.5,"LastHealthCheckTimestamp":1800000000'
    told += b',"AppArn":"%s","FailureReason":"EC2InsufficientCapacityError: %s"}'
    body = ROW[:-1] + told % (ARN.encode(), SESSION_TOKEN.encode())
    async with hostile(http(body)) as server, cloud_at(server.url) as cloud:
        detail = await cloud.describe_app(APP)
    assert (detail.row.status, detail.arn) == ("InService", ARN)
    assert detail.failure_reason == "EC2InsufficientCapacityError: [redacted]"
    assert detail.activity == Activity(1_800_000_060.5, 1_800_000_000.0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"AppName":"default"', b'"AppName":"other"'),
        (b'"AppType":"JupyterLab"', b'"AppType":"CodeEditor"'),
        (b'"SpaceName":"alice-lab"', b'"SpaceName":"bob-lab"'),
        (b'"SpaceName":"alice-lab"', b'"UserProfileName":"alice-lab"'),
        (b"/alice-lab/", b"/bob-lab/"),
        (b"/jupyterlab/", b"/codeeditor/"),
        (b"/default", b"/other"),
        (b":app/d-abcd1234efgh/", b":app/d-other/"),
        (b":app/", b":space/"),
        (b":sagemaker:", b":s3:"),
        (ARN.encode(), b"arn:x"),
        (ARN.encode(), b"app/d-abcd1234efgh/alice-lab/jupyterlab/default"),
    ],
)
async def test_a_description_of_a_neighbour_is_none(old: bytes, new: bytes) -> None:
    """A caching proxy, or an answer that was mixed up: the neighbour's tag would decide whether ours is deleted."""
    right = ROW[:-1] + b',"AppArn":"%s"}' % ARN.encode()
    assert old in right
    async with hostile(http(right.replace(old, new))) as server, cloud_at(server.url) as cloud:
        with pytest.raises(OutcomeUnknown, match="another app"):
            await cloud.describe_app(APP)


@pytest.mark.parametrize(("kind", "owner"), [(SPACE, "bob-lab"), (USER, "alice-lab")])
async def test_a_listing_of_one_owner_that_shows_anothers_apps_is_no_listing(kind: Any, owner: str) -> None:
    async with hostile(http(b'{"Apps":[%s]}' % ROW)) as server, cloud_at(server.url) as cloud:
        with pytest.raises(OutcomeUnknown, match="another owner"):
            await cloud.list_apps(DOMAIN_ID, owner_kind=kind, owner=owner)
        assert len((await cloud.list_apps(DOMAIN_ID, owner_kind=SPACE, owner="Alice-Lab")).rows) == 1


OWNER_ARN = "arn:aws:sagemaker:eu-west-1:111122223333:space/d-abcd1234efgh/alice-lab"
OWNER_ROW = (
    b'{"DomainId":"d-abcd1234efgh","SpaceName":"alice-lab","Status":"InService","CreationTime":1700000000.5,'
    b'"SpaceArn":"%s"}' % OWNER_ARN.encode()
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"SpaceName":"alice-lab"', b'"SpaceName":"bob-lab"'),
        (b"efgh/alice-lab", b"efgh/bob-lab"),
        (b":space/", b":user-profile/"),
        (b"space/d-abcd1234efgh", b"space/d-other"),
        (b'"DomainId":"d-abcd1234efgh"', b'"DomainId":"d-other"'),
        (OWNER_ARN.encode(), b"arn:x"),
    ],
)
async def test_a_description_of_a_neighbours_space_is_none(old: bytes, new: bytes) -> None:
    assert old in OWNER_ROW
    async with hostile(http(OWNER_ROW)) as server, cloud_at(server.url) as cloud:
        assert (await cloud.describe_owner(DOMAIN_ID, SPACE, "alice-lab")).arn == OWNER_ARN
    async with hostile(http(OWNER_ROW.replace(old, new))) as server, cloud_at(server.url) as cloud:
        with pytest.raises(OutcomeUnknown, match=r"another (owner|domain)"):
            await cloud.describe_owner(DOMAIN_ID, SPACE, "alice-lab")


def volume(size: Any) -> dict[str, Any]:
    return {"SpaceSettingsSummary": {"SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": size}}}}


def space_with(**more: Any) -> bytes:
    return http(json.dumps({"Spaces": [{**json.loads(OWNER_ROW), **more}]}).encode())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({**volume(20), "LastModifiedTime": 1700000001}, (20, 1700000001.0)),
        (volume(None), (0, 0.0)),
        ({"SpaceSettingsSummary": {"SpaceStorageSettings": {}}}, (0, 0.0)),
        ({}, (0, 0.0)),
    ],
)
async def test_the_size_of_a_space_and_its_last_change_are_read_where_they_are_told(
    more: dict[str, Any], told: tuple[int, float]
) -> None:
    async with hostile(space_with(**more)) as server, cloud_at(server.url) as cloud:
        (row,) = (await cloud.list_owners(DOMAIN_ID, SPACE)).rows
    assert (row.ebs_gb, row.modified_at) == told


@pytest.mark.parametrize(
    "more",
    [
        *map(volume, (-1, True, "20", 1.5, [])),
        *({"LastModifiedTime": when} for when in (-1, True, "yesterday", 1e30)),
    ],
)
async def test_a_size_or_a_time_that_is_none_is_no_listing(more: dict[str, Any]) -> None:
    async with hostile(space_with(**more)) as server, cloud_at(server.url) as cloud:
        with pytest.raises(OutcomeUnknown, match=r"is not a (size|time)"):
            await cloud.list_owners(DOMAIN_ID, SPACE)


async def test_tags_come_from_all_pages_sorted() -> None:
    pages = [
        http(b'{"Tags":[{"Key":"b","Value":"2"}],"NextToken":"n"}'),
        http(b'{"Tags":[{"Key":"a","Value":""}]}'),
    ]

    async def page(_: Request) -> bytes:
        return pages.pop(0)

    async with hostile(page) as server, cloud_at(server.url) as cloud:
        assert await cloud.list_tags(ARN) == (("a", ""), ("b", "2"))
    assert [body_of(request) for request in server.requests] == [
        {"ResourceArn": ARN},
        {"ResourceArn": ARN, "NextToken": "n"},
    ]


async def test_tags_that_never_end_are_an_error() -> None:
    async with hostile(http(b'{"Tags":[],"NextToken":"n"}')) as server, cloud_at(server.url) as cloud:
        with pytest.raises(ScanIncomplete, match="10 pages"):
            await cloud.list_tags(ARN)


async def test_the_caller_is_asked_of_sts() -> None:
    async with hostile(http(IDENTITY, 200, "Content-Type: text/xml")) as server, cloud_at(server.url) as cloud:
        assert await cloud.caller() == Caller("111122223333", "arn:aws:iam::111122223333:user/ops")
        assert cloud.endpoint == server.url
    assert b"Action=GetCallerIdentity" in server.requests[0].body


async def test_the_service_s_errors_come_as_ours() -> None:
    full = (
        "The account-level service limit 'Studio JupyterLab Apps running on ml.t3.medium instances' is 2 Apps, "
        "with current utilization of 2 Apps and a request delta of 1 Apps."
    )
    async with hostile() as server, cloud_at(server.url) as cloud:
        server.answer = error("ResourceLimitExceeded", full)
        with pytest.raises(QuotaExceeded) as caught:
            await cloud.create_app(APP, SPEC, ())
        assert caught.value.facts.value == 2
        server.answer = error("com.amazonaws.sagemaker#ResourceInUse", "taken")
        with pytest.raises(InUse):
            await cloud.create_app(APP, SPEC, ())
        server.answer = error("ValidationException", "App [default] has already been deleted")
        with pytest.raises(AlreadyGone):
            await cloud.delete_app(APP)
        server.answer = error("ValidationException", "RecordNotFound")
        with pytest.raises(NotFound):
            await cloud.describe_app(APP)


async def test_parameters_that_the_library_refuses_are_rejected_and_not_sent() -> None:
    async with hostile() as server, cloud_at(server.url) as cloud:
        with pytest.raises(Rejected, match="Cannot send CreateApp"):
            await cloud.create_app(AppName(DOMAIN_ID, USER, None, "Canvas", "default"), SPEC, ())  # type: ignore[arg-type]
        assert server.requests == []
