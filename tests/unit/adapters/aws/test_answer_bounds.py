"""What is taken in from an answer has the length and the form that the API's own model gives it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.aws.calls import failure_reason, optional_text, required_text, rows_of
from engine.adapters.aws.transport import UnreadableAnswerError
from engine.core.errors import CloudError
from tests.unit.adapters.aws.conftest import SECRET_KEY
from tests.unit.adapters.aws.hostile import APP, ARN, DOMAIN_ID, ROW, cloud_at, hostile, http

if TYPE_CHECKING:
    from collections.abc import Mapping

LONG = "x" * 70
ARN_LONG = f"{ARN}{'x' * 8_000}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Account", "abcA"),
        ("Account", "1" * 13),
        ("Account", "1" * 7_000_000),
        ("AppArn", ARN_LONG),
        ("AppName", LONG),
        ("AppName", "a\nforged: line"),
        ("AppType", "a/b"),
        ("SpaceName", "a\x1b[2J"),
        ("UserProfileName", "a b"),
        ("Status", "\N{RIGHT-TO-LEFT OVERRIDE}"),
        ("NextToken", "x" * 8_193),
        ("Key", "x" * 129),
        ("Value", "x" * 257),
        ("InstanceType", "ml.t3.medium; rm"),
    ],
)
def test_a_field_beyond_its_model_is_no_answer(name: str, value: str) -> None:
    for read in (required_text, optional_text):
        with pytest.raises(UnreadableAnswerError, match=name):
            read({name: value}, name)


def test_what_the_model_allows_is_taken() -> None:
    longest = {"Account": "1" * 12, "AppName": "x" * 63, "Status": "Update_Failed", "NextToken": "x" * 8_192}
    for name, value in longest.items():
        assert required_text({name: value}, name) == value
    assert failure_reason({"FailureReason": "x" * 9_000}) == "x" * 1_024
    assert failure_reason({}) == ""
    assert len(rows_of({"Apps": [{}] * 100}, "Apps")) == 100


@pytest.mark.parametrize("rows", [101, 45_000])
async def test_a_page_holds_no_more_than_was_asked_for(rows: int) -> None:
    body = b'{"Apps":[' + b",".join([ROW] * rows) + b"]}"
    async with hostile(http(body)) as server, cloud_at(server.url) as cloud:
        with pytest.raises(CloudError, match=f"{rows:,} rows, but the request was for 100|larger than"):
            await cloud.list_apps(DOMAIN_ID)


@pytest.mark.parametrize(
    "change", [{"AppName": "a\nb"}, {"SpaceName": "alice\u202e"}, {"ResourceSpec": {"InstanceType": "x" * 65}}]
)
async def test_one_row_beyond_the_model_makes_the_page_unreadable(change: Mapping[str, Any]) -> None:
    body = json.dumps({"Apps": [json.loads(ROW) | dict(change)]}).encode()
    async with hostile(http(body)) as server, cloud_at(server.url) as cloud:
        with pytest.raises(CloudError, match="the API"):
            await cloud.list_apps(DOMAIN_ID)


async def test_names_and_reasons_lose_credentials_where_they_come_in() -> None:
    row = json.loads(ROW) | {"AppArn": ARN, "FailureReason": f"{'x' * 1_010} {SECRET_KEY}", "Status": "Failed"}
    async with hostile(http(json.dumps(row).encode())) as server, cloud_at(server.url) as cloud:
        detail = await cloud.describe_app(APP)
        assert SECRET_KEY[:8] not in detail.failure_reason
        assert len(detail.failure_reason) <= 1_024
