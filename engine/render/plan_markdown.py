"""A plan as Markdown, for a comment on a pull request: the sum first, then what a reviewer must see, then the rest.

Long tables are folded away, and the whole stays below what a comment may have.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from engine.core.plan import Action
from engine.core.text import clean
from engine.render.layout import count_of
from engine.render.markdown import MARKDOWN_MAX_CHARS, Page, code, table_head, table_row
from engine.render.outlook import outlook_lines
from engine.render.owners_text import owner_rows
from engine.render.plan_text import APPLY_COMMAND, header_lines, quota_cells, summary_line, told_lines, verdict_lines
from engine.render.words import SYMBOLS, fallback, group_of, instance, why

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.finding import Finding
    from engine.core.plan import Change, Plan

OPEN_ROWS_MAX_COUNT: Final = 25  # a longer table is folded away
_PLAN_COMMAND: Final = "appfleet plan"


def plan_markdown(plan: Plan, *, next_command: str = APPLY_COMMAND, max_chars: int = MARKDOWN_MAX_CHARS) -> str:
    """Give the plan, ending in a line break, in fewer than `max_chars` characters."""
    page = Page(max_chars)
    page.add(f"### {summary_line(plan)}", "")
    page.add(*(f"- {label}: {code(text)}" for label, text in header_lines(plan)), "")
    page.add(*verdict_lines(plan, code(next_command)), "")
    left_out = findings_section(page, plan.findings)
    owners = [table_row(code(symbol), what, code(listed)) for symbol, what, listed in owner_rows(plan)]
    left_out += _section(page, "User profiles and spaces", ("", "what", "which"), owners)
    for domain, changes in groupby(plan.changes, key=lambda change: change.key.domain):
        left_out += _domain(page, domain, list(changes))
    drifted = [change for change in plan.drift if change.action in (Action.NONE, Action.ADOPT)]
    left_out += _section(
        page,
        "Drift, reported and left alone",
        ("app", "difference"),
        [table_row(code(change.key), code(why(change))) for change in drifted],
    )
    left_out += _section(
        page,
        "Left alone",
        ("what", "which"),
        [table_row(label, code(text)) for label, text in told_lines(plan)],
    )
    quotas = [table_row(*(code(cell) for cell in quota_cells(line))) for line in plan.quotas]
    left_out += _section(page, "Quotas", ("bucket", "used", "wanted", ""), quotas)
    page.add(*(f"- {label}: {code(text)}" for label, text in outlook_lines(plan)), "")
    page.add(f"Fingerprint {code(plan.fingerprint)}")
    return page.text(left_out, _PLAN_COMMAND)


def findings_section(page: Page, findings: Iterable[Finding]) -> int:
    """Add what rules and guardrails said; give the count of rows that did not fit."""
    rows = [
        table_row(code(f.enforcement), code(f.rule), code(f.key), code(f.message), code(f.source)) for f in findings
    ]
    return _section(page, "Findings", ("enforcement", "rule", "app", "message", "where"), rows)


def _section(page: Page, title: str, head: tuple[str, ...], rows: list[str]) -> int:
    if not rows:
        return 0
    folded = len(rows) > OPEN_ROWS_MAX_COUNT
    return page.section(f"{title} ({len(rows):,})", table_head(*head), rows, folded=folded)


def _domain(page: Page, domain: str, changes: list[Change]) -> int:
    ordered = sorted(changes, key=group_of)  # stable: within a group the order stays that of the keys
    rows = [
        table_row(
            code(SYMBOLS[change.action]),
            code(group_of(change)),
            code(f"{change.key.owner_kind}/{change.key.owner}"),
            code(f"{change.key.app_type}/{change.key.app_name}"),
            code(instance(change)),
            code("; ".join(part for part in (why(change), fallback(change)) if part)),
        )
        for change in ordered
    ]
    title = f"Domain {code(clean(domain))}: {count_of(len(rows), 'change')}"
    head = table_head("", "group", "owner", "app", "instance type", "why")
    return page.section(title, head, rows, folded=len(rows) > OPEN_ROWS_MAX_COUNT)
