"""What a run did, for a terminal or a mailbox: the result in one line, the counts, what went wrong and what to do.

Apps that ended for the same reason are told together: one full quota is one paragraph, not two hundred.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.core.outcome import INCOMPLETE_OUTCOMES, Outcome, RunResult
from engine.core.text import clean
from engine.render.findings_text import findings_block
from engine.render.layout import Paint, count_of, duration, names
from engine.render.owners_text import owner_result_lines
from engine.render.words import GOOD_OUTCOMES, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.core.outcome import ApplyReport, AppResult, Trouble
    from engine.render.layout import Style

_RESULT_STYLES: Final[Mapping[RunResult, Style]] = {
    RunResult.CONVERGED: "green",
    RunResult.INCOMPLETE: "yellow",
    RunResult.DENIED: "red",
    RunResult.INTERRUPTED: "yellow",
    RunResult.FAILED: "red",
}
NEXT_STEPS: Final = {
    RunResult.CONVERGED: "",
    RunResult.INCOMPLETE: "Next: mend what is named above; what is done stays. Then run: {command}",
    RunResult.DENIED: "Next: change the fleet or ask for an exception to the rule; nothing was changed.",
    RunResult.INTERRUPTED: "Next: it goes on from what is there with: {command}",
    RunResult.FAILED: "Next: mend the cause named above, then run: {command}",
}
ONLY_PENDING: Final = "Next: they go on starting by themselves, and the next run picks them up: {command}"
APPLY_COMMAND: Final = "appfleet apply"


@dataclass(frozen=True, slots=True)
class Trail:
    """Apps that ended alike: the same outcome with the same trouble."""

    outcome: Outcome
    error: Trouble | None
    apps: tuple[AppResult, ...]


def trails(apps: Iterable[AppResult]) -> tuple[Trail, ...]:
    """Group the apps that did not end well, in the order of the outcomes, the largest group of each first."""
    grouped: dict[tuple[Outcome, Trouble | None], list[AppResult]] = {}
    for app in apps:
        if app.outcome not in GOOD_OUTCOMES:
            grouped.setdefault((app.outcome, app.error), []).append(app)
    order = list(Outcome)
    found = [Trail(outcome, error, tuple(members)) for (outcome, error), members in grouped.items()]
    return tuple(sorted(found, key=lambda trail: (order.index(trail.outcome), -len(trail.apps), trail.apps[0].key)))


def report_text(report: ApplyReport, *, colour: bool = False, next_command: str = APPLY_COMMAND) -> str:
    """Give the whole report, ending in a line break. `next_command` is what a reader types to go on."""
    paint = Paint(colour)
    blocks = [
        "\n".join(_trail_block(trail, paint) for trail in trails(report.apps)),
        "\n".join(owner_result_lines(report.owners)),
        "\n".join(_trouble_block(error, paint) for error in report.errors),
        findings_block(report.findings, paint),
        "\n".join(f"Note: {clean(note)}" for note in report.notes),
        _counts(report),
        _closing(report, paint, next_command),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def result_line(report: ApplyReport) -> str:
    """Give the run in one line."""
    changed = sum(report.summary.get(outcome, 0) for outcome in GOOD_OUTCOMES - {Outcome.UNCHANGED})
    if not changed and report.result is RunResult.CONVERGED:
        done = f"nothing to do for {count_of(len(report.apps), 'app')}; it took"
    else:
        done = f"{changed:,} of {count_of(len(report.apps), 'app')} changed in"
    run = f"Run {clean(report.run_id)} of fleet {clean(report.fleet)}"
    return f"{run}: {report.result.value}; {done} {duration(report.seconds)}."


def next_step(report: ApplyReport, command: str = APPLY_COMMAND) -> str:
    """Say what to do next, with the command; empty when nothing is left to do."""
    if report.bug:
        return "Next: report this as a bug, with the log of the run. What was done is told above."
    unfinished = INCOMPLETE_OUTCOMES.intersection(report.summary)
    if report.result is RunResult.INCOMPLETE and unfinished == {Outcome.STILL_PENDING}:
        return ONLY_PENDING.format(command=command)
    return NEXT_STEPS[report.result].format(command=command)


def calls_line(report: ApplyReport) -> str:
    """Give the calls by operation, `CreateApp 60 ok, 3 throttled; ListApps 5 ok`; empty when none was made."""
    parts = [
        f"{clean(name)} " + ", ".join(f"{count:,} {clean(kind.replace('_', ' '))}" for kind, count in kinds.items())
        for name, kinds in sorted(report.calls.items())
        if kinds
    ]
    return "; ".join(parts)


def _closing(report: ApplyReport, paint: Paint, command: str) -> str:
    line = paint(_RESULT_STYLES[report.result], result_line(report))
    return "\n".join(part for part in (line, next_step(report, command)) if part)


def _counts(report: ApplyReport) -> str:
    rows = [(f"{count:,}", OUTCOMES[outcome]) for outcome, count in report.summary.items()]
    width = max((len(number) for number, _ in rows), default=0)
    lines = [f"  {number.rjust(width)} {word}" for number, word in rows]
    calls = calls_line(report)
    if calls:
        lines.append(f"  Calls: {calls}")
    return "\n".join(lines)


def _trail_block(trail: Trail, paint: Paint) -> str:
    style: Style = "red" if trail.outcome is Outcome.FAILED else "yellow"
    head = paint(style, f"{OUTCOMES[trail.outcome].capitalize()}: {count_of(len(trail.apps), 'app')}")
    keys = names([app.key for app in trail.apps])
    lines = [f"{head}: {keys}"]
    if trail.error is not None:
        lines += _trouble_lines(trail.error)
    return "\n".join(lines)


def _trouble_block(error: Trouble, paint: Paint) -> str:
    return "\n".join([paint("red", "Failed for the run:"), *_trouble_lines(error)])


def _trouble_lines(error: Trouble) -> list[str]:
    lines = [f"    {clean(error.code)}: {clean(error.message)}"]
    if error.hint:
        lines.append(f"    {clean(error.hint)}")
    return lines
