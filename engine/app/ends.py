"""The end of a run in its journal, and why a run stopped before it had a plan.

A journal never stops a run, so what it could not keep is said: as an event, and as a note of the result.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from engine.core.ending import foreseen, journal_result, trouble_of
from engine.core.errors import AppfleetError, BugError, ExitCode
from engine.core.outcome import RunResult, interrupted_trouble
from engine.core.trouble import Trouble
from engine.executor.cause import Cause
from engine.ports.events import JournalFailed

if TYPE_CHECKING:
    from types import TracebackType

    from engine.adapters.state.journal import SqliteJournal
    from engine.executor.control import Control
    from engine.ports.events import Emit

NOT_KEPT: Final = (
    "What this run did may be missing from history, and `once`, quarantine and the learned rate may be out of date. "
    "Creates continue without it; deletes and replaces are not sent"
)
MAKE_ROOM: Final = "Free some space, fix the folder's owner and mode, or choose another folder with --state-dir"


class JournalEnd:
    """Closes the journal of one run, and says once what it could not keep. An exit callback of the run's stack."""

    def __init__(self, journal: SqliteJournal, control: Control, deadline_s: float, emit: Emit) -> None:
        """Report a journal that could not be opened at once."""
        self._journal = journal
        self._control = control
        self._deadline_s = deadline_s
        self._emit = emit
        self._is_told = False
        self.note()

    def note(self) -> str:
        """Return the note of a journal that is incomplete, or empty; the event is emitted once."""
        broken = self._journal.broken
        if not broken:
            return ""
        told = f"{NOT_KEPT}. {self._journal.way_out or MAKE_ROOM}"
        if not self._is_told:
            self._is_told = True
            self._emit(JournalFailed(broken, told))
        return f"{broken}. {told}"

    def __call__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close the journal of a run that may not have written its end.

        A run that could not begin called nothing that changes anything, so its end is as clean as that of the run
        before it. After anything else the next run waits until calls in flight have come to light; the reason is kept
        all the same.
        """
        if error is not None:
            called_nothing = isinstance(error, AppfleetError | asyncio.CancelledError | KeyboardInterrupt)
            clean_end = called_nothing and self._journal.memory.unclean_end_at is None
            result, code, trouble = _end_of(error, self._control, self._deadline_s)
            self._journal.finish(result, code, time.time(), trouble, clean_end=clean_end)
        self._journal.close()
        self.note()


def why_stopped(control: Control, deadline_s: float) -> Trouble:
    """Return why a run that has no plan yet was stopped."""
    if control.cause is Cause.INTERRUPTED:
        by = f" by {control.signal}" if control.signal else ""
        message = f"the run was interrupted{by} before it had a plan; nothing was changed"
        return Trouble("interrupted", message, "Run the same command again")
    if control.lost is not None:
        return control.lost
    return Trouble(
        "deadline",
        f"the run's deadline ({deadline_s:g}s) passed before every app was listed; nothing was changed",
        "Give it more time with --deadline or [execution] deadline, or select less",
    )


def _end_of(error: BaseException, control: Control, deadline_s: float) -> tuple[str, int, Trouble]:
    """Return the word, the exit code and the reason of a run that `error` ended before it had a result."""
    known = foreseen(error)
    if known is not None:
        return journal_result(known), int(known.exit_code), trouble_of(known)
    if control.cause in (Cause.DEADLINE, Cause.LOCK_LOST):
        return RunResult.FAILED.value, int(ExitCode.FAILED), why_stopped(control, deadline_s)
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        signal = control.signal or (str(error.args[0]) if error.args else "")
        return RunResult.INTERRUPTED.value, int(ExitCode.INTERRUPTED), interrupted_trouble(signal)
    bug = BugError(type(error).__name__)
    return RunResult.FAILED.value, int(bug.exit_code), trouble_of(bug)
