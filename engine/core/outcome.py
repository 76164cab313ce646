"""What became of each app of a run, and the report that is their fold.

Every planned change ends in exactly one Outcome, also when the run is interrupted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from engine.core.change import Action
from engine.core.errors import BugError, DeniedError, ExitCode
from engine.core.finding import MANDATORY, Finding, allowed_flags, staying, uncompared, unpruned, unrestored
from engine.core.foreseen import Foreseen
from engine.core.grouping import owner_names, shape_of
from engine.core.identity import AppKey, Owner
from engine.core.ownership import READ_TAGS
from engine.core.plan import PlanLane
from engine.core.request import allowing
from engine.core.text import count_of
from engine.core.trouble import Trouble, first_of

INTERRUPTED_CODE: Final = "interrupted"
INCOMPLETE_CODE: Final = "incomplete"
SUCH_AS: Final = ". Such as "  # between the counts of an incomplete run and the trouble that most apps have
_RESULT_HINT: Final = "The result names each app with its reason"


class Outcome(StrEnum):
    """How one app ended."""

    CREATED = "created"
    ADOPTED = "adopted"
    REPLACED = "replaced"
    DELETED = "deleted"
    UPDATED = "updated"  # a user profile or space, in place
    UNCHANGED = "unchanged"
    STILL_PENDING = "still_pending"
    PARKED = "parked"
    FAILED = "failed"
    SKIPPED = "skipped"
    DENIED = "denied"
    INTERRUPTED = "interrupted"


GOOD_OUTCOMES = frozenset(
    {Outcome.CREATED, Outcome.ADOPTED, Outcome.REPLACED, Outcome.DELETED, Outcome.UPDATED, Outcome.UNCHANGED}
)
# An app that a `skip` rule denied is not what the fleet asks for, so the run is not converged.
INCOMPLETE_OUTCOMES = frozenset(
    {Outcome.STILL_PENDING, Outcome.PARKED, Outcome.FAILED, Outcome.SKIPPED, Outcome.DENIED}
)


QUARANTINED = "quarantined"  # the code of an app that failed in too many runs and is left alone


@dataclass(frozen=True, slots=True)
class AppResult:
    """The one outcome of one app. `seconds` runs from its first call (0 when none was made) to its end.

    `gone`: the app that it was to replace was deleted, and the new one is not there.
    """

    key: AppKey
    action: Action
    outcome: Outcome
    attempts: int = 0
    seconds: float = 0.0
    instance_type: str = ""
    arn: str = ""
    error: Trouble | None = None
    gone: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `apps` in `apply --format json`."""
        return {
            "key": str(self.key),
            "action": self.action.value,
            "outcome": self.outcome.value,
            "attempts": self.attempts,
            "seconds": round(self.seconds, 3),
            "instance_type": self.instance_type,
            "arn": self.arn,
            "error": None if self.error is None else self.error.to_json(),
        }


