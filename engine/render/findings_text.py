"""The findings of rules, guardrails and checks, as every text shows them: those that say the same are one entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.core.finding import GUARDRAIL, LISTING, Finding
from engine.core.grouping import FindingGroup, grouped_findings
from engine.core.identity import word_of_key
from engine.core.limits import FINDINGS_SHOWN_MAX_COUNT
from engine.core.text import clean, count_of, listed
from engine.render.layout import Paint, Style, with_commands

_PLACED: Final = frozenset({"files", "sso", "tables"})  # the checks that have a place in a file, as rules have
# What appfleet itself checks, by the name that documents have for it; every other name is that of somebody's rule.
CHECK_NAMES: Final = {
    "adopt": "adoption",
    "assign": "assignment in IAM Identity Center",
    "claimed": "declared apps that another fleet owns",
    "convergence": "replaces that did not clear a drift",
    "files": "fleet and policy files",
    "foreign": "apps of other fleets",
    "hours": "apps in service outside their hours",
    "freeze": "freezes",
    "half_replaced": "unfinished replaces",
    "listing": "listing of the domains",
    "maintenance": "maintenance by SageMaker",
    "offboard": "offboarding",
    "orphaned": "apps that are no longer declared",
    "owners": "user profiles and spaces",
    "ownership": "ownership",
    "policies": "policy files",
    "preflight": "images, roles and types that the plan needs",
    "prune": "pruning",
    "quota": "room in the quotas",
    "quotas": "reading of the quotas",
    "replace": "replacing",
    "replace_wave": "waves of replaces",
    "restore": "reverting of updates",
    "shard": "planning of one shard",
    "spare_active": "apps in use",
    "sso": "sign-in through IAM Identity Center",
    "tables": "tables of domains",
    "tags": "reading of the tags",
    "training_plan": "training plans",
    "unchecked": "images, roles and types that the plan needs",
    "uncompared": "user profiles and spaces",
    "undo": "undoing a run",
    "unpruned": "pruning",
}


def findings_block(findings: Sequence[Finding], paint: Paint) -> str:
    """Return the findings: what and about how many, which they are, and which rule, guardrail or check says so."""
    if not findings:
        return ""
    lines = [paint("bold", "Findings:")]
    groups = grouped_findings(findings)
    for group in groups[:FINDINGS_SHOWN_MAX_COUNT]:
        style: Style = "red" if group.enforcement == "mandatory" else "yellow"
        subject = f"{'each of ' if len(group.keys) > 1 else ''}{subject_of(group)}"  # a message speaks of one
        first, *rest = with_commands(f"{subject}: {group.message}" if subject else group.message, "")
        lines.append(f"  {paint(style, clean(group.enforcement))} {first}")
        lines += [f"    {line}" for line in rest]
        if len(group.keys) > 1:
            lines.append(f"      {listed(group.keys)}")
        lines.append(f"      {origin_of(group.rule, group.source)}")
    if (more := len(groups) - FINDINGS_SHOWN_MAX_COUNT) > 0:
        lines.append(f"  and {count_of(more, 'more finding')}. --format json has all of them")
    return "\n".join(lines)


def subject_of(group: FindingGroup) -> str:
    """Return the one key that a finding is about, or how many, such as `21 spaces`; empty where it has none."""
    if group.rule == LISTING and len(group.keys) == 1:
        return ""  # its message names the domain
    if len(group.keys) <= 1:
        return clean(group.keys[0]) if group.keys else ""
    kinds = {word_of_key(key) for key in group.keys}
    return count_of(len(group.keys), kinds.pop()) if len(kinds) == 1 else f"{len(group.keys):,} apps and owners"


def origin_of(rule: str, source: str) -> str:
    """Return who says it: a rule or a guardrail with its place in the policy files, or a check of appfleet's own."""
    where = f" ({clean(source)})" if source else ""
    if rule.startswith(GUARDRAIL):
        return f"guardrail [safety].{clean(rule.removeprefix(GUARDRAIL))}{where}"
    if rule in CHECK_NAMES and (not source or rule in _PLACED):
        return f"check: {CHECK_NAMES[rule]}{where}"
    return f"rule {clean(rule)}{where}"
