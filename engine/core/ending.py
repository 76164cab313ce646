"""The report of a run that ended before it had a plan: an error or a signal goes in, a report comes out.

So every end has a report, and every channel writes it the same way. Not here: the channels (the command line's
`ending`), and why a run with a plan did not converge (`outcome`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from engine.core.errors import AppfleetError, BugError, ConfigError, DeniedError, ExitCode, NotConfirmedError
from engine.core.limits import ENDING_PROBLEMS_MAX_COUNT
from engine.core.outcome import ApplyReport, RunResult, denied_trouble
from engine.core.plan import Plan
from engine.core.trouble import Trouble, first_of

DECLINED: Final = "declined"  # the result of a run whose plan got a no, in the journal


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a run that has no result: `fleet` may be empty, `started` is an ISO 8601 time in UTC."""

    run_id: str
    fleet: str
    started: str
    seconds: float


def trouble_of(error: AppfleetError) -> Trouble:
    """Return an error as it is written into results; of a broken file its first problem, with how many there are."""
    if isinstance(error, ConfigError) and error.diagnostics:
        first = error.diagnostics[0]
        return Trouble(error.code, f"{first.place()} ({error.message})", first.hint or error.hint)
    return Trouble(error.code, error.message, error.hint)


def foreseen(error: BaseException) -> AppfleetError | None:
    """Return the error of ours that `error` is or holds; None when anything in it was not foreseen."""
    single = list(leaves(error))
    found = [leaf for leaf in single if isinstance(leaf, AppfleetError)]
    if len(found) < len(single):
        return None
    return max(found, key=lambda leaf: leaf.exit_code, default=None)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the single errors that `error` is or holds, in order."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def failed_report(error: AppfleetError, head: Head) -> ApplyReport:
    """Return the report of a run that `error` ended before it had a plan. Each problem of a file is an error of it."""
    problems = error.diagnostics[:ENDING_PROBLEMS_MAX_COUNT] if isinstance(error, ConfigError) else ()
    why = trouble_of(error)
    return replace(
        _empty_report(head),
        cause=why,
        denied=isinstance(error, DeniedError),
        bug=isinstance(error, BugError),
        errors=tuple(Trouble(one.code, one.place(), one.hint) for one in problems) or (why,),
        ended_by=error.exit_code,
    )


def interrupted_report(signal: str, head: Head) -> ApplyReport:
    """Return the report of a run that a signal ended before it had a plan or an answer."""
    return replace(_empty_report(head), interrupted=True, interrupted_by=signal)


def _empty_report(head: Head) -> ApplyReport:
    return ApplyReport(head.run_id, head.fleet, head.started, head.seconds, apps=(), calls={})


def plan_trouble(made: Plan) -> Trouble | None:
    """Return why a plan ended its command with an error, for the log; None where it did not."""
    if not made.complete:
        if made.errors:
            return first_of(made.errors)
        message = "The plan is not complete: its findings say why"
        return Trouble("incomplete_plan", message, "Fix what the message names, then run it again")
    return denied_trouble(made.findings) if made.denied else None


def journal_result(error: AppfleetError) -> str:
    """Return the one word that the journal keeps of a run that `error` ended before it had a plan."""
    if isinstance(error, NotConfirmedError):
        return DECLINED
    return (RunResult.DENIED if isinstance(error, DeniedError) else RunResult.FAILED).value


def word_of(code: int) -> str:
    """Return the one word for the end of a command that only looks; 2 says that it found changes."""
    return {
        int(ExitCode.OK): "done",
        int(ExitCode.CHANGES): "done",
        int(ExitCode.DENIED): RunResult.DENIED.value,
        int(ExitCode.INTERRUPTED): RunResult.INTERRUPTED.value,
    }.get(code, RunResult.FAILED.value)
