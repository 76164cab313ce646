"""What became of each app of a run, and the report that is their fold.

Every planned change ends in exactly one Outcome, also when the run is interrupted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from engine.core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.finding import Finding
    from engine.core.identity import AppKey, Owner
    from engine.core.plan import Action


class Outcome(StrEnum):
    """How one app ended."""

    CREATED = "created"
    ADOPTED = "adopted"
    REPLACED = "replaced"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    STILL_PENDING = "still_pending"
    PARKED = "parked"
    FAILED = "failed"
    SKIPPED = "skipped"
    DENIED = "denied"
    INTERRUPTED = "interrupted"


# An app that a `skip` rule denied is not what the fleet asks for, so the run is not converged.
INCOMPLETE_OUTCOMES = frozenset(
    {Outcome.STILL_PENDING, Outcome.PARKED, Outcome.FAILED, Outcome.SKIPPED, Outcome.DENIED}
)


QUARANTINED = "quarantined"  # the code of an app that failed in too many runs and is left alone


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an app did not end well: a stable code (the service's, or one of ours), what, and what to do."""

    code: str
    message: str
    hint: str = ""

    def to_json(self) -> dict[str, str]:
        """Give the three texts by name."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class AppResult:
    """The one outcome of one app. `seconds` runs from its first call (0 when none was made) to its end."""

    key: AppKey
    action: Action
    outcome: Outcome
    attempts: int = 0
    seconds: float = 0.0
    instance_type: str = ""
    arn: str = ""
    error: Trouble | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the entry of `apps` in `apply --format json`."""
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
        """Give the entry of `owners` in `apply --format json`."""
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
    know although nothing failed (a new journal, a journal that could not be written).
    """

    run_id: str
    fleet: str
    started: str
    seconds: float
    apps: tuple[AppResult, ...]
    calls: Mapping[str, Mapping[str, int]]
    interrupted: bool = False
    denied: bool = False
    bug: bool = False
    errors: tuple[Trouble, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    owners: tuple[OwnerResult, ...] = ()
    summary: Mapping[Outcome, int] = field(init=False)

    def __post_init__(self) -> None:
        """Fold the outcomes."""
        counts = Counter(app.outcome for app in self.apps)
        object.__setattr__(self, "summary", {o: counts[o] for o in Outcome if counts[o]})

    @property
    def result(self) -> RunResult:
        """The run in one word, the gravest first."""
        if self.interrupted:
            return RunResult.INTERRUPTED
        if self.errors or self.bug:
            return RunResult.FAILED
        if self.denied:
            return RunResult.DENIED
        ends = {*self.summary, *(owner.outcome for owner in self.owners)}
        if ends & INCOMPLETE_OUTCOMES:
            return RunResult.INCOMPLETE
        return RunResult.CONVERGED

    @property
    def only_quarantined(self) -> bool:
        """Whether nothing but quarantined apps keeps the fleet from being as declared."""
        unfinished = [app for app in self.apps if app.outcome in INCOMPLETE_OUTCOMES]
        return (
            bool(unfinished)
            and all(app.error is not None and app.error.code == QUARANTINED for app in unfinished)
            and not any(owner.outcome in INCOMPLETE_OUTCOMES for owner in self.owners)
        )

    @property
    def exit_code(self) -> ExitCode:
        """What the process tells the shell."""
        if self.bug:
            return ExitCode.BUG
        return {
            RunResult.INTERRUPTED: ExitCode.INTERRUPTED,
            RunResult.FAILED: ExitCode.FAILED,
            RunResult.DENIED: ExitCode.DENIED,
            RunResult.INCOMPLETE: ExitCode.INCOMPLETE,
            RunResult.CONVERGED: ExitCode.OK,
        }[self.result]

    def to_json(self) -> dict[str, Any]:
        """Give the document of `apply --format json`."""
        return {
            "format_version": 1,
            "run_id": self.run_id,
            "fleet": self.fleet,
            "result": self.result.value,
            "started": self.started,
            "seconds": round(self.seconds, 3),
            "summary": {outcome.value: count for outcome, count in self.summary.items()},
            "owners": [owner.to_json() for owner in self.owners],
            "apps": [app.to_json() for app in self.apps],
            "findings": [finding.to_json() for finding in self.findings],
            "calls": {name: dict(kinds) for name, kinds in sorted(self.calls.items())},
            "errors": [error.to_json() for error in self.errors],
            "notes": list(self.notes),
        }
