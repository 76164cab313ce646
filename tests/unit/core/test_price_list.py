"""Offers of the Price List API: one price each, or none; nothing is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.price_list import price_table

REGION = "eu-west-1"


def offer(kind: str = "ml.t3.medium", usd: Any = "0.05", *, unit: Any = "Hrs", **attributes: Any) -> dict[str, Any]:
    named = {"regionCode": REGION, "instanceName": kind, "usagetype": f"EU-Studio-JupyterLab:{kind}", **attributes}
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}}
    return {
        "product": {"attributes": named},
        "terms": {"OnDemand": {"a": {"priceDimensions": {"a.1": dimension}}}},
    }


def test_each_type_has_its_price() -> None:
    table = price_table(REGION, [offer("ml.m5.large", "0.115"), offer(), offer()])
    assert list(table.prices.items()) == [("ml.m5.large", 0.115), ("ml.t3.medium", 0.05)]
    assert table.left_out == ()


def test_where_it_was_asked_is_kept_and_what_is_left_out_often_is_counted() -> None:
    table = price_table(REGION, [offer(usd="x"), {}, {}, offer("ml.m5.large")], "http://127.0.0.1:9")
    assert (table.prices, table.endpoint) == ({"ml.m5.large": 0.05}, "http://127.0.0.1:9")
    assert table.left_out == (
        "an offer that names no instance type of this region (2 times)",
        "ml.t3.medium: an offer without one price in USD per hour",
    )


def test_offers_that_disagree_are_left_out_with_both_prices() -> None:
    table = price_table(REGION, [offer(), offer(usd="0.06")])
    assert table.prices == {}
    assert table.left_out == ("ml.t3.medium: offers disagree: 0.05, 0.06 USD per hour",)


@pytest.mark.parametrize(
    "wrong",
    [
        offer(usd="dear"),
        offer(usd="-1"),
        offer(usd="nan"),
        offer(usd="0.0000000000"),
        offer(usd="1_0"),
        offer(usd=" 1 "),
        offer(usd=0.05),
        offer(unit="Quantity"),
        offer(unit=None),
        {**offer(), "terms": {}},
        {**offer(), "terms": {"OnDemand": {"a": {"priceDimensions": {"x": "text"}}}}},
        {**offer(), "terms": {"OnDemand": {"a": {"priceDimensions": {"x": {}, "y": {}}}}}},
    ],
)
def test_an_offer_without_one_price_an_hour_is_left_out(wrong: dict[str, Any]) -> None:
    table = price_table(REGION, [wrong])
    assert table.prices == {}
    assert table.left_out == ("ml.t3.medium: an offer without one price in USD per hour",)


@pytest.mark.parametrize(
    "wrong",
    [
        offer(regionCode="us-east-1"),
        offer(instanceName="ml.m5.large"),
        offer("medium"),
        offer("ml.t3.medium2"),
        offer("ml.t3.mediumx"),
        offer(instanceName=7, usagetype=None),
        {},
        {"product": []},
        "text",
        None,
    ],
)
def test_an_offer_that_names_no_single_type_of_the_region_is_left_out(wrong: Any) -> None:
    table = price_table(REGION, [wrong])
    assert table.prices == {}
    assert table.left_out == ("an offer that names no instance type of this region",)


@pytest.mark.parametrize(
    "attributes",
    [
        {"usagetype": "USE1-Studio:JupyterLab-ml.m7i.48xlarge"},
        {"instanceType": "ml.m7i.48xlarge", "platoinstancename": "m7i"},
        {"instanceType": "ml.m7i.48xlarge-JupyterLab", "usagetype": "APN2-Studio:JupyterLab-ml.m7i.48xlarge"},
    ],
)
def test_the_type_is_read_from_whatever_attribute_names_it(attributes: dict[str, str]) -> None:
    bare = offer()
    bare["product"]["attributes"] = {"regionCode": REGION, **attributes}
    assert price_table(REGION, [bare]).prices == {"ml.m7i.48xlarge": 0.05}


@pytest.mark.parametrize(
    "kind",
    ["ml.g5.48xlarge", "ml.p4d.24xlarge", "ml.trn1n.32xlarge", "ml.c7i.metal", "ml.i4i.metal-24xl", "ml.t3.small"],
)
def test_types_of_all_families_are_read(kind: str) -> None:
    assert price_table(REGION, [offer(kind)]).prices == {kind: 0.05}
