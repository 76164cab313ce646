"""An explanation for people: fields with their layers, rules with what they saw, and the planner's decision."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from engine.core.change import MAKING, Action, Reason
from engine.core.explain import Explanation, RuleLine
from engine.core.identity import owner_word
from engine.core.owner_settings import Difference
from engine.core.owner_status import OwnerCondition, OwnerLine
from engine.core.text import clean
from engine.render.findings_text import findings_block
from engine.render.hours_text import hours_texts
from engine.render.layout import Paint, Style, aligned, column_widths
from engine.render.owner_status_text import OWNER_WORDS, fields_that_differ
from engine.render.owners_text import value_text
from engine.render.words import REASONS

_DECISIONS: Final = {
    Action.CREATE: "create the app",
    Action.DELETE: "delete the app",
    Action.ADOPT: "adopt the app",
    Action.DELETE_THEN_CREATE: "delete the app, then create it",
    Action.NONE: "leave the app alone",
}
_VERDICT_STYLES: Final[Mapping[str, Style]] = {
    "passed": "green",
    "denied": "red",
    "failed": "red",
    "exempt": "yellow",
    "remediated": "cyan",
}


def explain_text(explanation: Explanation, *, colour: bool = False) -> str:
    """Return the whole explanation, ending in a line break."""
    paint = Paint(colour)
    blocks = [
        _head(explanation, paint),
        _fields(explanation),
        _rules(explanation, paint),
        _owner(explanation, paint),
        _decision(explanation, paint),
        findings_block(explanation.findings, paint),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _head(explanation: Explanation, paint: Paint) -> str:
    key = paint("bold", clean(str(explanation.key)))
    app = explanation.app
    if app is None:
        return f"{key}\n  not declared by this fleet"
    facts = [f"declared at {clean(str(app.source))}", f"mode {app.mode.value}"]
    if app.team:
        facts.append(f"team {clean(app.team)}")
    if app.sharing:
        facts.append(f"in a {app.sharing} space")
    if explanation.weight:
        facts.append(f"priority {explanation.weight:g}")
    return f"{key}\n  {', '.join(facts)}"


def _fields(explanation: Explanation) -> str:
    rows = [
        (clean(one.name), clean(one.value), f"{clean(one.layer)} ({clean(str(one.source))})")
        for one in explanation.fields
    ]
    return _table("Fields, each with the layer or rule that set it:", rows)


def _rules(explanation: Explanation, paint: Paint) -> str:
    if not explanation.rules:
        return ""
    lines = ["Rules:"]
    for one in explanation.rules:
        verdict = paint(_VERDICT_STYLES.get(one.verdict, "dim"), one.verdict.replace("_", " "))
        whose = "organization, " if one.is_organizations else ""
        lines.append(f"  {clean(one.rule)} ({one.enforcement}, {whose}{clean(str(one.source))}): {verdict}")
        lines += _details(one)
    return "\n".join(lines)


def _details(one: RuleLine) -> list[str]:
    details: list[str] = []
    if one.message:
        details.append(f"      {clean(one.message)}")
    if one.exception:
        details.append(f"      exception: {clean(one.exception)}")
    if one.group:
        details.append(f"      group {clean(one.group)}")
    if one.seen and one.verdict not in ("not_matched", "disabled"):
        details.append("      saw " + ", ".join(f"{clean(name)} = {clean(value)}" for name, value in one.seen))
    return details


def _owner(explanation: Explanation, paint: Paint) -> str:
    """Return how the app's user profile or space is, each field that differs, and what the next run does about it."""
    row = explanation.owner
    if row is None:
        return ""
    state = OWNER_WORDS[row.condition][0] + (f" ({clean(row.status)})" if row.status else "")
    why = f": {clean(row.why)}" if row.why else ""
    word = owner_word(row.owner)
    lines = [f"{paint('bold', clean(word[0].upper() + word[1:]))}: {state}{why}"]
    cells = [_difference(one) for one in fields_that_differ(row)]
    widths = column_widths(cells)
    lines += ["  " + aligned(cell, widths) for cell in cells]
    next_run = _next_run(row, explanation)
    return "\n".join([*lines, *([f"  {next_run}"] if next_run else [])])


def _difference(one: Difference) -> tuple[str, ...]:
    stays = "" if one.can_be_updated else "no API call changes it"
    return clean(one.field), f"declared {value_text(one.declared)}", f"observed {value_text(one.observed)}", stays


def _next_run(row: OwnerLine, explanation: Explanation) -> str:
    """Return what a run does about an owner."""
    change = explanation.change
    makes = change is not None and change.action in MAKING
    if row.action is Action.CREATE:
        return "The next run creates it before the app."
    if row.action is Action.UPDATE:
        before = "The next run updates it before it creates the app."
        return (
            before if makes else "A run with --owners updates it, and so does the next one that compares all of them."
        )
    if row.condition is OwnerCondition.DIFFERS:
        if not any(one.can_be_updated for one in row.differs):
            return f"appfleet cannot change it: {clean(row.hint)}."
        return f"appfleet reports it and does not update it: {clean(row.hint)}."
    return f"What to do: {clean(row.hint)}." if row.hint else ""


def _decision(explanation: Explanation, paint: Paint) -> str:
    lines = []
    change = explanation.change
    if change is None:
        lines.append(f"Cannot tell what appfleet will do: {clean(explanation.trouble)}")
    else:
        decision = paint("bold", _DECISIONS[change.action])
        lines.append(f"appfleet will {decision}: {REASONS[change.reason]}.")
        if explanation.unproven:
            lines.append(f"  no app like it has run here before ({clean(explanation.unproven)}):")
            lines.append("  one of them goes first, and the others wait until it is in service")
        if change.before is not None:
            there = change.before
            status = clean(there.status_text or there.status.value)
            if change.reason is Reason.MAINTENANCE:
                status += f", made {datetime.fromtimestamp(there.created_at, UTC):%Y-%m-%d %H:%M} UTC"
            lines.append(f"  there now: {status}, {_spec(there.spec.to_json())}")
        if change.differs:
            lines.append(f"  differs in: {', '.join(change.differs)}")
    lines += (f"  {label}: {text}" for label, text in hours_texts(explanation.hours))
    first, *rest = explanation.buckets or (None,)
    if first is not None:
        lines.append(f"  a create needs room in the quota bucket {clean(str(first))}")
        lines += (f"    or, as its fallback, in {clean(str(bucket))}" for bucket in rest if bucket is not None)
    return "\n".join(lines)


def _spec(spec: dict[str, object]) -> str:
    return ", ".join(f"{name} {clean(str(value))}" for name, value in spec.items()) or "no fields"


def _table(title: str, rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    widths = column_widths(rows)
    lines = [title]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  " + "  ".join([*cells, row[-1]]).rstrip())
    return "\n".join(lines)
