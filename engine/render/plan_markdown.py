"""A plan as Markdown, for a comment on a pull request: the sum, then what a reviewer must not miss, then the rest.

What is deleted or replaced comes first and is never left out without a word. Room is reserved for findings, quotas,
cost and the fingerprint, which is the last line always. What is created is folded by shape, as in text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from engine.core.change import DESTROYING, Action, Change
from engine.core.finding import Finding
from engine.core.grouping import grouped_findings
from engine.core.limits import UNFOLDED_MAX_COUNT
from engine.core.plan import Fits, Plan, QuotaLine
from engine.core.text import clean, count_of, listed
from engine.render.domains_text import DomainLine, planned_domains
from engine.render.findings_text import origin_of, subject_of
from engine.render.markdown import (
    MARKDOWN_MAX_CHARS,
    Page,
    bullets,
    code,
    prose,
    size_of,
    table_head,
    table_row,
    with_command,
)
from engine.render.outlook import outlook_lines
from engine.render.owners_text import drift_rows, owner_rows
from engine.render.plan_fold import Alike, alike
from engine.render.plan_head import header_lines, places
from engine.render.plan_text import (
    APPLY_COMMAND,
    PLAN_IS_FULL,
    quota_cells,
    raise_it,
    reasons,
    shape_lines,
    summary_line,
    told_lines,
    verdict_lines,
)
from engine.render.tag_rows import tag_rows
from engine.render.words import SYMBOLS, group_of, instance, why

_PLAN_COMMAND: Final = "appfleet plan"
_HEADER_VALUE_MAX_CHARS: Final = 1_000  # of what a line of the head says, such as the selectors
_COMMAND_MAX_CHARS: Final = 4_000  # a longer one is a list of keys that nobody copies out of a comment
_RESERVED_SHARE: Final = 5  # findings, and what ends the page, may each take a fifth of it
_NAMED_CHARS: Final = 120  # of the owners of apps that are alike
_COMPACT_ROW_OWNERS_COUNT: Final = 40
_HEAD: Final = table_head("change", "group", "app", "instance type", "why")


def plan_markdown(plan: Plan, *, next_command: str = APPLY_COMMAND, max_chars: int = MARKDOWN_MAX_CHARS) -> str:
    """Return the plan, ending in a line break, in at most `max_chars` characters."""
    end = _end(plan, max_chars // _RESERVED_SHARE)
    findings = Page(max_chars // _RESERVED_SHARE, _PLAN_COMMAND)
    findings_section(findings, plan.findings)
    told = findings.text().strip("\n")
    page = Page(max_chars - len(end), _PLAN_COMMAND)
    _head(page, plan, next_command)
    destroys = [change for change in plan.changes if change.action in DESTROYING]
    reserved = Page(page.room - len(told) - 2, _PLAN_COMMAND)
    _destroys(reserved, destroys)
    for block in (reserved.text().strip("\n"), told):
        if block:
            page.add(block, "")
    owners = [table_row(code(symbol), prose(what), code(listed)) for symbol, what, listed in owner_rows(plan)]
    page.section(_titled("User profiles and spaces", owners), table_head("change", "what", "which"), owners)
    fold = len(plan.changes) > UNFOLDED_MAX_COUNT
    counted = planned_domains(plan.changes) if fold else []
    if counted:
        page.section("Changes by domain", *domain_table(counted))
        shapes = [table_row(prose(line)) for line in shape_lines(plan.changes)]
        page.section("To be created or adopted", table_head("what"), shapes)
        page.add(f"{code('appfleet plan --all')} names each app to be created or adopted.", "")
    made = [change for change in plan.changes if change.action not in DESTROYING and not counted]
    place_of = places(plan)
    for domain, changes in groupby(made, key=lambda change: change.key.domain):
        _made(page, _domain_title(domain, place_of(domain)), list(changes), fold=fold)
    tags = [table_row(prose(apps), code(text)) for apps, text in tag_rows(plan.changes)]
    page.section("Tags", table_head("apps", "tags"), tags)
    _left_alone(page, plan)
    return page.text() + "\n" + end


def _head(page: Page, plan: Plan, next_command: str) -> None:
    page.add(f"### {summary_line(plan)}", "")
    head = [(label, _shown(label, text)) for label, text in header_lines(plan)]
    page.add(*bullets(head), "")
    command = next_command if len(next_command) <= _COMMAND_MAX_CHARS else ""
    for line in verdict_lines(plan, "COMMAND"):
        words, found, _ = line.partition("COMMAND")
        page.add(_typed(words.strip(), command) if found else prose(line), "")


def _typed(words: str, command: str) -> str:
    """Return words with the command that they lead to; one that is too long is described instead."""
    if command:
        return f"{prose(words)} {code(command)}"
    return f"{prose(words.removesuffix(':').removesuffix(', run'))}, run {code('appfleet apply')} with the same flags."


def _shown(label: str, text: str) -> str:
    """Return a line of the head: what was typed is code, what was found is prose; a list of many keys is cut."""
    cut = clean(text, _HEADER_VALUE_MAX_CHARS)
    return code(cut) if label in ("Fleet", "Only", "With") else prose(cut)


def findings_section(page: Page, findings: Iterable[Finding]) -> None:
    """Add what rules, guardrails and checks said: what stops the run first, what is alike once."""
    rows = [
        table_row(
            prose(group.enforcement),
            prose(subject_of(group)) + (f": {code(listed(group.keys))}" if len(group.keys) > 1 else ""),
            with_command(group.message),
            prose(origin_of(group.rule, group.source)),
        )
        for group in grouped_findings(findings)
    ]
    page.section(
        _titled("Findings", rows), table_head("enforcement", "about", "message", "where"), rows, ("finding", "findings")
    )


def domain_table(lines: Iterable[DomainLine]) -> tuple[list[str], list[str]]:
    """Return the head and the rows of a table of counts by domain."""
    return table_head("domain", "apps", "which"), [
        table_row(code(line.who), prose(line.counts), code(line.names)) for line in lines
    ]


def _titled(title: str, rows: Sequence[str]) -> str:
    return f"{title} ({len(rows):,})"


def _destroys(page: Page, changes: Sequence[Change]) -> None:
    """Add each delete and replace; where a row for each does not fit, the keys alone, many to a row."""
    rows = [_row(change) for change in sorted(changes, key=lambda change: (change.key.domain, group_of(change)))]
    title = f"Deletes and replaces: {count_of(len(changes), 'app')}"
    if size_of([title, *_HEAD, *rows]) + len(title) > page.room:
        head = table_head("change", "app", "why", "owners")
        page.table(title, head, _compact_rows(changes), ("line of keys", "lines of keys"))
    else:
        page.table(title, _HEAD, rows)


def _compact_rows(changes: Sequence[Change]) -> list[str]:
    """Return rows of owners whose apps are otherwise equal: `research/space/…/JupyterLab/default` and their names."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for change in changes:
        key = change.key
        place = f"{key.domain}/{key.owner_kind}/…/{key.app_type}/{key.app_name}"
        groups.setdefault((SYMBOLS[change.action], place, why(change)), []).append(clean(key.owner))
    return [
        table_row(code(symbol), code(place), prose(reason), code(" ".join(part)))
        for (symbol, place, reason), owners in groups.items()
        for part in _parts(owners)
    ]


