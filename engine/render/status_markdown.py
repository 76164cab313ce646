"""The status as Markdown, for a comment, a job summary or a page of the team."""

from __future__ import annotations

from typing import Final

from engine.core.grouping import grouped_troubles
from engine.core.idle_spaces import IdleSpaces
from engine.core.owner_status import OwnersView
from engine.core.status import StatusView
from engine.core.text import clean
from engine.render.domains_text import trouble_words
from engine.render.hours_text import hours_texts
from engine.render.idle_spaces_text import SPACE_TITLES, space_cells, space_notes, spaces_title
from engine.render.markdown import MARKDOWN_MAX_CHARS, Page, bullets, code, prose, table_head, table_row, with_command
from engine.render.owner_status_text import OWNERS_TITLE, owners_amiss, owners_count_line
from engine.render.plan_head import lane_lines
from engine.render.plan_markdown import findings_section
from engine.render.status_text import Unwell, expiring_lines, foreign_text, not_well, team_cells, verdict

_STATUS_COMMAND: Final = "appfleet status"
_AS_ABOVE: Final = "as above"


def status_markdown(view: StatusView, *, every: bool = False, max_chars: int = MARKDOWN_MAX_CHARS) -> str:
    """Return the status, ending in a line break, in at most `max_chars` characters."""
    page = Page(max_chars, _STATUS_COMMAND)
    page.add(f"### {verdict(view)}", "")
    lanes = [(label, prose(text)) for label, text in lane_lines(view.lanes)]
    asked = [("At", code(view.at))] if view.at else []
    page.add(*bullets([("Fleet", code(view.fleet)), *lanes, *asked]), "")
    page.listed(
        [f"- Not listed: {prose(one.code)}: {prose(trouble_words(one))}" for one in grouped_troubles(view.errors)],
        ("error", "errors"),
    )
    findings_section(page, view.findings)
    cells = team_cells(view, every=every)
    if cells:
        titles, *rows = cells
        head = table_head(*(title.capitalize() for title in titles))
        page.section("Teams", head, [table_row(code(row[0]), *row[1:]) for row in rows], ("team", "teams"))
    for title, rows_of, way_out in not_well(view, every=every):
        table = [row for group in rows_of for row in _unwell_rows(group)]
        page.section(f"{title}: {prose(way_out)}", table_head("app", "why"), table)
    hours = [table_row(code(label), prose(text)) for label, text in hours_texts(view.hours)]
    page.section("Hours", table_head("hours", "now"), hours)
    expiring = [table_row(code(key), prose(day)) for key, day in expiring_lines(view, every=every)]
    page.section("Expiring", table_head("app", "when"), expiring)
    if view.owners is not None:
        _owners(page, view.owners, every=every)
    if view.idle_spaces is not None:
        _spaces(page, view.idle_spaces, every=every)
    if view.foreign:
        page.add(f"Of other fleets: {code(clean(foreign_text(view)))}", "")
    return page.text()


def _spaces(page: Page, found: IdleSpaces, *, every: bool) -> None:
    """Add the spaces without an app, and what their figures rest on."""
    head = table_head(*(title.lower() for title in SPACE_TITLES))
    rows = [table_row(code(row[0]), *map(prose, row[1:])) for row in space_cells(found, every=every)]
    if not rows:
        page.add(f"{spaces_title(found)}.", "")
    page.section(spaces_title(found), head, rows, ("space", "spaces"))
    for note in space_notes(found, every=every):
        page.add(prose(note), "")


def _owners(page: Page, view: OwnersView, *, every: bool) -> None:
    """Add the counts of user profiles and spaces, and a table for each kind that needs attention."""
    page.add(f"**{OWNERS_TITLE}**: {prose(owners_count_line(view))}", "")
    for group in owners_amiss(view, every=every):
        rows = [table_row(prose(what), code(names)) for what, names in group.lines]
        title = prose(group.title) + (f": {with_command(group.hint)}" if group.hint else "")
        page.section(title, table_head("what", "which"), rows)


def _unwell_rows(group: Unwell) -> list[str]:
    """Return a row for each app of a group; the reason and what helps are in the first one alone."""
    cells = [*(code(key) for key in group.keys), *([f"and {group.more:,} more"] if group.more else [])]
    why = f"{group.why.rstrip('.')}." if group.why and group.hint else group.why
    said = f"{prose(why)} {with_command(group.hint)}".strip()
    return [table_row(cell, said if place == 0 else _AS_ABOVE * bool(said)) for place, cell in enumerate(cells)]
