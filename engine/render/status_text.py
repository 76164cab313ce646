"""Observed apps beside the desired ones, for a terminal: one line per team, what is not well, then each app."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from engine.core.change import Reason
from engine.core.grouping import common_text, grouped_troubles, owner_names, shape_of
from engine.core.limits import (
    DOMAINS_OPEN_MAX_COUNT,
    ERRORS_SHOWN_MAX_COUNT,
    ORPHANS_NAMED_MAX_COUNT,
    STATUS_APPS_OPEN_MAX_COUNT,
    TEAMS_SHOWN_MAX_COUNT,
)
from engine.core.status import FINE, Condition, StatusRow, StatusView, TeamLine
from engine.core.text import clean, count_of, listed
from engine.render.domains_text import trouble_words
from engine.render.findings_text import findings_block
from engine.render.hours_text import hours_block
from engine.render.idle_spaces_text import spaces_block
from engine.render.layout import (
    COLUMN_GAP,
    NOTHING,
    WIDTH_DEFAULT_CHARS,
    WIDTH_MIN_CHARS,
    Paint,
    Style,
    aligned,
    column_widths,
    columns_fit,
    row_lines,
    with_commands,
    without_empty,
    wrapped,
)
from engine.render.owner_status_text import owners_block
from engine.render.plan_head import LABEL_CHARS, lane_lines
from engine.render.status_words import REMARKS, TEAM_COLUMNS, UNWELL, unwell_words
from engine.render.words import shown

_STYLES: Final[Mapping[str, Style]] = {
    "InService": "green",
    "Pending": "yellow",
    "Deleting": "yellow",
    "Failed": "red",
    "-": "dim",
    "Deleted": "dim",
}
_TITLES: Final = ("STATUS", "OWNER", "APP", "INSTANCE TYPE", "WANTED")
_TEAM_COLUMNS_KEPT_COUNT: Final = 2


def status_text(
    view: StatusView, *, colour: bool = False, width: int = WIDTH_DEFAULT_CHARS, every: bool = False
) -> str:
    """Return the whole status, ending in a line break. `width` is the terminal's, in characters.

    With `every`, and for a few apps always, each app has a line; else those alone that are not well.
    """
    paint = Paint(colour)
    width = max(width, WIDTH_MIN_CHARS)
    head = [f"{paint('bold', 'Fleet'.ljust(LABEL_CHARS))} {clean(view.fleet)}"]
    lanes = lane_lines(view.lanes, len(view.lanes)) if every else lane_lines(view.lanes)
    head += [f"{paint('bold', label.ljust(LABEL_CHARS))} {text}" for label, text in lanes]
    unfolded = every or len(view.rows) <= STATUS_APPS_OPEN_MAX_COUNT
    if view.at:
        head.append(f"{paint('bold', 'At'.ljust(LABEL_CHARS))} {clean(view.at)}")
    blocks = [
        "\n".join(head),
        *_teams(view, paint, width, every=every),
        *(_domains(view.rows, paint, width) if unfolded else []),
        *_not_well(view, paint, width, every=every),
        *hours_block(view.hours, paint),
        *_expiring(view, paint, width, every=every),
        *([] if view.owners is None else [owners_block(view.owners, paint, width, every=every)]),
        *([] if view.idle_spaces is None else [spaces_block(view.idle_spaces, paint, width, every=every)]),
        *_foreign(view, paint, width),
        *([findings_block(view.findings, paint)] if view.findings else []),
        *_errors(view, paint),
        _sum(view, unfolded=unfolded),
    ]
    return "\n\n".join(blocks) + "\n"


def team_cells(view: StatusView, *, every: bool) -> list[tuple[str, ...]]:
    """Return the table of teams: its titles, then a row a team. The domain is told where there are several.

    Of many domains each team is one row, unless it is asked for `every`.
    """
    count = len({team.domain for team in view.teams})
    titles = ("TEAM", "DECLARED", *(title for title, _ in TEAM_COLUMNS), "EXPIRING")
    teams = view.teams
    if count > DOMAINS_OPEN_MAX_COUNT and not every:
        teams, count = _over_domains(teams), 1
    rows = [
        (
            f"{clean(team.domain)}: {clean(team.team) or '(no team)'}"
            if count > 1
            else clean(team.team) or "(no team)",
            f"{team.declared:,}",
            *(f"{team.conditions.get(condition, 0):,}" for _, condition in TEAM_COLUMNS),
            f"{team.expiring:,}",
        )
        for team in teams
    ]
    return without_empty([titles, *rows], _TEAM_COLUMNS_KEPT_COUNT) if rows else []


def _over_domains(teams: Iterable[TeamLine]) -> tuple[TeamLine, ...]:
    """Return a line for each team over all domains; of very many those that are not well, and one for the others."""
    grouped: dict[str, list[TeamLine]] = {}
    for team in teams:
        grouped.setdefault(team.team, []).append(team)
    lines = [
        _together(f"{name or '(no team)'}, {count_of(len(of_it), 'domain')}", of_it) for name, of_it in grouped.items()
    ]
    if len(lines) <= TEAMS_SHOWN_MAX_COUNT:
        return tuple(lines)
    lines.sort(key=lambda line: -sum(count for condition, count in line.conditions.items() if condition not in FINE))
    rest = lines[TEAMS_SHOWN_MAX_COUNT:]
    return (*lines[:TEAMS_SHOWN_MAX_COUNT], _together(f"{len(rest):,} more", rest))


def _together(name: str, lines: Iterable[TeamLine]) -> TeamLine:
    conditions: Counter[Condition] = Counter()
    declared = expiring = 0
    for line in lines:
        conditions.update(line.conditions)
        declared, expiring = declared + line.declared, expiring + line.expiring
    return TeamLine("", name, declared, conditions, expiring)


@dataclass(frozen=True, slots=True)
class Unwell:
    """Apps that are not well for one reason: the first of their keys, how many more there are, why and what helps."""

    keys: tuple[str, ...]
    more: int
    why: str
    hint: str


def not_well(view: StatusView, *, every: bool) -> list[tuple[str, list[Unwell], str]]:
    """Return what is not well, worst first: a title with its count, the apps by their reason, and what can be done."""
    found: list[tuple[str, list[Unwell], str]] = []
    for condition in UNWELL:
        rows: dict[tuple[str, str], list[StatusRow]] = {}
        for row in sorted(view.of(condition), key=lambda row: row.is_kept_back):
            rows.setdefault(unwell_words(row), []).append(row)
        for (words, way_out), some in rows.items():
            title = f"{words[0].upper()}{words[1:]} ({count_of(len(some), 'app')})"
            found.append((title, _by_reason(some, every=every), way_out))
    return found


def _by_reason(rows: Sequence[StatusRow], *, every: bool) -> list[Unwell]:
    """Group rows whose reasons differ in nothing but the names of their owners; without `every`, name the first ones.

    The largest groups come first, so that what most apps suffer from is never among those left out.
    """
    owners = owner_names(str(row.key) for row in rows)
    groups: dict[str, list[StatusRow]] = {}
    for row in rows:
        groups.setdefault(shape_of(_why(row), owners), []).append(row)
    left = len(rows) if every else ORPHANS_NAMED_MAX_COUNT
    found: list[Unwell] = []
    for members in sorted(groups.values(), key=len, reverse=True):
        keys = tuple(clean(str(row.key)) for row in members[:left])
        left -= len(keys)
        if not keys:
            break
        why = common_text([_why(row) for row in members], owners)
        found.append(Unwell(keys, len(members) - len(keys), clean(why), clean(members[0].hint)))
    hidden = len(rows) - sum(len(group.keys) + group.more for group in found)
    return [*found, Unwell((), hidden, "", "")] if hidden else found


def expiring_lines(view: StatusView, *, every: bool) -> list[tuple[str, str]]:
    """Return the apps that will soon expire, with their last day."""
    rows = view.expiring if every else view.expiring[:ORPHANS_NAMED_MAX_COUNT]
    lines = [
        (clean(str(row.key)), f"last day {row.desired.expires.isoformat()}, {_days(row.expires_in_days or 0)}")
        for row in rows
        if row.desired is not None and row.desired.expires is not None
    ]
    if len(view.expiring) > len(rows):
        lines.append((f"and {len(view.expiring) - len(rows):,} more", "--all names them"))
    return lines


def foreign_text(view: StatusView) -> str:
    """Name what other fleets own here, or give nothing."""
    return listed([f"{key} ({fleet})" for key, fleet in view.foreign], ORPHANS_NAMED_MAX_COUNT)


def _days(left: int) -> str:
    return "today" if left == 0 else f"in {count_of(left, 'day')}"


def _why(row: StatusRow) -> str:
    if row.condition is Condition.DRIFTED:
        return "differs in " + ", ".join(row.differs)
    return row.why


def _teams(view: StatusView, paint: Paint, width: int, *, every: bool) -> list[str]:
    """Return the table of teams, or a line for each of them where the table is wider than the terminal."""
    cells = team_cells(view, every=every)
    if not cells:
        return []
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if sum(widths) + len(COLUMN_GAP) * (len(widths) - 1) > width:
        return ["\n".join(_team_line(cells[0], row, paint) for row in cells[1:])]
    lines = []
    for place, row in enumerate(cells):
        numbers = COLUMN_GAP.join(cell.rjust(size) for cell, size in zip(row[1:], widths[1:], strict=True))
        line = f"{row[0].ljust(widths[0])}{COLUMN_GAP}{numbers}".rstrip()
        lines.append(paint("dim", line) if place == 0 else line)
    return ["\n".join(lines)]


def _team_line(titles: Sequence[str], row: Sequence[str], paint: Paint) -> str:
    counts = [f"{cell} {title.lower()}" for title, cell in zip(titles[1:], row[1:], strict=True) if cell not in NOTHING]
    return f"{paint('bold', row[0])}: {', '.join(counts)}"


def _not_well(view: StatusView, paint: Paint, width: int, *, every: bool) -> list[str]:
    blocks = []
    for title, rows, way_out in not_well(view, every=every):
        lines = [f"{paint('bold', title)}: {way_out}"]
        lines += [line for group in rows for line in _unwell_lines(group, width)]
        blocks.append("\n".join(lines))
    return blocks


def _unwell_lines(group: Unwell, width: int) -> list[str]:
    """Return one app and its reason on a line, or all apps of one reason, then the reason once, and what helps."""
    more = [(f"and {group.more:,} more: --all names them", "")] if group.more else []
    if len(group.keys) == 1 and not more:
        lines = _pairs([(group.keys[0], group.why)], width)
    else:
        lines = _pairs([*((key, "") for key in group.keys), *more], width)
        lines += [f"      {group.why}"] if group.why else []
    return lines + (with_commands(group.hint, "      ") if group.hint else [])


def _pairs(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    widths = column_widths(rows)
    lines: list[str] = []
    for row in rows:
        line, apart = row_lines(row, widths, 2, width)
        lines += [f"  {line}".rstrip(), *([f"      {apart}"] if apart else [])]
    return lines


def _expiring(view: StatusView, paint: Paint, width: int, *, every: bool) -> list[str]:
    rows = expiring_lines(view, every=every)
    if not rows:
        return []
    title = paint("bold", f"Expiring within {count_of(view.expiring_within_days, 'day')}")
    return ["\n".join([f"{title} ({count_of(len(view.expiring), 'app')}):", *_pairs(rows, width)])]


def _foreign(view: StatusView, paint: Paint, width: int) -> list[str]:
    text = foreign_text(view)
    return [wrapped(f"{paint('bold', 'Of other fleets')}: {text}", width)] if text else []


def _cells(row: StatusRow) -> tuple[str, str, str, str, str]:
    key = row.key
    wanted = row.wanted or "not declared"
    told = "differs in " + ", ".join(row.differs) if row.differs else REMARKS.get(row.reason, "")
    if row.reason in (Reason.OUTSIDE_HOURS, Reason.KEPT):
        told = clean(row.why)
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
    """Return one app, in columns of `widths`, or one below the other where there are none."""
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
    groups = grouped_troubles(view.errors)
    for group in groups[:ERRORS_SHOWN_MAX_COUNT]:
        lines.append(f"  {clean(group.code)}: {trouble_words(group)}")
        if group.hint:
            lines.append(f"    {clean(group.hint)}")
    if rest := sum(max(len(group.domains), 1) for group in groups[ERRORS_SHOWN_MAX_COUNT:]):
        lines.append(f"  and {count_of(rest, 'more domain')}. --format json has all of them")
    return ["\n".join(lines)]


def verdict(view: StatusView) -> str:
    """Return the last line: how many apps there are, in which statuses, and whether anything is amiss."""
    counts = ", ".join(
        f"{count:,} {'absent' if status == '-' else clean(status)}" for status, count in view.summary.items()
    )
    amiss = sum(row.condition not in FINE for row in view.rows)
    parts = [f"{amiss:,} {'needs' if amiss == 1 else 'need'} attention"] if amiss else []
    if view.owners is not None and view.owners.amiss:
        verb = "needs" if view.owners.amiss == 1 else "need"
        parts.append(f"{view.owners.amiss:,} of {len(view.owners.rows):,} user profiles and spaces {verb} attention")
    parts += [] if view.complete else ["not all could be listed"]
    well = "; ".join(parts) or "all is well"
    return f"{count_of(len(view.rows), 'app')}: {counts or 'none'}; {view.unmanaged:,} unmanaged; {well}."


def _sum(view: StatusView, *, unfolded: bool) -> str:
    lines = [verdict(view)]
    if not unfolded:
        lines.append("--all shows every app.")
    if view.is_new:
        lines.append("No run history found here, so quarantine and past reasons are unknown.")
    return "\n".join(lines)
