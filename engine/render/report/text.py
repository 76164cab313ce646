"""What a run did, for a terminal or a mailbox: the result in one line, the counts, what went wrong and what to do.

Apps that ended for the same reason are told together: one full quota is one paragraph, not two hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.core.change import Action
from engine.core.counted import owners_counted
from engine.core.finding import LISTING, Finding, allowed_flags
from engine.core.grouping import TroubleGroup, common_text, grouped_troubles, owner_names, shape_of
from engine.core.limits import ERRORS_SHOWN_MAX_COUNT, TRAILS_SHOWN_MAX_COUNT
from engine.core.outcome import (
    GOOD_OUTCOMES,
    INCOMPLETE_OUTCOMES,
    ApplyReport,
    AppResult,
    Outcome,
    OwnerResult,
    RunResult,
)
from engine.core.text import clean, count_of, listed
from engine.core.trouble import Trouble
from engine.render.domains_text import trouble_words, unwell_domains
from engine.render.findings_text import findings_block
from engine.render.foreseen_text import foreseen_words
from engine.render.layout import Paint, Style, aligned, column_widths, duration, with_commands
from engine.render.owners_text import owner_result_lines
from engine.render.words import OUTCOMES

_RESULT_STYLES: Final[Mapping[RunResult, Style]] = {
    RunResult.CONVERGED: "green",
    RunResult.INCOMPLETE: "yellow",
    RunResult.DENIED: "red",
    RunResult.INTERRUPTED: "yellow",
    RunResult.FAILED: "red",
}
NEXT_STEPS: Final = {
    RunResult.CONVERGED: "",
    RunResult.INCOMPLETE: "Next: fix the problems above (finished apps are kept), then run: {command}",
    RunResult.DENIED: "Next: fix what the findings name (nothing was changed), then run: {command}",
    RunResult.INTERRUPTED: "To continue: {command}",
    RunResult.FAILED: "Next: fix the cause above, then run: {command}",
}
ONLY_PENDING: Final = "Next: SageMaker continues, and the next run picks these apps up: {command}"
ONLY_QUARANTINED: Final = "Next: fix what made these apps fail, then try them again: {command}"
IF_MEANT: Final = "Nothing was changed. If you mean these deletes and replaces, run: {command}"
OUT_OF_A_BUG: Final = "Next: report this bug, with the log of the run. The apps above are as listed."
APPLY_COMMAND: Final = "appfleet apply"


@dataclass(frozen=True, slots=True)
class Trail:
    """Apps that ended alike: the same outcome with the same trouble."""

    outcome: Outcome
    error: Trouble | None
    apps: tuple[AppResult, ...]


def trails(apps: Iterable[AppResult], owners: Iterable[OwnerResult] = ()) -> tuple[Trail, ...]:
    """Group the apps that did not end well, in the order of the outcomes, the largest group of each first.

    Troubles that differ in nothing but names are one, those of the apps' owners and of `owners`: the service puts them
    into its answers, and what comes first is named.
    """
    unwell = [app for app in apps if app.outcome not in GOOD_OUTCOMES]
    known = owner_names([*(str(app.key) for app in unwell), *(str(owner.owner) for owner in owners)])
    grouped: dict[tuple[Outcome, bool, tuple[str, str, str] | None], list[AppResult]] = {}
    for app in unwell:
        deleting = app.outcome is Outcome.STILL_PENDING and app.action is Action.DELETE
        grouped.setdefault((app.outcome, deleting, _shape(app.error, known)), []).append(app)
    order = list(Outcome)
    found = [Trail(outcome, _common(members, known), tuple(members)) for (outcome, *_), members in grouped.items()]
    return tuple(sorted(found, key=lambda trail: (order.index(trail.outcome), -len(trail.apps), trail.apps[0].key)))


def _shape(error: Trouble | None, known: frozenset[str]) -> tuple[str, str, str] | None:
    if error is None:
        return None
    return error.code, shape_of(error.message, known), shape_of(error.hint, known)


def _common(members: Sequence[AppResult], known: frozenset[str]) -> Trouble | None:
    """Return the trouble of a group; its hint speaks of the first app, so that a command in it can be typed."""
    errors = [app.error for app in members if app.error is not None]
    if not errors:
        return None
    return Trouble(errors[0].code, common_text([error.message for error in errors], known), errors[0].hint)


def report_text(report: ApplyReport, *, colour: bool = False, next_command: str = APPLY_COMMAND) -> str:
    """Return the whole report, ending in a line break. `next_command` is what a reader types next."""
    paint = Paint(colour)
    blocks = [
        _trails(trails(report.apps, report.owners), paint),
        _domains(report, paint),
        "\n".join(owner_result_lines(report.owners)),
        _errors(report.errors, paint),
        findings_block(findings_beside_errors(report), paint),
        "\n".join(f"Note: {clean(note)}" for note in report.notes),
        _counts(report),
        _closing(report, paint, next_command),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _trails(found: Sequence[Trail], paint: Paint) -> str:
    places = sorted(range(len(found)), key=lambda place: -len(found[place].apps))
    lines = [_trail_block(found[place], paint) for place in sorted(places[:TRAILS_SHOWN_MAX_COUNT])]
    if rest := len(places[TRAILS_SHOWN_MAX_COUNT:]):
        apps = sum(len(found[place].apps) for place in places[TRAILS_SHOWN_MAX_COUNT:])
        why = count_of(rest, "more reason")
        lines.append(
            f"{count_of(apps, 'more app')} for {why}: appfleet report shows them, --format json names each app"
        )
    return "\n".join(lines)


def _errors(errors: Sequence[Trouble], paint: Paint) -> str:
    groups = grouped_troubles(errors)
    lines = [_trouble_block(group, paint) for group in groups[:ERRORS_SHOWN_MAX_COUNT]]
    if rest := sum(max(len(group.domains), 1) for group in groups[ERRORS_SHOWN_MAX_COUNT:]):
        lines.append(f"and {count_of(rest, 'more error')}: --format json has all of them")
    return "\n".join(lines)


def _domains(report: ApplyReport, paint: Paint) -> str:
    """Return how the domains ended, where there are many."""
    said, lines = unwell_domains(report)
    if not said:
        return ""
    widths = column_widths(lines)
    return "\n".join([paint("bold", f"{said}{':' if lines else '.'}"), *(f"  {aligned(one, widths)}" for one in lines)])


def findings_beside_errors(report: ApplyReport) -> list[Finding]:
    """Return the findings but those of domains that could not be listed: the errors of the run name them already."""
    return [finding for finding in report.findings if not (report.errors and finding.rule == LISTING)]


def result_line(report: ApplyReport) -> str:
    """Return the run in one line."""
    run = f"Run {clean(report.run_id)}" + (f" of fleet {clean(report.fleet)}" if report.fleet else "")
    if not report.apps_count and not _owners_done(report) and report.result is not RunResult.CONVERGED:
        return f"{run}: {report.result.value} after {duration(report.seconds)}; nothing was changed."
    return f"{run}: {report.result.value}; {_done(report)} {duration(report.seconds)}."


def _done(report: ApplyReport) -> str:
    """Say how much was done. What the service accepted and has not finished counts as accepted, not as nothing."""
    changed = sum(report.summary.get(outcome, 0) for outcome in GOOD_OUTCOMES - {Outcome.UNCHANGED})
    apps = count_of(report.apps_count, "app")
    owners = _owners_done(report)
    if not changed and not owners and report.result is RunResult.CONVERGED:
        return f"nothing to do for {apps}; it took"
    pending = [app for app in report.apps if app.outcome is Outcome.STILL_PENDING and app.action is not Action.NONE]
    gone = f", {report.gone}," if report.gone else ""
    if not pending:
        return f"{changed:,} of {apps} changed{gone}{owners} in"
    settled = "settled" if any(app.action is Action.DELETE for app in pending) else "in service"
    return f"{changed + len(pending):,} of {apps} accepted, {changed:,} {settled}{gone}{owners} in"


def _owners_done(report: ApplyReport) -> str:
    """Return `, 30 spaces updated`; empty where no user profile or space was changed."""
    ended = ((outcome, [one.owner for one in report.owners if one.outcome is outcome]) for outcome in OUTCOMES)
    changed = GOOD_OUTCOMES - {Outcome.UNCHANGED}
    return "".join(
        f", {owners_counted(owners)} {OUTCOMES[outcome]}" for outcome, owners in ended if owners and outcome in changed
    )


def next_step(report: ApplyReport, command: str = APPLY_COMMAND) -> str:
    """Return what to do next, with the command at its end; empty when nothing is left to do.

    `command` is the one that fits how the run ended: it has the flags that let through what was refused.
    """
    if report.bug:
        return OUT_OF_A_BUG
    if report.result is RunResult.DENIED:
        lifted = allowed_flags(report.findings)
        return (IF_MEANT if lifted else NEXT_STEPS[RunResult.DENIED]).format(command=command)
    unfinished = INCOMPLETE_OUTCOMES.intersection(report.summary)
    if report.result is RunResult.INCOMPLETE and unfinished == {Outcome.STILL_PENDING}:
        return ONLY_PENDING.format(command=command)
    if report.result is RunResult.INCOMPLETE and report.only_quarantined:
        return ONLY_QUARANTINED.format(command=command)
    return NEXT_STEPS[report.result].format(command=command)


def calls_line(report: ApplyReport) -> str:
    """Return the calls by operation, `CreateApp 60 ok, 3 throttled; ListApps 5 ok`; empty when none was made."""
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
    if report.forecast is not None:
        lines.append(f"  {foreseen_words(report.forecast).capitalize()}")
    calls = calls_line(report)
    if calls:
        lines.append(f"  Calls: {calls}")
    return "\n".join(lines)


def trail_words(trail: Trail) -> str:
    """Return how the apps of a trail ended, such as `Still starting`."""
    if trail.outcome is not Outcome.STILL_PENDING:
        return OUTCOMES[trail.outcome].capitalize()
    return "Still being deleted" if trail.apps[0].action is Action.DELETE else "Still starting"


def _trail_block(trail: Trail, paint: Paint) -> str:
    head = paint("red" if trail.outcome is Outcome.FAILED else "yellow", trail_words(trail))
    lines = [f"{head}: {count_of(len(trail.apps), 'app')}: {listed([app.key for app in trail.apps])}"]
    if trail.error is not None:
        lines += _trouble_lines(trail.error)
    return "\n".join(lines)


def _trouble_block(group: TroubleGroup, paint: Paint) -> str:
    error = Trouble(group.code, trouble_words(group), group.hint)
    return "\n".join([paint("red", "Failed for the run:"), *_trouble_lines(error)])


def _trouble_lines(error: Trouble) -> list[str]:
    lines = [f"    {clean(error.code)}: {clean(error.message)}"]
    return [*lines, *with_commands(error.hint, "    ")] if error.hint else lines
