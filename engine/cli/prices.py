"""`appfleet prices`: the price table of a policy, from the AWS Price List API."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from engine.cli import flags
from engine.cli.named import STDOUT, check_writable
from engine.cli.output import Delivery, deliver, say, write_result
from engine.core.errors import ExitCode
from engine.core.text import clean, count_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.app.prices import PricesWritten

SHOWN_MAX_COUNT: Final = 10  # of the offers of a region that were left out, and of the types without a price


def prices(
    ctx: typer.Context,
    region: Annotated[
        list[str] | None,
        flags.flag("--region", help="A region (default: those of the fleet). Repeatable.", metavar="REGION"),
    ] = None,
    out: Annotated[
        Path | None,
        flags.output_flag("--out", help="Policy file to write; without it, or with -, standard output."),
    ] = None,
) -> int:
    """Write the [prices] of a policy from the AWS Price List API.

    Has all types that Studio offers in a region, at the on-demand price of JupyterLab. The caller needs
    pricing:GetProducts (iam-policy --prices). Overwrites only a file that prices wrote. Regions that you do not select
    keep their prices.

    Example: appfleet prices --out policies/prices.toml
    """
    from engine.app import prices as app_prices
    from engine.cli.context import options_of
    from engine.cli.sinks import Sinks

    out = None if out is STDOUT else out
    check_writable(out, "--out")
    options = replace(options_of(ctx.obj), command="prices")
    with Sinks(ctx.obj, options, quiet=True) as sinks:
        made = sinks.run(app_prices.prices(options, tuple(region or ()), out, sinks.emit))
    # What is in the file needs no reader here.
    written = write_result(made.text) if out is None else deliver(f"wrote {out}\n") is not Delivery.FAILED
    for line in _remarks(made, str(out)):
        say(f"appfleet: {clean(line)}")
    return ExitCode.OK if written else ExitCode.FAILED


def _remarks(made: PricesWritten, out: str) -> Iterable[str]:
    """Yield what a reader should know of the file, a line each."""
    for table in made.tables:
        elsewhere = f", from {clean(table.endpoint)}, which is not AWS" if table.endpoint else ""
        yield f"{table.region}: {count_of(len(table.prices), 'price')}{elsewhere}"
        left_out = [f"{table.region}: left out {clean(words)}" for words in table.left_out]
        yield from _folded(left_out, f"{table.region}: left out {{:,}} more")
    missing = [f"{one.region}: no price for {clean(one.kind)} ({count_of(one.apps, 'app')})" for one in made.unpriced]
    yield from _folded(missing, "no price for {:,} more")
    if missing:
        yield "Apps without a price exceed any cost limit: add their prices to [prices] in another policy file"
    if made.is_read is False:
        yield f"The fleet file's `policies` do not name {out}, so no run reads it"


def _folded(lines: list[str], more: str) -> Iterable[str]:
    yield from lines[:SHOWN_MAX_COUNT]
    if len(lines) > SHOWN_MAX_COUNT:
        yield more.format(len(lines) - SHOWN_MAX_COUNT)
