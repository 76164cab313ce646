"""The Price List API of simulated accounts: GetProducts, with a small table that is the same in all regions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from engine.simulator.world.listing import page_size, read_token, write_token
from engine.simulator.world.service_error import ServiceError

if TYPE_CHECKING:
    from engine.simulator.world.world import World

SERVICE_CODE: Final = "AmazonSageMaker"
STUDIO: Final = "Studio-JupyterLab"
_PAGE_ROWS: Final = 100  # where the caller does not say


def get_products(world: World, params: dict[str, Any]) -> dict[str, Any]:
    """Answer GetProducts: each offer is JSON inside a text, as the service does it."""
    if params["ServiceCode"] != SERVICE_CODE:
        raise ServiceError("InvalidParameterException", f"Input Parameters are invalid: {params['ServiceCode']}")
    wanted = {one["Field"]: one["Value"] for one in params.get("Filters") or ()}
    region = wanted.pop("regionCode", "us-east-1")
    matching = not wanted.keys() - {"platoinstancetype"} and wanted.get("platoinstancetype", STUDIO) == STUDIO
    rows = sorted(world.prices.items()) if matching else []
    listing = f"products:{region}"
    try:
        start = read_token(listing, params.get("NextToken")) or 0
    except ServiceError:
        raise ServiceError("InvalidNextTokenException", "The pagination token is invalid.") from None
    end = start + page_size(params.get("MaxResults", _PAGE_ROWS))
    answer: dict[str, Any] = {
        "FormatVersion": "aws_v1",
        "PriceList": [json.dumps(_offer(region, kind, usd)) for kind, usd in rows[start:end]],
    }
    if end < len(rows):
        answer["NextToken"] = write_token(listing, end)
    return answer


def _offer(region: str, kind: str, usd: float) -> dict[str, Any]:
    sku = f"SIM{crc32(f'{region} {kind}'.encode()):010}"
    attributes = {
        "regionCode": region,
        "instanceName": kind,
        "instanceType": kind,
        "platoinstancename": kind.split(".")[1],
        "platoinstancetype": STUDIO,
        "usagetype": f"{region}-Studio:JupyterLab-{kind}",
    }
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": f"{usd:.10f}"}}
    return {
        "product": {"productFamily": "ML Instance", "sku": sku, "attributes": attributes},
        "serviceCode": SERVICE_CODE,
        "terms": {"OnDemand": {f"{sku}.1": {"priceDimensions": {f"{sku}.1.1": dimension}}}},
    }
