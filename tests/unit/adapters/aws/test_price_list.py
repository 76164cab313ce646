"""GetProducts: what is sent, where to, and that no answer but a list of offers is taken for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from engine.adapters.aws.price_list import OfferPage, endpoint_region
from engine.adapters.aws.sessions import Clouds
from engine.core.errors import AccessDenied, CredentialsFailed, OutcomeUnknown
from tests.unit.adapters.aws.hostile import FAST_TIMES, Hostile, desired, error, hostile, http

if TYPE_CHECKING:
    from engine.adapters.aws.price_list import PriceCalls


async def ask(server: Hostile, token: str = "") -> OfferPage:
    async with Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
        calls = await clouds.prices(desired())
        assert calls.endpoint == server.url
        return await calls.offers("eu-west-1", token)


async def test_a_page_of_offers_is_asked_for_by_region_and_read_from_texts() -> None:
    answer = http(orjson.dumps({"PriceList": ['{"a":1}', '{"b":[]}'], "NextToken": "t/1+=", "New": 1}))
    async with hostile(answer) as server:
        assert await ask(server) == OfferPage(({"a": 1}, {"b": []}), "t/1+=")
        await ask(server, "t/1+=")
    first, second = (orjson.loads(request.body) for request in server.requests)
    assert first == {
        "ServiceCode": "AmazonSageMaker",
        "FormatVersion": "aws_v1",
        "MaxResults": 100,
        "Filters": [
            {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "eu-west-1"},
            {"Type": "TERM_MATCH", "Field": "platoinstancetype", "Value": "Studio-JupyterLab"},
        ],
    }
    assert second == {**first, "NextToken": "t/1+="}
    assert server.requests[0].headers["x-amz-target"] == "AWSPriceListService.GetProducts"
    assert "/eu-central-1/pricing/" in server.requests[0].headers["authorization"]


async def test_a_last_page_has_no_token() -> None:
    async with hostile(http(b'{"PriceList":[]}')) as server:
        assert await ask(server) == OfferPage((), "")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"{}", "no list PriceList"),
        (b'{"PriceList":null}', "no list PriceList"),
        (b'{"PriceList":[{"product":{}}]}', "no list PriceList"),
        (b'{"PriceList":["{\\"product\\":"]}', "an offer is not JSON"),
        (b'{"PriceList":["{\\"usd\\":NaN}"]}', "an offer is not JSON"),
        (b'{"PriceList":["{}"],"NextToken":7}', "GetProducts"),
        (b"<html>", "GetProducts"),
    ],
)
async def test_an_answer_that_is_no_list_of_offers_is_not_taken_for_one(answer: bytes, said: str) -> None:
    async with hostile(http(answer)) as server:
        with pytest.raises(OutcomeUnknown, match=said):
            await ask(server)


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"])
async def test_who_may_not_ask_is_told_the_action_and_the_other_way(code: str) -> None:
    async with hostile(error(code, "User: u is not authorized to perform: pricing:GetProducts")) as server:
        with pytest.raises(AccessDenied) as raised:
            await ask(server)
    assert "Allow pricing:GetProducts to the caller" in raised.value.hint
    assert "write [prices] by hand" in raised.value.hint


async def test_without_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    async with hostile() as server:
        with pytest.raises(CredentialsFailed):
            await ask(server)
        assert server.requests == []


async def test_the_service_itself_is_no_other_endpoint() -> None:
    async with Clouds() as clouds:
        calls: PriceCalls = await clouds.prices(desired())
    assert calls.endpoint == ""


@pytest.mark.parametrize(
    ("region", "near"),
    [
        ("eu-west-1", "eu-central-1"),
        ("ap-northeast-2", "ap-south-1"),
        ("me-central-1", "ap-south-1"),
        ("us-west-2", "us-east-1"),
        ("sa-east-1", "us-east-1"),
        ("af-south-1", "us-east-1"),
        ("cn-north-1", "cn-northwest-1"),
    ],
)
def test_the_endpoint_is_one_of_the_few_that_there_are(region: str, near: str) -> None:
    assert endpoint_region(region) == near
