"""A plan for a terminal: what will be done to which app and why, then what a reader must know, then the sum.

Each app stands under its key, which every command takes. Columns become two lines per app when the terminal is narrow;
nothing is cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final

from engine.core.change import DESTROYING, Action, Change, Reason
from engine.core.finding import allowed_flags
from engine.core.identity import AppKey
from engine.core.limits import (
    QUOTAS_SHOWN_MAX_COUNT,
    SHAPES_SHOWN_MAX_COUNT,
    TRAILS_SHOWN_MAX_COUNT,
    UNFOLDED_MAX_COUNT,
)
from engine.core.plan import Fits, Plan, QuotaLine
from engine.core.quota_text import increase_command
from engine.core.text import clean, count_of, listed
from engine.render.domains_text import DomainLine, planned_domains
from engine.render.findings_text import findings_block
from engine.render.layout import (
    WIDTH_DEFAULT_CHARS,
    WIDTH_MIN_CHARS,
    Paint,
    Style,
    aligned,
    column_widths,
    columns_fit,
    row_lines,
)
from engine.render.outlook import outlook_lines
from engine.render.owners_text import drift_rows, owner_drift_line, owner_rows, owners_summary, unread_line
from engine.render.plan_fold import Alike, alike, by_shape
from engine.render.plan_head import LABEL_CHARS, header_lines, places
from engine.render.tag_rows import tag_rows
from engine.render.words import (
    HINTS,
    KEPT_BACK_REASONS,
    REASONS,
    STYLES,
    SYMBOLS,
    TOLD_REASONS,
    fallback,
    group_of,
    instance,
    made_with,
    on_plan,
    why,
)

_SYMBOL_CHARS: Final = 3
_INDENT: Final = "    "
_ROW_INDENT_CHARS: Final = len(_INDENT) + _SYMBOL_CHARS + 1
APPLY_COMMAND: Final = "appfleet apply"
FITS: Final = {Fits.YES: "fits", Fits.NO: "does not fit", Fits.UNKNOWN: "unknown"}
_SEVERAL: Final = {"fits": "fit", "does not fit": "do not fit"}  # FITS of several
PLAN_IS_FULL: Final = "apps that find no free instance wait until others leave the plan"


def plan_text(
    plan: Plan,
    *,
    colour: bool = False,
    width: int = WIDTH_DEFAULT_CHARS,
    next_command: str = APPLY_COMMAND,
    unfold: bool = False,
) -> str:
    """Return the plan, ending in a line break. A long one is folded by shape, unless `unfold` asks for every app.

    `width` is the terminal's, in characters. `next_command` is what a reader types to apply it; empty leaves that line
    out.
    """
    paint = Paint(colour)
    width = max(width, WIDTH_MIN_CHARS)
    fold = not unfold and len(plan.changes) > UNFOLDED_MAX_COUNT
    counted = planned_domains(plan.changes) if fold else []
    named = [change for change in plan.changes if change.action in DESTROYING] if counted else plan.changes
    blocks = [
        _header(plan, paint, unfold=unfold),
        _legend(plan.changes, paint),
        _owners(plan, paint),
        _domains(counted, paint),
        _shapes(plan.changes if counted else (), paint),
        *_changes(named, places(plan), paint, width, fold=fold, whole=unfold),
        _folded(fold, counted),
        "" if unfold else _tags(plan.changes, paint),
        _drift(plan, paint, width, unfold=unfold),
        _owner_drift(plan, paint),
        _told(plan, paint),
        findings_block(plan.findings, paint),
        _quotas(plan.quotas, paint, unfold=unfold),
        _outlook(plan, paint),
        _sum(plan, paint, next_command),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def summary_line(plan: Plan) -> str:
    """Return the one line that sums the plan up. Apps of a domain that could not be listed are unknown."""
    counts = plan.summary
    adopted = f", {counts['adopt']:,} to adopt" if counts["adopt"] else ""
    denied = f", {counts['denied']:,} denied" if counts["denied"] else ""
    unknown = f", {counts['unknown']:,} unknown" if counts["unknown"] else ""
    kept_back = _kept_back(plan)
    outside = sum(change.reason is Reason.OUTSIDE_HOURS and change.action is Action.NONE for change in plan.decisions)
    left_alone = f", {kept_back:,} left alone" * bool(kept_back) + f", {outside:,} outside their hours" * bool(outside)
    return (
        f"Plan: {counts['create']:,} to create, {counts['delete_then_create']:,} to replace, "
        f"{counts['delete']:,} to delete{adopted}; {counts['none'] - kept_back - outside:,} unchanged{left_alone}"
        f"{unknown}, {counts['unmanaged']:,} unmanaged{denied}{owners_summary(plan)}."
    )


def _kept_back(plan: Plan) -> int:
    """Count the declared apps that are not as declared and that no run changes as things are."""
    return sum(change.reason in KEPT_BACK_REASONS and change.after is not None for change in plan.decisions)


def _owners(plan: Plan, paint: Paint) -> str:
    """Return what is done about user profiles and spaces, before the apps that wait for it."""
    actions = [change.action for change in plan.owners]
    styles = {SYMBOLS[action]: STYLES[action] for action in actions}
    rows = [f"  {paint(styles[symbol], symbol)} {what}: {listed}" for symbol, what, listed in owner_rows(plan)]
    return "\n".join([paint("bold", "User profiles and spaces, before their apps:"), *rows]) if rows else ""


def _header(plan: Plan, paint: Paint, *, unfold: bool) -> str:
    lines = header_lines(plan, unfold=unfold)
    return "\n".join(f"{paint('bold', label.ljust(LABEL_CHARS))} {text}" for label, text in lines)


def _legend(changes: Sequence[Change], paint: Paint) -> str:
    used = {change.action for change in changes}
    words = {
        Action.CREATE: "create",
        Action.DELETE: "delete",
        Action.DELETE_THEN_CREATE: "delete, then create",
        Action.ADOPT: "adopt",
    }
    return "   ".join(
        f"{paint(STYLES[action], SYMBOLS[action])} {word}" for action, word in words.items() if action in used
    )


def _row(change: Change, *, whole: bool) -> tuple[str, str, str]:
    return clean(str(change.key)), instance(change), reasons(change, tags=whole)


def reasons(change: Change, *, tags: bool = False) -> str:
    """Return why, on which training plan, with what, and which other instance types may be taken, in one line."""
    parts = (why(change), on_plan(change), made_with(change, tags=tags), fallback(change))
    return "; ".join(part for part in parts if part)


def _changes(
    changes: Sequence[Change], place_of: Callable[[str], str], paint: Paint, width: int, *, fold: bool, whole: bool
) -> list[str]:
    """Return one block per domain and group, so that readers find their own team in one place."""
    ordered = sorted(changes, key=lambda change: (change.key.domain, group_of(change)))
    blocks: list[tuple[str, list[tuple[str, Sequence[Change | Alike]]]]] = []
    for domain, in_domain in groupby(ordered, key=lambda change: change.key.domain):
        groups: list[tuple[str, Sequence[Change | Alike]]] = [
            (group, alike(members) if fold else list(members)) for group, members in groupby(in_domain, key=group_of)
        ]
        blocks.append((domain, groups))
    shown = [item for _, groups in blocks for _, items in groups for item in items if not isinstance(item, Alike)]
    widths = column_widths([_row(change, whole=whole) for change in shown])
    wide = columns_fit(widths, _ROW_INDENT_CHARS, width)
    texts: list[str] = []
    for domain, groups in blocks:
        place = f" ({there})" if (there := place_of(domain)) else ""
        lines = [f"{paint('bold', f'domain {clean(domain)}')}{place}"]
        for group, items in groups:
            lines.append(f"  {paint('bold', group)}")
            for item in items:
                if isinstance(item, Alike):
                    lines.extend(_alike_lines(item, paint, width))
                else:
                    lines.extend(_lines(item, widths if wide else (), paint, width, whole=whole))
        texts.append("\n".join(lines))
    return texts


def _alike_lines(fold: Alike, paint: Paint, width: int) -> list[str]:
    action = fold.changes[0].action
    symbol = paint(STYLES[action], SYMBOLS[action].rjust(_SYMBOL_CHARS))
    indent = _ROW_INDENT_CHARS + 2
    return [f"{_INDENT}{symbol} {fold.text}", f"{' ' * indent}{fold.owners(width - indent)}"]


def _domains(lines: Sequence[DomainLine], paint: Paint) -> str:
    """Return the counts of each domain, where there are many."""
    widths = column_widths(lines)
    return "\n".join([paint("bold", "By domain:"), *(f"  {aligned(line, widths)}" for line in lines)]) if lines else ""


def _shapes(changes: Sequence[Change], paint: Paint) -> str:
    """Return what is made in all domains together, where each of them is shown by counts alone."""
    lines = shape_lines(changes)
    return "\n".join([paint("bold", "To be created or adopted:"), *(f"  {line}" for line in lines)]) if lines else ""


def shape_lines(changes: Sequence[Change]) -> list[str]:
    """Return what is made in one line per shape; of very many the largest."""
    lines = by_shape(change for change in changes if change.action not in DESTROYING)
    rest = len(lines) - SHAPES_SHOWN_MAX_COUNT
    return [*lines[:SHAPES_SHOWN_MAX_COUNT], *([f"and {rest:,} more shapes"] if rest > 0 else [])]


def _tags(changes: Sequence[Change], paint: Paint) -> str:
    rows = tag_rows(changes)
    widths = column_widths(rows)
    return "\n".join([paint("bold", "Tags:"), *(f"  {aligned(row, widths)}" for row in rows)]) if rows else ""


def _folded(fold: bool, counted: Sequence[DomainLine]) -> str:
    if counted:
        return (
            "Apps to be created or adopted are counted by domain. --all shows each of them, --domain those of a domain."
        )
    return "Apps that are created or adopted alike are one line. --all shows the key of each of them." if fold else ""


def _lines(change: Change, widths: Sequence[int], paint: Paint, width: int, *, whole: bool) -> list[str]:
    """Return one change, in columns of `widths`, or one below the other where there are none."""
    key, machine, reason = _row(change, whole=whole)
    symbol = paint(STYLES[change.action], SYMBOLS[change.action].rjust(_SYMBOL_CHARS))
    if widths:
        line, apart = row_lines((key, machine, reason), widths, _ROW_INDENT_CHARS, width)
    else:
        line, apart = key, "  ".join(part for part in (machine, reason) if part)
    below = [f"{' ' * (_ROW_INDENT_CHARS + 2)}{apart}"] if apart else []
    return [f"{_INDENT}{symbol} {line}", *below]


def _drift(plan: Plan, paint: Paint, width: int, *, unfold: bool) -> str:
    drifted = [change for change in plan.drift if change.action in (Action.NONE, Action.ADOPT)]
    if not drifted:
        return ""
    head = paint("bold", f"Drift, reported and left alone ({count_of(len(drifted), 'app')}):")
    rows = [(clean(str(change.key)), why(change)) for change in drifted]
    if len(rows) > UNFOLDED_MAX_COUNT and not unfold:
        rows = _alike_drift(drifted)
    widths = column_widths(rows)
    symbol = paint(STYLES[Action.NONE], SYMBOLS[Action.NONE])
    lines = [head]
    for row in rows:
        line, apart = row_lines(row, widths, 4, width)
        lines += [f"  {symbol} {line}", *([f"      {apart}"] if apart else [])]
    return "\n".join(lines)


def _alike_drift(drifted: Sequence[Change]) -> list[tuple[str, str]]:
    """Return how many apps differ alike, in which way, and some of their keys; the largest groups alone."""
    groups: dict[str, list[AppKey]] = {}
    for change in drifted:
        groups.setdefault(why(change), []).append(change.key)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    shown = ordered[:TRAILS_SHOWN_MAX_COUNT]
    rows = [(count_of(len(keys), "app"), f"{reason}: {listed(keys)}") for reason, keys in shown]
    if left := sum(len(keys) for _, keys in ordered[TRAILS_SHOWN_MAX_COUNT:]):
        rows.append((count_of(left, "more app"), "that differ in other ways. --all shows each of them"))
    return rows


def _owner_drift(plan: Plan, paint: Paint) -> str:
    """Return the user profiles and spaces that are not as declared and stay so, those that differ alike on one line."""
    symbol = paint(STYLES[Action.NONE], SYMBOLS[Action.NONE])
    rows = [f"  {symbol} {what}: {listed}" for what, listed in drift_rows(plan)]
    head = f"User profiles and spaces that differ, reported and left alone ({len(plan.owner_drift):,}):"
    return "\n".join([paint("bold", head), *rows]) if rows else ""


def _told(plan: Plan, paint: Paint) -> str:
    lines = [f"  {label}: {text}" for label, text in told_lines(plan)]
    return "\n".join([paint("bold", "Left alone:"), *lines]) if lines else ""


def told_lines(plan: Plan) -> list[tuple[str, str]]:
    """Return what is left alone and worth a word, as pairs of a counted reason and the names with a hint."""
    lines: list[tuple[str, str]] = []
    for reason in TOLD_REASONS:
        keys = [change.key for change in plan.decisions if change.reason is reason and change.action is Action.NONE]
        if keys:
            hint = f" ({HINTS[reason]})" if reason in HINTS else ""
            lines.append((f"{REASONS[reason]} ({len(keys):,})", f"{listed(keys)}{hint}"))
    return lines


def quota_cells(line: QuotaLine) -> tuple[str, str, str, str]:
    """Return bucket, use (`12 of 20`, `?` where unknown), what is wanted, and whether it fits."""
    used = "?" if line.used is None else f"{line.used:,}"
    value = "?" if line.value is None else f"{line.value:,}"
    return clean(line.bucket), f"{used} of {value} used", f"{line.wanted:,} wanted", FITS[line.fits]


def _quotas(quotas: Sequence[QuotaLine], paint: Paint, *, unfold: bool) -> str:
    if not quotas:
        return ""
    rest: Sequence[QuotaLine] = ()
    if len(quotas) > QUOTAS_SHOWN_MAX_COUNT and not unfold:
        ordered = sorted(quotas, key=lambda line: line.fits is not Fits.NO)
        quotas, rest = ordered[:QUOTAS_SHOWN_MAX_COUNT], ordered[QUOTAS_SHOWN_MAX_COUNT:]
    rows = [quota_cells(line) for line in quotas]
    widths = column_widths(rows)
    lines = [paint("bold", "Quotas:")]
    for row, line in zip(rows, quotas, strict=True):
        lines.append(f"  {aligned(row, widths)[: -len(row[-1])]}{paint(_fit_style(line), row[-1])}")
        lines += [f"      {one}" for one in _below(line)]
    if rest:
        fits = Counter(FITS[line.fits] for line in rest)
        said = ", ".join(count_of(count, words, _SEVERAL.get(words, words)) for words, count in fits.items())
        lines.append(f"  and {len(rest):,} more ({said}). --all shows each of them")
    return "\n".join(lines)


def _below(line: QuotaLine) -> list[str]:
    """Return what is shown below the numbers of a quota or training plan: when it can be used, and how to raise it."""
    lines = [f"reserved from {clean(line.period)}"] if line.period else []
    if line.fits is not Fits.NO:
        return lines
    if not line.quota:
        return [*lines, PLAN_IS_FULL]
    return [*lines, f"{clean(line.quota)}{f' ({clean(line.code)})' if line.code else ''}", raise_it(line)]


def raise_it(line: QuotaLine) -> str:
    """Return the command that asks for a quota in which everything would fit."""
    region = line.bucket.split("/")[1] if "/" in line.bucket else ""
    return increase_command(line.quota, region=region, used=line.used, waiting=line.wanted, code=line.code)


def _fit_style(line: QuotaLine) -> Style:
    styles: dict[Fits, Style] = {Fits.YES: "green", Fits.NO: "red", Fits.UNKNOWN: "dim"}
    return styles[line.fits]


def _outlook(plan: Plan, paint: Paint) -> str:
    return "\n".join(f"{paint('bold', f'{label}:')} {text}" for label, text in outlook_lines(plan))


def _sum(plan: Plan, paint: Paint, next_command: str) -> str:
    return "\n".join([paint("bold", summary_line(plan)), *verdict_lines(plan, next_command)])


def verdict_lines(plan: Plan, next_command: str) -> list[str]:
    """Say what follows from the plan, and what to type.

    `next_command` is the one that fits the plan: after a refusal it has the flags that let the plan through.
    """
    lines: list[str] = []
    if not plan.complete:
        lines.append("appfleet could not list every domain, so it knows nothing about the apps in the others.")
    if plan.denied:
        lines.append("Denied by a mandatory rule or a guardrail: apply would change nothing. See the findings.")
        if next_command and allowed_flags(plan.findings):
            lines.append(f"If you mean these deletes and replaces, run: {next_command}")
    elif not (plan.changes or plan.owners):
        lines += _nothing(plan)
    else:
        lines += _uncompared(plan)
        lines += [f"To apply this plan: {next_command}"] if next_command else []
    return lines


def _nothing(plan: Plan) -> list[str]:
    """Say that the plan changes nothing; it is no all-clear where something is left alone that is not as declared."""
    lines = []
    if kept_back := _kept_back(plan):
        lines.append(f"apply can do nothing for {count_of(kept_back, 'app')} left alone; see the reasons above.")
    about_owners = [line for line in (owner_drift_line(plan), unread_line(plan)) if line]
    if not plan.complete:
        return ["Nothing to do in the domains that appfleet could list.", *about_owners]
    return [*lines, *about_owners] or ["Nothing to do.", *_uncompared(plan)]


def _uncompared(plan: Plan) -> list[str]:
    """Say of how many profiles and spaces nobody looked: a change of theirs in the fleet file is not seen yet."""
    if not plan.uncompared:
        return []
    which = count_of(plan.uncompared, "user profile or space", "user profiles and spaces")
    return [f"The settings of {which} were not compared with the fleet file. To compare them: add --owners"]
