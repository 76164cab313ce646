"""The AWS Price List API: what Studio apps cost in a region. One call on the wire each.

Not here: pages and retries (`app.prices`), and what an offer means (`core.price_list`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from engine.adapters.aws.calls import AwsCalls, optional_text, rows_of
from engine.adapters.aws.transport import UnreadableAnswerError
from engine.core.limits import LIST_PAGE_MAX_ROWS

if TYPE_CHECKING:
    from types_aiobotocore_pricing import PricingClient
    from types_aiobotocore_pricing.type_defs import GetProductsRequestTypeDef

SERVICE_CODE: Final = "AmazonSageMaker"
STUDIO: Final = "Studio-JupyterLab"
# The API answers for all regions, from few: the nearest of them.
_ENDPOINT_REGIONS: Final = (
    ("eu-", "eu-central-1"),
    ("ap-", "ap-south-1"),
    ("me-", "ap-south-1"),
    ("cn-", "cn-northwest-1"),
)
_OTHERS: Final = "us-east-1"


@dataclass(frozen=True, slots=True)
class OfferPage:
    """One answer of GetProducts. `next_token` is empty on the last page."""

    offers: tuple[Any, ...]
    next_token: str


class PriceCalls(AwsCalls):
    """One set of credentials. `Clouds.prices` makes it. Every method raises CloudError alone."""

    def __init__(self, *, pricing: PricingClient, **more: Any) -> None:
        super().__init__(sagemaker=None, sts=None, **more)
        self._pricing = pricing

    @property
    def endpoint(self) -> str:
        """Where the API is asked, empty where that is AWS itself."""
        return self._endpoint

    async def offers(self, region: str, token: str = "") -> OfferPage:
        """GetProducts: up to 100 offers of Studio's JupyterLab apps in a region."""
        matches = (("regionCode", region), ("platoinstancetype", STUDIO))
        params: GetProductsRequestTypeDef = {
            "ServiceCode": SERVICE_CODE,
            "FormatVersion": "aws_v1",
            "MaxResults": LIST_PAGE_MAX_ROWS,
            "Filters": [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in matches],
        }
        if token:
            params["NextToken"] = token
        return await self._ask("GetProducts", partial(self._pricing.get_products, **params), _offer_page)


def endpoint_region(region: str) -> str:
    """Return the region in which the API is asked about `region`."""
    return next((near for prefix, near in _ENDPOINT_REGIONS if region.startswith(prefix)), _OTHERS)


def _offer_page(answer: Any) -> OfferPage:
    """Read an answer: each offer is JSON inside a text."""
    texts = rows_of(answer, "PriceList")
    if not all(isinstance(text, str) for text in texts):
        raise UnreadableAnswerError("the answer has no list PriceList of texts")
    try:
        offers = tuple(orjson.loads(text) for text in texts)
    except orjson.JSONDecodeError:
        raise UnreadableAnswerError("an offer is not JSON") from None
    return OfferPage(offers, optional_text(answer, "NextToken") or "")
