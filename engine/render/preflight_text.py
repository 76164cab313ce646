"""A preflight for people: what would make apps fail, what could not be checked, and the sum."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from engine.core.limits import FINDINGS_SHOWN_MAX_COUNT
from engine.core.preflight import Check, Preflight, Result, needed_by
from engine.core.text import clean, count_of, listed
from engine.render.layout import Paint
from engine.render.plan_head import LABEL_CHARS, lane_lines

_NAMED_MAX_COUNT: Final = 5
_SEVERAL: Final = {"attachment to a domain": "attachments to domains"}


def preflight_text(found: Preflight, *, colour: bool = False) -> str:
    """Return the whole of it, ending in a line break."""
    paint = Paint(colour)
    blocks = [_head(found, paint), _faults(found, paint), _unchecked(found, paint), _fine(found), _sum(found)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _head(found: Preflight, paint: Paint) -> str:
    lines = [("Fleet", clean(found.fleet)), *lane_lines(found.lanes)]
    return "\n".join(f"{paint('bold', label.ljust(LABEL_CHARS))} {text}" for label, text in lines)


def _of(found: Preflight, result: Result) -> list[Check]:
    return [check for check in found.checks if check.result is result]


def _faults(found: Preflight, paint: Paint) -> str:
    faults = _of(found, Result.FAULT)
    if not faults:
        return ""
    lines = [paint("bold", "Missing or unusable:")]
    for check in faults[:FINDINGS_SHOWN_MAX_COUNT]:
        lines += [f"  {paint('red', check.why)}", f"      needed by {needed_by(check)}", f"      {check.hint}"]
    if len(faults) > FINDINGS_SHOWN_MAX_COUNT:
        lines.append(f"  and {len(faults) - FINDINGS_SHOWN_MAX_COUNT:,} more; --format json has all")
    return "\n".join(lines)


def _unchecked(found: Preflight, paint: Paint) -> str:
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for check in _of(found, Result.NOT_CHECKED):
        by_reason[check.why].append(clean(check.need.shown))
    if not by_reason:
        return ""
    lines = [paint("bold", "Not checked:")]
    for why, names in by_reason.items():
        lines += [f"  {listed(names, _NAMED_MAX_COUNT)}", f"      {why}"]
    return "\n".join(lines)


def _fine(found: Preflight) -> str:
    fine = _of(found, Result.OK)
    counts = Counter("attachment to a domain" if check.need.domain else check.need.kind.value for check in fine)
    told = ", ".join(count_of(count, kind, _SEVERAL.get(kind, "")) for kind, count in sorted(counts.items()))
    return f"Fine: {told}." if told else ""


def _sum(found: Preflight) -> str:
    if not found.checks:
        return "Preflight: the plan needs nothing that can be checked."
    counts = found.summary
    said = f"{counts['ok']:,} fine, {count_of(counts['fault'], 'fault')}, {counts['not_checked']:,} not checked"
    lines = [f"Preflight: {count_of(len(found.checks), 'check')}: {said}."]
    if not found.complete:
        lines.append("A domain could not be listed, so this is not all: see appfleet plan")
    if found.denied:
        lines.append("Rules or guardrails deny the plan: see appfleet plan")
    return "\n".join(lines)
