"""Observed apps beside the desired ones, for a terminal: one row an app, grouped by domain."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from engine.core.plan import Reason
from engine.core.text import clean
from engine.render.layout import (
    WIDTH_DEFAULT_CHARS,
    WIDTH_MIN_CHARS,
    Paint,
    aligned,
    column_widths,
    columns_fit,
    count_of,
    row_lines,
)
from engine.render.plan_text import lane_text
from engine.render.words import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.status import StatusRow, StatusView

_STYLES: Final = {
    "InService": "green",
    "Pending": "yellow",
    "Deleting": "yellow",
    "Failed": "red",
    "-": "dim",
    "Deleted": "dim",
}
# What is said behind the mode; a reason that is missing here says no more than the status does.
_REMARKS: Final = {
    Reason.QUARANTINED: "quarantined",
    Reason.DONE_ONCE: "made before",
    Reason.NOT_DECLARED: "owned by this fleet",
    Reason.ORPHANED: "owned by this fleet",
    Reason.NOT_OWNED: "not owned by this fleet",
    Reason.UNKNOWN_STATUS: "a status that appfleet does not know",
    Reason.DOMAIN_UNLISTED: "not listed",
    Reason.DENIED: "denied by a rule",
}
_TITLES: Final = ("STATUS", "OWNER", "APP", "INSTANCE TYPE", "WANTED")


def status_text(view: StatusView, *, colour: bool = False, width: int = WIDTH_DEFAULT_CHARS) -> str:
    """Give the whole status, ending in a line break. `width` is the terminal's, in characters."""
    paint = Paint(colour)
    width = max(width, WIDTH_MIN_CHARS)
    head = [f"{paint('bold', 'Fleet')} {clean(view.fleet)}"]
    head += [f"{paint('bold', 'Lane'.ljust(5))} {lane_text(lane)}" for lane in view.lanes]
    blocks = ["\n".join(head), *_domains(view.rows, paint, width), *_errors(view, paint), _sum(view)]
    return "\n\n".join(blocks) + "\n"


def _cells(row: StatusRow) -> tuple[str, str, str, str, str]:
    key = row.key
    wanted = row.wanted or "not declared"
    told = "differs in " + ", ".join(row.differs) if row.differs else _REMARKS.get(row.reason, "")
    return (
        clean(row.status),
        f"{key.owner_kind}/{clean(key.owner)}",
        f"{clean(key.app_type)}/{clean(key.app_name)}",
        _machine(row),
        f"{wanted}, {told}" if told else wanted,
    )


def _machine(row: StatusRow) -> str:
    seen = row.observed.spec.instance_type if row.observed is not None else None
    asked = row.desired.spec.instance_type if row.desired is not None else None
    return "" if seen is None and asked is None else shown(seen or asked)


def _domains(rows: Sequence[StatusRow], paint: Paint, width: int) -> list[str]:
    cells = [_cells(row) for row in rows]
    widths = column_widths([_TITLES, *cells])
    wide = columns_fit(widths, 2, width)
    blocks: list[str] = []
    pairs = zip(rows, cells, strict=True)
    for domain, members in groupby(pairs, key=lambda pair: pair[0].key.domain):
        lines = [paint("bold", f"domain {clean(domain)}")]
        if wide:
            lines.append("  " + paint("dim", aligned(_TITLES, widths)))
        lines.extend(line for _, row in members for line in _lines(row, widths if wide else (), paint, width))
        blocks.append("\n".join(lines))
    return blocks


def _lines(row: tuple[str, str, str, str, str], widths: Sequence[int], paint: Paint, width: int) -> list[str]:
    """Give one app, in columns of `widths`, or one below the other where there are none."""
    status, owner, app, machine, wanted = row
    if widths:
        line, apart = row_lines(row, widths, 2, width)
    else:
        line, apart = f"{status} {owner}/{app}", "  ".join(part for part in (machine, wanted) if part)
    below = [f"      {apart}"] if apart else []
    return [f"  {paint(_STYLES.get(status, 'yellow'), status)}{line[len(status) :]}", *below]


def _errors(view: StatusView, paint: Paint) -> list[str]:
    if not view.errors:
        return []
    lines = [paint("red", "Not listed:")]
    for error in view.errors:
        lines.append(f"  {clean(error.code)}: {clean(error.message)}")
        if error.hint:
            lines.append(f"    {clean(error.hint)}")
    return ["\n".join(lines)]


def _sum(view: StatusView) -> str:
    counts = ", ".join(
        f"{count:,} {'absent' if status == '-' else clean(status)}" for status, count in view.summary.items()
    )
    return f"{count_of(len(view.rows), 'app')}: {counts or 'none'}; {view.unmanaged:,} unmanaged."
