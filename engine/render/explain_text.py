"""An explanation for people: fields with their layers, rules with what they saw, and the planner's decision."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from engine.core.change import Action, Reason
from engine.core.explain import Explanation, RuleLine
from engine.core.text import clean
from engine.render.findings_text import findings_block
from engine.render.layout import Paint, Style, column_widths
from engine.render.words import REASONS

_DECISIONS: Final = {
    Action.CREATE: "create it",
    Action.DELETE: "delete it",
    Action.ADOPT: "adopt it",
    Action.DELETE_THEN_CREATE: "delete it, then create it",
    Action.NONE: "leave it alone",
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
        lines.append(f"  {clean(one.rule)} ({one.enforcement}, {clean(str(one.source))}): {verdict}")
        lines += _details(one)
    return "\n".join(lines)


def _details(one: RuleLine) -> list[str]:
    details: list[str] = []
    if one.message:
        details.append(f"      {clean(one.message)}")
    if one.exception:
        details.append(f"      exception: {clean(one.exception)}")
    if one.group:
        details.append(f"      asked of {clean(one.group)}")
    if one.seen and one.verdict not in ("not_matched", "disabled"):
        details.append("      saw " + ", ".join(f"{clean(name)} = {clean(value)}" for name, value in one.seen))
    return details


def _decision(explanation: Explanation, paint: Paint) -> str:
    lines = []
    change = explanation.change
    if change is None:
        lines.append(f"What appfleet will do is not known: {clean(explanation.trouble)}")
    else:
        decision = paint("bold", _DECISIONS[change.action])
        lines.append(f"appfleet will {decision}: {REASONS[change.reason]}.")
        if change.before is not None:
            there = change.before
            status = clean(there.status_text or there.status.value)
            if change.reason is Reason.MAINTENANCE:
                status += f", made {datetime.fromtimestamp(there.created_at, UTC):%Y-%m-%d %H:%M} UTC"
            lines.append(f"  there now: {status}, {_spec(there.spec.to_json())}")
        if change.differs:
            lines.append(f"  differs in: {', '.join(change.differs)}")
    first, *rest = explanation.buckets or (None,)
    if first is not None:
        lines.append(f"  a create needs room in the bucket {clean(str(first))}")
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
