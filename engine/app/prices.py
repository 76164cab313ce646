"""`prices`: ask the Price List API what apps cost in some regions, and write the policy file that says so.

The file is read back as a policy before it is put in place. It is written over only where an earlier `prices` wrote it.
"""

from __future__ import annotations

import random
import re
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.app.loading import read, today
from engine.app.named_file import put_file
from engine.app.reaching import Clouds
from engine.app.stopping import stopped_by_signals
from engine.config.fleet.fleet_file import POLICY_TEST_SUFFIX
from engine.config.policy.policy_file import load_policies
from engine.config.reading.beneath import FileProblem
from engine.config.reading.files import would_match
from engine.config.reading.regular_file import read_regular
from engine.config.service.fields import REGION
from engine.config.toml_text import toml_text
from engine.core.desired import DesiredDomain, Mode, Source
from engine.core.errors import BugError, PolicyError, ScanIncomplete, UsageError
from engine.core.iam import partition
from engine.core.limits import POLICY_FILE_MAX_BYTES, PRICE_PAGES_MAX_COUNT, QUOTA_ASK_MAX_SECONDS
from engine.core.price_list import PriceTable, price_table
from engine.core.settings import Backoffs
from engine.core.text import clean
from engine.executor.asking import ask_again
from engine.executor.reads import pages
from engine.policy.prices import PriceBook, is_reserved

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.reaching import OfferPage, PriceCalls
    from engine.ports.events import Emit

