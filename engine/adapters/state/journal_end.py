"""How the end of a run is written into its row of the journal. Not here: the thread that writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from engine.adapters.state.journal_owners import SingleRow
from engine.core.text import clean
from engine.core.trouble import Trouble

_START: Final = "UPDATE runs SET started = ? WHERE id = ?"
_END: Final = """
    UPDATE runs SET alive_at = max(alive_at, ?), ended = CASE WHEN ? THEN ? ELSE NULL END, result = ?,
        exit_code = ?, error_code = ?, error_message = ?, error_hint = ? WHERE id = ?"""


@dataclass(frozen=True, slots=True)
class Start(SingleRow):
    """The run begins at `at`, epoch seconds, and not when its row was written."""

    at: float

    def statement(self, run: int) -> tuple[str, tuple[Any, ...]]:
        """Return what writes it."""
        return _START, (self.at, run)


@dataclass(frozen=True, slots=True)
class End(SingleRow):
    """The end of the run; `at` is epoch seconds, `error` why it did not end well.

    One that is not `clean` is written down with its reason only: calls in flight may yet show.
    """

    result: str
    exit_code: int
    at: float
    error: Trouble | None = None
    clean: bool = True

    def row(self) -> tuple[Any, ...]:
        """Return the values of the run's row."""
        error = self.error
        texts = ("", "", "") if error is None else (error.code, error.message, error.hint)
        return (self.at, int(self.clean), self.result, self.exit_code, *map(clean, texts))

    def statement(self, run: int) -> tuple[str, tuple[Any, ...]]:
        """Return what writes it."""
        at, is_clean, *rest = self.row()
        return _END, (at, is_clean, at, *rest, run)
