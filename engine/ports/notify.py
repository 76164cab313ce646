"""Telling somebody of the end of a run: what is sent, and the seam behind which each channel sends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """What is sent of the run `run_id`. `document` is its report as JSON, for commands alone."""

    title: str
    text: str
    run_id: str
    document: bytes = b""


class NotSentError(Exception):
    """A receiver did not take a notice. `is_final`: another try would end the same way."""

    def __init__(self, message: str, hint: str = "", *, is_final: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.is_final = is_final


class Receiver(Protocol):
    """One channel. It is cancelled where it takes too long, and leaves nothing behind then."""

    async def send(self, notice: Notice) -> None:
        """Send it once. Raises NotSentError."""
        ...