@dataclass(frozen=True, slots=True)
class OwnerResult:
    """The one outcome of one user profile or space that a run made, deleted or waited for. `seconds` as of an app."""

    owner: Owner
    action: Action
    outcome: Outcome
    attempts: int = 0
    seconds: float = 0.0
    arn: str = ""
    error: Trouble | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `owners` in `apply --format json`."""
        return {
            "owner": str(self.owner),
            "action": self.action.value,
            "outcome": self.outcome.value,
            "attempts": self.attempts,
            "seconds": round(self.seconds, 3),
            "arn": self.arn,
            "error": None if self.error is None else self.error.to_json(),
        }


class RunResult(StrEnum):
    """The run in one word."""

    CONVERGED = "converged"
    INCOMPLETE = "incomplete"
    DENIED = "denied"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What a run did. `started` is an ISO 8601 time in UTC; `calls` counts answers by operation and kind.

    `errors` holds what failed for the run or a whole domain, not for one app. `notes` holds what a reader must
    know although nothing failed (a new journal, a journal that could not be written). `interrupted_by` names the
    signal. `ended_by` is the exit code of the error that ended a run before it had a plan. `links` says where what
    `--report-to` keeps of the run is: its report, result and log. `forecast` is None where there is nothing to compare.
    `cause` is why it ended, where that is not the first of `errors` alone.
    `unnamed` counts apps by outcome that are not in `apps`: those of shards that ended well.
    """

    run_id: str
    fleet: str
    started: str
    seconds: float
    apps: tuple[AppResult, ...]
    calls: Mapping[str, Mapping[str, int]]
    interrupted: bool = False
    interrupted_by: str = ""
    denied: bool = False
    bug: bool = False
    errors: tuple[Trouble, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    owners: tuple[OwnerResult, ...] = ()
    ended_by: ExitCode | None = None
    lanes: tuple[PlanLane, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    forecast: Foreseen | None = None
    cause: Trouble | None = None
    unnamed: Mapping[Outcome, int] = field(default_factory=dict)
    summary: Mapping[Outcome, int] = field(init=False)

    def __post_init__(self) -> None:
        """Fold the outcomes."""
        counts = Counter(app.outcome for app in self.apps) + Counter(self.unnamed)
        object.__setattr__(self, "summary", {o: counts[o] for o in Outcome if counts[o]})

    @property
    def result(self) -> RunResult:
        """The run in one word, the gravest first."""
        if self.interrupted:
            return RunResult.INTERRUPTED
        if self.denied and self.ended_by is not None:
            return RunResult.DENIED
        if self.errors or self.bug:
            return RunResult.FAILED
        if self.denied:
            return RunResult.DENIED
        ends = {*self.summary, *(owner.outcome for owner in self.owners)}
        left = (
            *staying(self.findings),
            *unrestored(self.findings),
            *unpruned(self.findings),
            *uncompared(self.findings),
        )
        if ends & INCOMPLETE_OUTCOMES or left:
            return RunResult.INCOMPLETE
        return RunResult.CONVERGED

    @property
    def apps_count(self) -> int:
        """How many apps the run was about."""
        return sum(self.summary.values())

    @property
    def gone(self) -> str:
        """How many apps were deleted to be replaced and are not there again, in words; empty where none is."""
        count = sum(1 for app in self.apps if app.gone)
        return f"{count:,} deleted and not created again" if count else ""

    @property
    def only_quarantined(self) -> bool:
        """Whether nothing but quarantined apps keeps the fleet from being as declared."""
        unfinished = [app for app in self.apps if app.outcome in INCOMPLETE_OUTCOMES]
        return (
            bool(unfinished)
            and all(app.error is not None and app.error.code == QUARANTINED for app in unfinished)
            and not any(owner.outcome in INCOMPLETE_OUTCOMES for owner in self.owners)
            and not (unpruned(self.findings) or uncompared(self.findings))
        )

    @property
    def exit_code(self) -> ExitCode:
        """What the process tells the shell."""
        if self.bug:
            return ExitCode.BUG
        if self.ended_by is not None and not self.interrupted:
            return self.ended_by
        return {
            RunResult.INTERRUPTED: ExitCode.INTERRUPTED,
            RunResult.FAILED: ExitCode.FAILED,
            RunResult.DENIED: ExitCode.DENIED,
            RunResult.INCOMPLETE: ExitCode.INCOMPLETE,
            RunResult.CONVERGED: ExitCode.OK,
        }[self.result]

    @property
    def error(self) -> Trouble | None:
        """Why the run did not converge, the gravest reason first, in the same words for every channel; or None."""
        match self.result:
            case RunResult.CONVERGED:
                return None
            case RunResult.INTERRUPTED:
                return interrupted_trouble(self.interrupted_by)
            case RunResult.FAILED:
                return _failed(self)
            case RunResult.DENIED:
                return first_of(self.errors) if self.errors else denied_trouble(self.findings)
        return _incomplete(self)

    def failure_json(self) -> dict[str, Any]:
        """Return the document of a command that only looks and has no result, since something ended it."""
        names = ("format_version", "run_id", "fleet", "result", "exit_code", "error", "errors")
        document = self.to_json()
        return {**{name: document[name] for name in names}, "complete": False}

    def to_json(self) -> dict[str, Any]:
        """Return the whole document as plain values."""
        return {
            name: [row.to_json() for row in value] if isinstance(value, tuple) else value
            for name, value in self.document().items()
        }

    def document(self) -> dict[str, Any]:
        """Return the document of `apply --format json` with its rows as they are: each has a `to_json` of its own."""
        error = self.error
        return {
            "format_version": 1,
            "run_id": self.run_id,
            "fleet": self.fleet,
            "result": self.result.value,
            "exit_code": int(self.exit_code),
            "error": None if error is None else error.to_json(),
            "lanes": self.lanes,
            "started": self.started,
            "seconds": round(self.seconds, 3),
            "summary": {outcome.value: count for outcome, count in self.summary.items()},
            "owners": self.owners,
            "apps": self.apps,
            "findings": self.findings,
            "calls": {name: dict(kinds) for name, kinds in sorted(self.calls.items())},
            "errors": self.errors,
            "notes": list(self.notes),
            "links": dict(self.links),
            "forecast": None if self.forecast is None else self.forecast.to_json(),
        }


def interrupted_trouble(signal: str) -> Trouble:
    """Return the trouble of a run that a signal stopped; `signal` is its name, or empty where it is not known."""
    by = f" by {signal}" if signal else ""
    return Trouble(INTERRUPTED_CODE, f"The run was interrupted{by}", "Run the same command again to continue")


def _failed(report: ApplyReport) -> Trouble:
    bugs = [error for error in report.errors if error.code == BugError.code]
    if report.bug and bugs:
        return bugs[0]
    if not report.errors:
        return Trouble(BugError.code, "The run failed because of a bug in appfleet", BugError("").hint)
    return report.cause or first_of(report.errors)


def denied_trouble(findings: Sequence[Finding]) -> Trouble:
    """Return why a plan was denied, with the flag that lets it through where there is one."""
    blocking = [finding for finding in findings if finding.enforcement == MANDATORY]
    if not blocking:
        return Trouble(DeniedError.code, "A mandatory rule or a guardrail denied the plan", _RESULT_HINT)
    first = blocking[0]
    more = f" (and {len(blocking) - 1:,} more)" if len(blocking) > 1 else ""
    where = f" ({first.source})" if first.source else ""
    subject = f"{first.key}: " if first.key else ""
    return Trouble(
        DeniedError.code,
        f"Rule {first.rule}{where} denied the plan: {subject}{first.message}{more}",
        f"Nothing was changed. {_way_through(blocking)}",
    )


def _way_through(blocking: Sequence[Finding]) -> str:
    added = allowing(allowed_flags(blocking))
    if not added:
        return "Change the fleet or the rule, then run again"
    return f"If you mean these deletes and replaces, add {added}"


def _incomplete(report: ApplyReport) -> Trouble:
    counts = {outcome.value: count for outcome, count in report.summary.items() if outcome in INCOMPLETE_OUTCOMES}
    shown = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    owners = sum(1 for owner in report.owners if owner.outcome in INCOMPLETE_OUTCOMES)
    parts = [f"{shown} of {count_of(report.apps_count, 'app')}"] if shown else []
    parts += [report.gone] if report.gone else []
    parts += [f"{_owners(owners)} did not end well"] if owners else []
    stay = staying(report.findings)
    parts += [f"{_owners(len(stay))} not deleted"] if stay else []
    kept = unrestored(report.findings)
    parts += [f"{_owners(len(kept))} not put back"] if kept else []
    unread = uncompared(report.findings)
    parts += [f"{_owners(len(unread))} could not be read and kept as declared"] if unread else []
    stay = (*stay, *kept, *unread)
    left = unpruned(report.findings)
    parts += [finding.message.partition(". ")[0] for finding in left]  # what to do about it is the hint
    cause = _commonest(report)
    if cause is None and stay:
        return Trouble(INCOMPLETE_CODE, f"{'; '.join(parts)}. Such as {stay[0].key}: {stay[0].message}", _RESULT_HINT)
    if cause is None:
        return Trouble(INCOMPLETE_CODE, "; ".join(parts), READ_TAGS if left else _RESULT_HINT)
    key, trouble = cause
    said = f"{'; '.join(parts)}{SUCH_AS}{key}: {trouble.code}: {trouble.message}"
    return Trouble(INCOMPLETE_CODE, said, trouble.hint or _RESULT_HINT)


def _owners(count: int) -> str:
    return count_of(count, "user profile or space", "user profiles or spaces")


def _commonest(report: ApplyReport) -> tuple[str, Trouble] | None:
    """Return what most apps or owners suffer from, with the first of them: the one line of an end names it.

    What was skipped is not asked where anything else did not end well: it is often the other's consequence.
    """
    ends = [(str(app.key), app.outcome, app.error) for app in report.apps if app.outcome in INCOMPLETE_OUTCOMES]
    ends += [(str(one.owner), one.outcome, one.error) for one in report.owners if one.outcome in INCOMPLETE_OUTCOMES]
    tried = [end for end in ends if end[1] is not Outcome.SKIPPED and end[2] is not None]
    troubled = [(key, error) for key, _, error in tried or ends if error is not None]
    names = owner_names(key for key, _ in troubled)  # a hint may name the log of one app
    shapes = {hint: shape_of(hint, names) for hint in {error.hint for _, error in troubled}}
    counts = Counter((error.code, shapes[error.hint]) for _, error in troubled)
    return max(troubled, key=lambda one: counts[one[1].code, shapes[one[1].hint]], default=None)
