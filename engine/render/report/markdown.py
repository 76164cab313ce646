"""What a run did, as Markdown: for a comment, a job summary or a ticket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.core.outcome import ApplyReport, AppResult
from engine.core.text import listed
from engine.render.domains_text import unwell_domains
from engine.render.foreseen_text import foreseen_words
from engine.render.markdown import MARKDOWN_MAX_CHARS, Page, bullets, code, prose, table_head, table_row, with_command
from engine.render.owners_text import owner_result_lines
from engine.render.plan_markdown import domain_table, findings_section
from engine.render.report.text import (
    APPLY_COMMAND,
    calls_line,
    findings_beside_errors,
    next_step,
    result_line,
    trail_words,
    trails,
)
from engine.render.words import OUTCOMES

_ROW_MIN_CHARS: Final = 40  # of one app in the table of all


def report_markdown(
    report: ApplyReport, *, max_chars: int = MARKDOWN_MAX_CHARS, next_command: str = APPLY_COMMAND
) -> str:
    """Return the report, ending in a line break, in at most `max_chars` characters."""
    page = Page(max_chars, f"appfleet report {report.run_id}")
    page.add(
        f"### Fleet {code(report.fleet or '(unknown)')}: {report.result.value}", "", prose(result_line(report)), ""
    )
    step = next_step(report, next_command)
    if step:
        page.add(with_command(step), "")
    counts = [table_row(OUTCOMES[outcome], f"{count:,}") for outcome, count in report.summary.items()]
    page.section("Outcomes", table_head("outcome", "apps"), counts)
    said, lines = unwell_domains(report)
    if said:
        page.section(f"{said}{'; the others' if lines else ''}", *domain_table(lines))
    troubles = list(_troubles(report))
    page.section("What went wrong", table_head("outcome", "apps", "code", "message", "hint"), troubles)
    page.listed([f"- {prose(line.strip())}" for line in owner_result_lines(report.owners)], ("line", "lines"))
    findings_section(page, findings_beside_errors(report))
    page.listed(bullets(("Note", prose(note)) for note in report.notes), ("note", "notes"))
    if report.forecast is not None:
        page.add(prose(foreseen_words(report.forecast).capitalize()), "")
    calls = calls_line(report)
    if calls:
        page.add(f"Calls: {prose(calls)}", "")
    head = table_head("app", "outcome", "attempts", "seconds", "instance type")
    rows = [_app_row(app) for app in report.apps[: max_chars // _ROW_MIN_CHARS]]  # more never fit
    unmade = len(report.apps) - len(rows)
    page.section(f"All apps ({len(report.apps):,})", head, rows, ("app", "apps"), unmade=unmade)
    return page.text()


def _troubles(report: ApplyReport) -> Iterator[str]:
    for error in report.errors:
        yield table_row("the run", "", code(error.code), prose(error.message), with_command(error.hint))
    for trail in trails(report.apps, report.owners):
        why = trail.error
        cells = ("", "", "") if why is None else (code(why.code), prose(why.message), with_command(why.hint))
        yield table_row(trail_words(trail), _which(trail.apps), *cells)


def _which(apps: tuple[AppResult, ...]) -> str:
    count = f"{len(apps):,}: " if len(apps) > 1 else ""
    return f"{count}{code(listed([app.key for app in apps]))}"


def _app_row(app: AppResult) -> str:
    machine, seconds = prose(app.instance_type), f"{app.seconds:.1f}"
    return table_row(code(app.key), OUTCOMES[app.outcome], str(app.attempts), seconds, machine)
