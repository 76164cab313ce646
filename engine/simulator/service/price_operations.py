"""The Price List API of simulated accounts: GetProducts, with a small table that is the same in all regions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from engine.simulator.world.listing import page_size, show_page, slice_page
from engine.simulator.world.service_error import ServiceError

if TYPE_CHECKING:
    from engine.core.identity import Lane
    from engine.simulator.world.world import World

SERVICE_CODE: Final = "AmazonSageMaker"
STUDIO: Final = "Studio-JupyterLab"
_INVALID_TOKEN: Final = ("InvalidNextTokenException", "The pagination token is invalid.")
_PAGE_ROWS: Final = 100  # where the caller does not say


def get_products(world: World, _lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer GetProducts: each offer is JSON inside a text, as the service does it."""
    if params["ServiceCode"] != SERVICE_CODE:
        raise ServiceError("InvalidParameterException", f"Input Parameters are invalid: {params['ServiceCode']}")
    wanted = {one["Field"]: one["Value"] for one in params.get("Filters") or ()}
    region = wanted.pop("regionCode", "us-east-1")
    matching = not wanted.keys() - {"platoinstancetype"} and wanted.get("platoinstancetype", STUDIO) == STUDIO
    rows = sorted(world.prices.items()) if matching else []
    size = page_size(params.get("MaxResults", _PAGE_ROWS))
    page, token = slice_page(rows, f"products:{region}", params.get("NextToken"), size, _INVALID_TOKEN)
    offers = [json.dumps(_offer(region, kind, usd)) for kind, usd in page]
    return {"FormatVersion": "aws_v1", **show_page("PriceList", offers, token)}


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
