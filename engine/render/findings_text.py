"""The findings of rules and guardrails, as every text shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.finding import Finding
    from engine.render.layout import Paint, Style


def findings_block(findings: Sequence[Finding], paint: Paint) -> str:
    """Give the findings, one each on two lines: where and what, then which rule and its place."""
    if not findings:
        return ""
    lines = [paint("bold", "Findings:")]
    for finding in findings:
        style: Style = "red" if finding.enforcement == "mandatory" else "yellow"
        subject = f"{clean(finding.key)}: " if finding.key else ""
        source = f" ({clean(finding.source)})" if finding.source else ""
        lines.append(f"  {paint(style, clean(finding.enforcement))} {subject}{clean(finding.message)}")
        lines.append(f"      rule {clean(finding.rule)}{source}")
    return "\n".join(lines)
