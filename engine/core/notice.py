"""Which ends of a run a `[[notify]]` is told of. Pure. Not here: the words (`render.notice_text`)."""

from __future__ import annotations

from typing import Final

from engine.core.outcome import ApplyReport, Outcome
from engine.core.settings import NotifyChannel

CHANGED: Final = "changed"
ALWAYS: Final = "always"
_CHANGES: Final = frozenset({Outcome.CREATED, Outcome.ADOPTED, Outcome.REPLACED, Outcome.DELETED, Outcome.UPDATED})


def is_wanted(channel: NotifyChannel, report: ApplyReport) -> bool:
    """Whether the channel is told of this end."""
    return not channel.when.isdisjoint({ALWAYS, report.result.value, *([CHANGED] if has_changed(report) else [])})


def has_changed(report: ApplyReport) -> bool:
    """Whether the run changed an app, a user profile or a space."""
    return not _CHANGES.isdisjoint({*report.summary, *(owner.outcome for owner in report.owners)})
