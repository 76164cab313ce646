"""`prices`: ask the Price List API what apps cost in some regions, and write the policy file that says so.

The file is read back as a policy before it is put in place. It is written over only where an earlier `prices` wrote it.
"""

from __future__ import annotations

import random
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.config.fields import REGION
from engine.config.policy_file import load_policies
from engine.core.desired import DesiredDomain, Source
from engine.core.errors import BugError, ScanIncomplete, UsageError
from engine.core.limits import PRICE_PAGES_MAX_COUNT, QUOTA_ASK_MAX_SECONDS
from engine.core.price_list import PriceTable, price_table
from engine.core.settings import Backoffs
from engine.core.text import clean
from engine.executor.asking import ask_again
from engine.steps.new_file import put_file, toml_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from datetime import date

    from engine.adapters.price_list import OfferPage, PriceCalls
    from engine.ports.events import Emit

OPERATION: Final = "GetProducts"
_MARK: Final = "# Written by appfleet prices, which writes it anew"


@dataclass(frozen=True, slots=True)
class PricesWritten:
    """The text of the policy file, and the tables that it holds."""

    text: str
    tables: tuple[PriceTable, ...]


def standing_prices(out: Path | None) -> dict[str, dict[str, float]]:
    """Give the prices by region of a file that an earlier `prices` wrote, nothing where there is none.

    Raises UsageError, before anything is called, for any other file: what a person wrote is not written over.
    """
    if out is None or not (out.exists() or out.is_symlink()):
        return {}
    try:
        text = "" if out.is_symlink() else out.read_text(encoding="utf-8")
        standing: Any = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        text, standing = "", {}
    regions = standing.get("prices")
    ours = _MARK in text and standing.keys() == {"prices"} and isinstance(regions, dict)
    if not ours or not all(isinstance(table, dict) for table in regions.values()):
        raise UsageError(
            f"{out} is there already, and was not written by appfleet prices",
            hint="Choose a file of its own for prices, such as --out policies/prices.toml",
        )
    return dict(regions)


def asked_regions(domains: Sequence[DesiredDomain], regions: Sequence[str]) -> dict[str, DesiredDomain]:
    """Give the regions to ask about, sorted, each with whose credentials are used. Raises UsageError."""
    known = {domain.region: domain for domain in reversed(domains)}
    asked = {} if regions else known
    for region in regions:
        if not REGION.fullmatch(region):
            raise UsageError(f"{clean(region, 80)!r} is no region", hint="Give --region as in eu-west-1")
        asked[region] = known.get(region) or DesiredDomain("prices", "", region, Source("--region", 0))
    return dict(sorted(asked.items()))


async def price_of_region(calls: PriceCalls, region: str, emit: Emit) -> PriceTable:
    """Read all offers of a region. Raises CloudError, also where there is not one price among them."""
    offers: list[Any] = []
    token, seen = "", set[str]()
    while token not in seen and len(seen) < PRICE_PAGES_MAX_COUNT:
        seen.add(token)
        at = token

        def ask(at: str = at) -> Awaitable[OfferPage]:
            return calls.offers(region, at)

        page = await ask_again(OPERATION, ask, Backoffs(), random.Random().random, emit, QUOTA_ASK_MAX_SECONDS)
        offers += page.offers
        token = page.next_token
        if not token:
            break
    table = price_table(region, offers)
    if token or not table.prices:
        why = f": {table.left_out[0]}" if table.left_out else ""
        nothing = f"has no price that is understood among {len(offers)} offers{why}"
        what = "does not come to an end" if token else nothing
        raise ScanIncomplete(
            f"the price list of {region} {what}",
            hint="Write [prices] by hand, from https://aws.amazon.com/sagemaker/pricing",
            operation=OPERATION,
        )
    return table


def put_prices(
    out: Path | None, standing: Mapping[str, Mapping[str, float]], tables: Sequence[PriceTable], today: date
) -> PricesWritten:
    """Make the policy file, read it as a run would, and put it in place. Regions that were not asked for keep theirs.

    Raises UsageError and PolicyError.
    """
    regions = {**standing, **{table.region: table.prices for table in tables}}
    head = (
        f"# USD an hour of Studio JupyterLab apps, on demand, from the AWS Price List API on {today.isoformat()}.\n"
        f"{_MARK}: put what you add into another file.\n\n"
    )
    text = toml_text(head, {"prices": dict(sorted(regions.items()))})
    wanted = tuple(sorted((region, kind, usd) for region, prices in regions.items() for kind, usd in prices.items()))

    def check(path: Path) -> None:
        if load_policies((path,), path.parent).settings.prices != wanted:
            raise BugError("the price file reads back otherwise than it was written")

    if out is None:
        with tempfile.TemporaryDirectory(prefix="appfleet-prices-") as folder:
            path = Path(folder) / "prices.toml"
            path.write_text(text, encoding="utf-8")
            check(path)
    else:
        put_file(out, text, check, replace=True)
    return PricesWritten(text, tuple(tables))
