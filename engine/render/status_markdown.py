"""The status as Markdown, for a comment, a job summary or a page of the team."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.text import clean
from engine.render.markdown import MARKDOWN_MAX_CHARS, Page, code, table_head, table_row
from engine.render.plan_markdown import findings_section
from engine.render.plan_text import lane_text
from engine.render.status_text import expiring_lines, foreign_text, not_well, team_cells, verdict

if TYPE_CHECKING:
    from engine.core.status import StatusView

_STATUS_COMMAND: Final = "appfleet status"
_OPEN_ROWS_MAX_COUNT: Final = 25  # a longer table is folded away


def status_markdown(view: StatusView, *, every: bool = False, max_chars: int = MARKDOWN_MAX_CHARS) -> str:
    """Give the status, ending in a line break, in fewer than `max_chars` characters."""
    page = Page(max_chars)
    page.add(f"### {verdict(view)}", "")
    page.add(f"- Fleet: {code(view.fleet)}", *(f"- Lane: {code(lane_text(lane))}" for lane in view.lanes), "")
    page.add(*(f"- Not listed: {code(f'{error.code}: {error.message}')}" for error in view.errors), "")
    left_out = findings_section(page, view.findings)
    cells = team_cells(view)
    if cells:
        titles, *rows = cells
        head = table_head(*(title.capitalize() for title in titles))
        left_out += page.section("Teams", head, [table_row(code(row[0]), *row[1:]) for row in rows], folded=False)
    for title, rows_of, way_out in not_well(view, every=every):
        table = [table_row(code(key), code(why)) for key, why in rows_of]
        folded = len(table) > _OPEN_ROWS_MAX_COUNT
        left_out += page.section(f"{title}: {way_out}", table_head("app", "why"), table, folded=folded)
    expiring = [table_row(code(key), code(day)) for key, day in expiring_lines(view, every=every)]
    if expiring:
        left_out += page.section("Expiring", table_head("app", "when"), expiring, folded=False)
    if view.foreign:
        page.add(f"Of other fleets: {code(clean(foreign_text(view)))}", "")
    return page.text(left_out, _STATUS_COMMAND)