OPERATION: Final = "GetProducts"
_HEAD: Final = "USD per hour of Studio JupyterLab apps, on demand, from the AWS Price List API."
_MARK: Final = "Written by appfleet prices"
_ASKED: Final = re.compile(r"^# ([a-z0-9-]+): (asked on [^\n]{1,300})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Unpriced:
    """What the fleet's apps run on, or are, in a region that was asked about, and has no price; by how many apps."""

    region: str
    kind: str
    apps: int


@dataclass(frozen=True, slots=True)
class PricesWritten:
    """The text of the policy file, the tables that were asked for, and what the fleet still has no price for.

    `is_read` says whether the fleet's next run reads the file; None where there is no file, or no fleet.
    """

    text: str
    tables: tuple[PriceTable, ...]
    unpriced: tuple[Unpriced, ...] = ()
    is_read: bool | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A file that an earlier `prices` wrote: its text, prices by region, and when each region was asked about.

    Without `text` there is none.
    """

    text: str | None = None
    prices: dict[str, dict[str, float]] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)


def standing_prices(out: Path | None) -> Standing:
    """Read what is at `out`. Raises UsageError, before anything is called, for a file that `prices` did not write.

    What a person wrote is not written over.
    """
    if out is None or not (out.exists() or out.is_symlink()):
        return Standing()
    text = ("" if out.is_symlink() else _text_of(out)) or ""
    try:
        standing: Any = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        text, standing = "", {}
    regions = standing.get("prices")
    ours = f"# {_MARK}" in text and standing.keys() == {"prices"} and isinstance(regions, dict)
    if not ours or not all(isinstance(table, dict) for table in regions.values()):
        raise UsageError(
            f"{out} already exists, and was not written by appfleet prices",
            hint="Choose a separate file for prices, such as --out policies/prices.toml",
        )
    asked = {found[1]: clean(found[2]) for found in _ASKED.finditer(text) if found[1] in regions}
    return Standing(text, dict(regions), asked)


def asked_regions(domains: Sequence[DesiredDomain], regions: Sequence[str]) -> dict[str, DesiredDomain]:
    """Return the regions to ask about, sorted, each with whose credentials are used. Raises UsageError.

    Prices are the same for everybody: for a region without a domain the credentials of another one's will do.
    """
    known = {domain.region: domain for domain in reversed(domains)}
    asked = {} if regions else known
    for region in regions:
        if not REGION.fullmatch(region):
            raise UsageError(f"{clean(region, 80)!r} is not a region", hint="Give --region as in eu-west-1")
        asked[region] = known.get(region) or _borrowed(domains, region)
    return dict(sorted(asked.items()))


def _borrowed(domains: Sequence[DesiredDomain], region: str) -> DesiredDomain:
    """Return a domain to ask as about a region that no domain lies in."""
    near = (domain for domain in domains if partition(domain.region) == partition(region))
    lent = next(near, DesiredDomain("prices", "", region, Source("--region", 0)))
    return replace(lent, region=region)


async def price_of_region(calls: PriceCalls, region: str, emit: Emit) -> PriceTable:
    """Read all offers of a region. Raises CloudError, also where there is not one price among them."""

    async def page(token: str) -> OfferPage:
        ask = partial(calls.offers, region, token)
        return await ask_again(OPERATION, ask, Backoffs(), random.Random().random, emit, QUOTA_ASK_MAX_SECONDS)

    listing = pages(page, OPERATION, f"the price list of {region}", at_most=PRICE_PAGES_MAX_COUNT)
    offers: list[Any] = [offer async for one in listing for offer in one.offers]
    table = price_table(region, offers, calls.endpoint)
    if not table.prices:
        why = f": {table.left_out[0]}" if table.left_out else ""
        raise ScanIncomplete(
            f"the price list of {region} has no price that appfleet understands among {len(offers)} offers{why}",
            hint="Write [prices] by hand, from https://aws.amazon.com/sagemaker/pricing",
            operation=OPERATION,
        )
    return table


def put_prices(
    out: Path | None, standing: Standing, tables: Sequence[PriceTable], today: date, loaded: Loaded | None = None
) -> PricesWritten:
    """Make the policy file, read it as a run would, beside the fleet's other policies too, and put it in place.

    Regions that were not asked for keep their prices. Raises UsageError and PolicyError; nothing is written then.
    """
    prices = {**standing.prices, **{table.region: table.prices for table in tables}}
    asked = {**standing.asked, **{table.region: _asked(table, today) for table in tables}}
    head = f"{_HEAD}\n{_MARK}, which overwrites it: add your own prices in another file.\n"
    head += "\n".join(f"{region}: {asked[region]}" for region in sorted(asked))
    text = toml_text(head, {"prices": dict(sorted(prices.items()))})
    wanted = {(region, kind): usd for region, table in sorted(prices.items()) for kind, usd in sorted(table.items())}
    is_read = None if out is None or loaded is None else _is_read(out, loaded)

    def check(path: Path) -> None:
        told = load_policies((path,), path.parent).settings.prices
        if told != tuple((region, kind, usd) for (region, kind), usd in wanted.items()):
            raise BugError("the price file reads back otherwise than it was written")
        if is_read and out is not None and loaded is not None:
            _check_beside(path, out, loaded)
        if out is not None and standing.text is not None and _text_of(out) != standing.text:
            raise UsageError(f"{out} was changed meanwhile", hint="Run the command again")

    if out is None:
        with tempfile.TemporaryDirectory(prefix="appfleet-prices-") as folder:
            path = Path(folder) / "prices.toml"
            path.write_text(text, encoding="utf-8")
            check(path)
    else:
        put_file(out, text, check, replace=standing.text is not None)
    unpriced = () if loaded is None else _unpriced(loaded, standing, wanted, {table.region for table in tables})
    return PricesWritten(text, tuple(tables), unpriced, is_read)


def _asked(table: PriceTable, today: date) -> str:
    elsewhere = f", from {clean(table.endpoint)}, which is not AWS" if table.endpoint else ""
    return f"asked on {today.isoformat()}{elsewhere}"


def _text_of(path: Path) -> str | None:
    try:
        return read_regular(path, str(path), POLICY_FILE_MAX_BYTES).decode()
    except (FileProblem, UnicodeDecodeError):
        return None


def _inside(out: Path, loaded: Loaded) -> Path | None:
    """Return `out` below the fleet's folder; None where it lies elsewhere."""
    folder = loaded.folder.resolve()
    path = out.parent.resolve() / out.name
    return path.relative_to(folder) if path.is_relative_to(folder) else None


def _is_read(out: Path, loaded: Loaded) -> bool:
    inside = _inside(out, loaded)
    if inside is None or out.name.endswith(POLICY_TEST_SUFFIX):
        return False
    return would_match(inside.as_posix(), loaded.policy_patterns)


def _check_beside(path: Path, out: Path, loaded: Loaded) -> None:
    """Read the new file `path` in the place of `out`, with all other policies of the fleet. Raises UsageError."""
    root, replaced = loaded.folder.resolve(), _inside(out, loaded)
    beside = [inside for file in loaded.policy_paths if (inside := _inside(file, loaded)) not in {None, replaced}]
    try:
        load_policies([root / inside for inside in (*beside, _inside(path, loaded)) if inside is not None], root)
    except PolicyError as error:
        told = error.diagnostics[0]
        why = f"{told.key_path} {told.message}".strip().replace(f"{root}/", "")
        raise UsageError(
            f"{out} is not written: beside the fleet's other policies it would not be valid: {why}", hint=told.hint
        ) from None


def _unpriced(
    loaded: Loaded, standing: Standing, wanted: Mapping[tuple[str, str], float], asked: Collection[str]
) -> tuple[Unpriced, ...]:
    """Say which types of the fleet's apps have no price in the regions that were asked about."""
    gone = {(region, kind) for region, table in standing.prices.items() for kind in table}
    others = [row for row in loaded.settings.prices if row[:2] not in gone and row[:2] not in wanted]
    book = PriceBook([*others, *((region, kind, usd) for (region, kind), usd in wanted.items())])
    regions = {domain.name: domain.region for domain in loaded.fleet.domains}
    missing: Counter[tuple[str, str]] = Counter()
    for app in loaded.fleet.apps:
        region = regions[app.key.domain]
        if region not in asked or app.mode is Mode.ABSENT or is_reserved(app.spec):
            continue
        kinds = dict.fromkeys((app.spec.instance_type or "", *app.fallback))
        missing.update(
            (region, kind or app.key.app_type) for kind in kinds if book.price(region, app.key.app_type, kind) is None
        )
    return tuple(Unpriced(region, kind, count) for (region, kind), count in sorted(missing.items()))


async def prices(options: AppOptions, regions: Sequence[str], out: Path | None, emit: Emit) -> PricesWritten:
    """Ask what apps cost in `regions` (none: those of the fleet), and write the policy file that says so.

    Raises AppfleetError: for what is no region, a caller that may not ask, a list that is not understood, and a file
    that cannot be written.
    """
    standing = standing_prices(out)
    # With regions that are named a fleet file is not needed; where there is one, its domains say whose credentials.
    loaded = read(options, today()) if not regions or options.fleet_file.exists() else None
    domains = () if loaded is None else loaded.fleet.domains
    with stopped_by_signals(options.signals):
        tables = await price_tables(options, domains, regions, emit)
    return put_prices(out, standing, tables, today(), loaded)


async def price_tables(
    options: AppOptions, domains: Sequence[DesiredDomain], regions: Sequence[str], emit: Emit
) -> tuple[PriceTable, ...]:
    """Ask the Price List API about each region, with the credentials of the first domain that lies in it.

    Raises AppfleetError.
    """
    asked = asked_regions(domains, regions)
    async with Clouds(endpoint_url=options.endpoint_url, redactor=options.redactor) as clouds:
        return tuple(
            [await price_of_region(await clouds.prices(domain), region, emit) for region, domain in asked.items()]
        )
