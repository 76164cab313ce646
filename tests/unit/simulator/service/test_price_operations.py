"""GetProducts of a simulated account."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.core.price_list import price_table
from engine.simulator.world.catalog import PRICES
from engine.simulator.world.service_error import ServiceError
from tests.unit.simulator.worlds import call, make_world


def terms(**values: str) -> list[dict[str, str]]:
    return [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in values.items()]


def products(world: Any, **params: Any) -> dict[str, Any]:
    return call(world, "GetProducts", **{"ServiceCode": "AmazonSageMaker", **params})


def test_the_offers_are_texts_that_the_reader_of_the_real_list_understands() -> None:
    answer = products(make_world(), Filters=terms(regionCode="eu-west-1", platoinstancetype="Studio-JupyterLab"))
    table = price_table("eu-west-1", [json.loads(text) for text in answer["PriceList"]])
    assert (table.prices, table.left_out) == (PRICES, ())
    assert "NextToken" not in answer


def test_pages_follow_one_another_to_the_end() -> None:
    world, texts, token = make_world(), list[str](), ""
    for _ in range(3):
        answer = products(world, MaxResults=5, **({"NextToken": token} if token else {}))
        texts += answer["PriceList"]
        token = answer.get("NextToken", "")
    assert token == ""
    assert len(set(texts)) == len(texts) == len(PRICES)


@pytest.mark.parametrize("filters", [{"platoinstancetype": "Hosting"}, {"regionCode": "eu-west-1", "colour": "red"}])
def test_what_matches_nothing_is_an_empty_list(filters: dict[str, str]) -> None:
    assert products(make_world(), Filters=terms(**filters))["PriceList"] == []


def test_a_type_can_be_dearer_or_not_sold() -> None:
    world = make_world()
    world.set_price("ml.t3.medium", 0.5)
    world.set_price("ml.g5.xlarge", 0)
    world.set_price("ml.never.large", 0)
    answer = products(world, Filters=terms(regionCode="us-east-1"))
    table = price_table("us-east-1", [json.loads(text) for text in answer["PriceList"]])
    assert table.prices["ml.t3.medium"] == 0.5
    assert not {"ml.g5.xlarge", "ml.never.large"} & table.prices.keys()


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"ServiceCode": "AmazonEC2"}, "InvalidParameterException"),
        ({"NextToken": "x"}, "InvalidNextTokenException"),
        ({"MaxResults": 101}, ""),
        ({"Filters": [{"Type": "LIKE", "Field": "regionCode", "Value": "x"}]}, ""),
        ({"Colour": "red"}, ""),
    ],
)
def test_what_the_service_would_refuse_is_refused(params: dict[str, Any], code: str) -> None:
    with pytest.raises(ServiceError) as raised:
        products(make_world(), **params)
    assert not code or raised.value.code == code
