"""What `validate` found, in one line for a good fleet; the findings of admission before it."""

from __future__ import annotations

from collections.abc import Sequence

from engine.core.desired import DesiredFleet
from engine.core.finding import Finding
from engine.core.text import clean, count_of
from engine.render.findings_text import findings_block
from engine.render.layout import Paint


def validate_text(
    fleet: DesiredFleet,
    *,
    file: str,
    policy_files: int,
    warnings: int = 0,
    findings: Sequence[Finding] = (),
    tests: Sequence[tuple[str, str, Sequence[str]]] = (),
    colour: bool = False,
) -> str:
    """Return the findings, the policy tests that failed, and the closing line, ending in a line break.

    `tests` are the policy tests that were run: name, place, and what was wrong with it, nothing for one that passed.

    `fleet.toml: 62 apps, 31 users, 24 spaces, 1 domain; 2 policy files; no problems.`
    """
    users = sum(1 for owner in fleet.owners if owner.owner.kind == "user")
    spaces = len(fleet.owners) - users
    counts = ", ".join(
        (
            count_of(len(fleet.apps), "app"),
            count_of(users, "user"),
            count_of(spaces, "space"),
            count_of(len(fleet.domains), "domain"),
        )
    )
    told = [count_of(warnings, "warning")] if warnings else []
    told += [count_of(len(findings), "finding")] if findings else []
    line = f"{clean(file)}: {counts}; {count_of(policy_files, 'policy file')}; {', '.join(told) or 'no problems'}."
    blocks = [findings_block(findings, Paint(colour)), _tests_block(tests, Paint(colour)), line]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _tests_block(tests: Sequence[tuple[str, str, Sequence[str]]], paint: Paint) -> str:
    if not tests:
        return ""
    lines: list[str] = []
    for name, source, problems in tests:
        if problems:
            lines.append(f"{paint('red', 'failed')}  {clean(name)} ({clean(source)})")
            lines += (f"    {clean(problem)}" for problem in problems)
    failed = sum(1 for _, _, problems in tests if problems)
    return "\n".join([*lines, f"Policy tests: {len(tests) - failed} passed, {failed} failed."])
