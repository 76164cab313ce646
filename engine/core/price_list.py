"""The offers of the AWS Price List API, read strictly: a price that is not understood is left out and never guessed.

Pure. Not here: asking for them (`adapters.aws.price_list`), and the file that they go into (`app.prices`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from engine.core.settings import HOURLY_USD

# How the list calls an hour, and the attributes in which it names an instance type.
_HOURS: Final = frozenset({"hrs", "hours", "hour"})
_TYPE_ATTRIBUTES: Final = ("instanceName", "platoinstancename", "instanceType", "usagetype")
_TYPE: Final = re.compile(
    r"\bml\.[a-z0-9-]+?\.(?:[0-9]*x?large|medium|small|nano|micro|metal(?:-[0-9]+xl)?)(?![a-z0-9]|-[0-9])"
)
_DECIMAL: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,12})?")
_CURRENCY: Final = "USD"


@dataclass(frozen=True, slots=True)
class PriceTable:
    """USD per hour by instance type, sorted, of one region; and what the list said that is no price, in words.

    `endpoint` is where it was asked, empty where that is AWS itself.
    """

    region: str
    prices: dict[str, float]
    left_out: tuple[str, ...] = ()
    endpoint: str = ""


def price_table(region: str, offers: Iterable[Any], endpoint: str = "") -> PriceTable:
    """Read the offers of one region. Offers of one type that disagree are left out, with both prices told."""
    found: defaultdict[str, set[float]] = defaultdict(set)
    left_out: Counter[str] = Counter()
    for offer in offers:
        kind = _type_of(offer, region)
        if not kind:
            left_out["an offer that names no instance type of this region"] += 1
            continue
        price = _price_of(offer)
        if price is None:
            left_out[f"{kind}: an offer without one price in {_CURRENCY} per hour"] += 1
        else:
            found[kind].add(price)
    prices: dict[str, float] = {}
    for kind, told in sorted(found.items()):
        if len(told) == 1:
            prices[kind] = next(iter(told))
        else:
            disagree = ", ".join(f"{usd:g}" for usd in sorted(told))
            left_out[f"{kind}: offers disagree: {disagree} {_CURRENCY} per hour"] += 1
    words = (f"{why} ({count:,} times)" if count > 1 else why for why, count in sorted(left_out.items()))
    return PriceTable(region, prices, tuple(words), endpoint)


def _type_of(offer: Any, region: str) -> str:
    attributes = _inner(_inner(offer, "product"), "attributes")
    if attributes.get("regionCode") != region:
        return ""
    named = {
        match.group()
        for name in _TYPE_ATTRIBUTES
        if isinstance(text := attributes.get(name), str) and (match := _TYPE.search(text)) is not None
    }
    return named.pop() if len(named) == 1 else ""


def _price_of(offer: Any) -> float | None:
    """Return the one price on demand; None where there is none, or more than one, or nothing is to be paid.

    A type that costs nothing would pass every limit on cost, so a free offer is no price.
    """
    dimensions = [
        dimension
        for term in _inner(_inner(offer, "terms"), "OnDemand").values()
        for dimension in _inner(term, "priceDimensions").values()
    ]
    if len(dimensions) != 1 or not isinstance(dimensions[0], dict):
        return None
    unit, told = dimensions[0].get("unit"), _inner(dimensions[0], "pricePerUnit").get(_CURRENCY)
    if not isinstance(unit, str) or unit.lower() not in _HOURS:
        return None
    if not isinstance(told, str) or _DECIMAL.fullmatch(told) is None:
        return None
    usd = float(told)
    return usd if 0.0 < usd <= HOURLY_USD.high else None


def _inner(table: Any, name: str) -> dict[str, Any]:
    inner = table.get(name) if isinstance(table, dict) else None
    return inner if isinstance(inner, dict) else {}
