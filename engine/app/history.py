"""A past run by the name that a user typed: the error of one that the journal does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.adapters.state import journal_reader
from engine.core.errors import UsageError
from engine.core.limits import RUNS_COMPARED_MAX_COUNT, RUNS_NAMED_MAX_COUNT
from engine.core.nearest import nearest
from engine.core.text import clean

if TYPE_CHECKING:
    from engine.adapters.state.state_dir import StateDir

_HISTORY_HINT = "appfleet history lists the runs that are kept"


def no_such_run(state: StateDir, run_id: str, where: str, fleet: str | None = None) -> UsageError:
    """Return the error of a run, of `fleet` or of any, that is not kept, or whose name several runs begin with.

    `where` says where it is not: `in .appfleet`.
    """
    known = [record.run_id for record in journal_reader.runs(state, fleet=fleet, limit=RUNS_COMPARED_MAX_COUNT)]
    alike = [one for one in known if one.startswith(run_id)]
    if len(alike) > 1:
        shown = ", ".join(alike[:RUNS_NAMED_MAX_COUNT])
        return UsageError(f"{len(alike)} runs begin with {clean(run_id, 80)}", hint=f"Type more of it: {shown}")
    guess = nearest(run_id, known)
    hint = f"Did you mean {guess}?" if guess else _HISTORY_HINT
    return UsageError(f"there is no run {clean(run_id, 80)} {where}", hint=hint)
