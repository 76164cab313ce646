"""What a run did, as Markdown: for a comment, a job summary or a ticket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.render.layout import names
from engine.render.markdown import MARKDOWN_MAX_CHARS, Page, code, table_head, table_row
from engine.render.owners_text import owner_result_lines
from engine.render.plan_markdown import OPEN_ROWS_MAX_COUNT, findings_section
from engine.render.report_text import APPLY_COMMAND, calls_line, next_step, result_line, trails
from engine.render.words import OUTCOMES

if TYPE_CHECKING:
    from engine.core.outcome import ApplyReport, AppResult


def report_markdown(
    report: ApplyReport, *, max_chars: int = MARKDOWN_MAX_CHARS, next_command: str = APPLY_COMMAND
) -> str:
    """Give the report, ending in a line break, in fewer than `max_chars` characters."""
    page = Page(max_chars)
    page.add(f"### Fleet {code(report.fleet)}: {report.result.value}", "", code(result_line(report)), "")
    step = next_step(report, code(next_command))
    if step:
        page.add(step, "")
    counts = [table_row(word, f"{count:,}") for word, count in _counts(report)]
    left_out = page.section("Outcomes", table_head("outcome", "apps"), counts, folded=False) if counts else 0
    left_out += _troubles(page, report)
    if report.owners:
        page.add(*(f"- {code(line.strip())}" for line in owner_result_lines(report.owners)), "")
    left_out += findings_section(page, report.findings)
    if report.notes:
        page.add(*(f"- Note: {code(note)}" for note in report.notes), "")
    calls = calls_line(report)
    if calls:
        page.add(f"Calls: {code(calls)}", "")
    if report.apps:
        rows = [_app_row(app) for app in report.apps]
        head = table_head("app", "outcome", "attempts", "seconds", "instance type")
        left_out += page.section(f"All apps ({len(rows):,})", head, rows, folded=len(rows) > OPEN_ROWS_MAX_COUNT)
    return page.text(left_out, "appfleet apply --format json")


def _counts(report: ApplyReport) -> list[tuple[str, int]]:
    return [(OUTCOMES[outcome], count) for outcome, count in report.summary.items()]


def _troubles(page: Page, report: ApplyReport) -> int:
    rows = [table_row("the run", "", code(e.code), code(e.message), code(e.hint)) for e in report.errors]
    for trail in trails(report.apps):
        error = trail.error
        cells = ("", "", "") if error is None else (code(error.code), code(error.message), code(error.hint))
        rows.append(table_row(OUTCOMES[trail.outcome], code(names([app.key for app in trail.apps])), *cells))
    if not rows:
        return 0
    return page.section("What went wrong", table_head("outcome", "apps", "code", "message", "hint"), rows, folded=False)


def _app_row(app: AppResult) -> str:
    seconds = f"{app.seconds:.1f}"
    return table_row(code(app.key), OUTCOMES[app.outcome], str(app.attempts), seconds, code(app.instance_type))