def _parts(owners: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(owners), _COMPACT_ROW_OWNERS_COUNT):
        yield owners[start : start + _COMPACT_ROW_OWNERS_COUNT]


def _domain_title(domain: str, place: str) -> str:
    return f"Domain {code(clean(domain))}" + (f" ({prose(place)})" if place else "")


def _made(page: Page, title: str, changes: Sequence[Change], *, fold: bool) -> None:
    rows: list[str] = []
    ordered = sorted(changes, key=group_of)  # stable: within a group the order stays that of the keys
    for _, group in groupby(ordered, key=group_of):
        members = list(group)
        rows += [
            _alike_row(item) if isinstance(item, Alike) else _row(item)
            for item in (alike(members) if fold else members)
        ]
    page.section(f"{title}: {count_of(len(changes), 'change')}", _HEAD, rows)


def _row(change: Change) -> str:
    return table_row(
        code(SYMBOLS[change.action]),
        prose(group_of(change)),
        code(change.key),
        prose(instance(change)),
        prose(reasons(change)),
    )


def _alike_row(fold: Alike) -> str:
    first = fold.changes[0]
    apps = f"{len(fold.changes):,} x {first.key.app_type}/{first.key.app_name}"
    return table_row(
        code(SYMBOLS[first.action]),
        prose(group_of(first)),
        f"{prose(apps)}: {code(fold.owners(_NAMED_CHARS))}",
        prose(instance(first)),
        prose(reasons(first)),
    )


def _left_alone(page: Page, plan: Plan) -> None:
    drifted = [change for change in plan.drift if change.action in (Action.NONE, Action.ADOPT)]
    rows = [table_row(code(change.key), code(why(change))) for change in drifted]
    page.section(_titled("Drift, reported only", rows), table_head("app", "difference"), rows)
    rows = [table_row(prose(what), code(names)) for what, names in drift_rows(plan)]
    page.section(
        _titled("User profiles and spaces that differ, reported only", rows), table_head("what", "which"), rows
    )
    rows = [table_row(prose(label), code(text)) for label, text in told_lines(plan)]
    page.section(_titled("Left alone", rows), table_head("what", "which"), rows)


def _end(plan: Plan, max_chars: int) -> str:
    """Return quotas, cost and forecast in what room there is, and the fingerprint in any case."""
    fingerprint = f"Fingerprint {code(plan.fingerprint)}\n"
    table, rest = Page(max_chars // 2, _PLAN_COMMAND), Page(max_chars // 2 - len(fingerprint) - 4, _PLAN_COMMAND)
    lines = sorted(plan.quotas, key=lambda line: line.fits is not Fits.NO)  # what does not fit is told first
    rows = [table_row(*(prose(cell) for cell in _quota_row(line))) for line in lines]
    table.section(_titled("Quotas", rows), table_head("bucket", "used", "wanted", "fits"), rows, ("quota", "quotas"))
    rest.listed([command for line in lines if line.fits is Fits.NO for command in _raise(line)], ("line", "lines"))
    rest.listed(bullets((label, prose(text)) for label, text in outlook_lines(plan)), ("line", "lines"))
    parts = [part for page in (table, rest) if (part := page.text().strip("\n"))]
    return "\n\n".join([*parts, fingerprint])


def _quota_row(line: QuotaLine) -> tuple[str, ...]:
    """Return the cells of a line; that of a training plan says from when to when it is reserved."""
    bucket, used, wanted, fits = quota_cells(line)
    where = f"{bucket} (reserved from {clean(line.period)})" if line.period else bucket
    return where, used.removesuffix(" used"), wanted.removesuffix(" wanted"), fits


def _raise(line: QuotaLine) -> list[str]:
    if not line.quota:
        return [f"{prose(line.bucket)}: {PLAN_IS_FULL}.", ""]
    return [f"To raise {prose(line.quota)}:", "", f"    {clean(raise_it(line))}", ""]
