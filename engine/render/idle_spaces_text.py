"""Spaces without an app, for every format made for people: a title, a table, and what its figures rest on."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.core.idle_spaces import IdleSpace, IdleSpaces, Sign
from engine.core.limits import ORPHANS_NAMED_MAX_COUNT
from engine.core.settings import STORAGE_PRICE
from engine.core.text import clean, count_of
from engine.render.layout import Paint, aligned, column_widths, columns_fit, wrapped

SPACE_TITLES = ("SPACE", "USER", "GB", "DAYS AT MOST", "USD PER MONTH", "LAST SIGN OF USE")
_FORGETS = (
    "SageMaker forgets an app one day after it ends. DAYS AT MOST therefore counts from the last sign of use that is "
    "left: when the space was made or changed, or the last run of this fleet that worked on an app in it. "
    "Somebody may have used the space since then."
)
_NO_PRICE = f'no price for storage: set "{STORAGE_PRICE}" (USD per GB and month) in [prices] of a policy'


def spaces_title(found: IdleSpaces) -> str:
    """Return what the table is about, with the sums."""
    title = f"Spaces without an app for {count_of(found.idle_days, 'day')} or more"
    if not found.rows:
        return f"{title}: none"
    cost = "" if found.monthly_usd is None else f", {found.monthly_usd:,.2f} USD per month"
    return f"{title} ({count_of(len(found.rows), 'space')}, {found.gb:,} GB{cost})"


def space_cells(found: IdleSpaces, *, every: bool) -> list[tuple[str, ...]]:
    """Return a row for each space; without `every`, for the first ones."""
    return [_cells(row) for row in (found.rows if every else found.rows[:ORPHANS_NAMED_MAX_COUNT])]


def space_notes(found: IdleSpaces, *, every: bool) -> list[str]:
    """Return what a reader must know of the table: what it leaves out, and what its figures rest on."""
    hidden = 0 if every else len(found.rows) - ORPHANS_NAMED_MAX_COUNT
    notes = [f"and {hidden:,} more: --all names them"] if hidden > 0 else []
    notes += [_FORGETS] if found.rows else []
    notes += [f"{count_of(found.unpriced, 'space has', 'spaces have')} {_NO_PRICE}."] if found.unpriced else []
    return notes


def spaces_block(found: IdleSpaces, paint: Paint, width: int, *, every: bool) -> str:
    """Return the block of a terminal of `width` characters."""
    title = paint("bold", spaces_title(found))
    if not found.rows:
        return f"{title}."
    lines = [f"{title}:", *_table(space_cells(found, every=every), paint, width)]
    lines += [wrapped(f"  {note}", width) for note in space_notes(found, every=every)]
    return "\n".join(lines)


def _table(cells: list[tuple[str, ...]], paint: Paint, width: int) -> list[str]:
    """Return a line for each space, or two where the columns are wider than the terminal."""
    widths = column_widths([SPACE_TITLES, *cells])
    if columns_fit(widths, 2, width):
        return [f"  {paint('dim', aligned(SPACE_TITLES, widths))}", *(f"  {aligned(row, widths)}" for row in cells)]
    titles = [title.lower().replace("usd", "USD") for title in SPACE_TITLES]
    lines = []
    for row in cells:
        told = [f"{title} {cell}" for title, cell in zip(titles[1:], row[1:], strict=True) if cell != "-"]
        lines += [f"  {row[0]}", f"      {', '.join(told)}"]
    return lines


def _cells(row: IdleSpace) -> tuple[str, ...]:
    return (
        clean(f"{row.space.domain}/{row.space.name}"),
        clean(row.user) or "-",
        f"{row.gb:,}" if row.gb else "-",
        f"{row.days:,}",
        "-" if row.monthly_usd is None else f"{row.monthly_usd:,.2f}",
        _last_sign(row),
    )


def _last_sign(row: IdleSpace) -> str:
    if row.sign is Sign.ENDED:
        return "an app ended within the last day"
    words = {Sign.MADE: "made", Sign.CHANGED: "changed", Sign.RUN: f"run {clean(row.run_id)}"}[row.sign]
    return f"{words}, {datetime.fromtimestamp(row.since, UTC):%Y-%m-%d}"
