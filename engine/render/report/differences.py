"""What is different since the run before: who failed then and now, and how the numbers moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.core.outcome import GOOD_OUTCOMES, Outcome
from engine.ports.history import NO_END, AppRecord, RunDetail, RunStory, RunTimeline
from engine.render.layout import duration

NAMED_MAX: Final = 25


@dataclass(frozen=True, slots=True)
class Change:
    """Apps that changed in one way; `more` are those that are not named."""

    words: str
    bad: bool
    count: int
    names: tuple[str, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Differences:
    """Against one earlier run: `numbers` are (what, then, now)."""

    run_id: str
    started: float
    changes: tuple[Change, ...]
    numbers: tuple[tuple[str, str, str], ...]


def differences(story: RunStory) -> Differences | None:
    """Compare a run with the one before it; None where there is none, or not every app is at hand."""
    before = story.before
    if before is None or before.apps_left_out or story.detail.apps_left_out:  # what is not here would seem to be gone
        return None
    then = {app.key: app for app in before.apps}
    now = {app.key: app for app in story.detail.apps}
    bad_then = {key for key, app in then.items() if app.outcome not in GOOD_OUTCOMES}
    bad_now = {key for key, app in now.items() if app.outcome not in GOOD_OUTCOMES}
    made = {key for key, app in now.items() if app.outcome == Outcome.CREATED.value}
    made_then = {key for key, app in then.items() if app.outcome == Outcome.CREATED.value}
    changes = (
        _change("with a new problem", bad_now - bad_then, bad=True),
        _change("with a problem again", bad_now & bad_then, bad=True),
        _change("recovered", (bad_then & now.keys()) - bad_now, bad=False),
        _change("with a problem before, and not worked on now", bad_then - now.keys(), bad=False),
        _change("created in both runs: somebody or something ends them", made & made_then, bad=True),
    )
    return Differences(
        before.run.run_id,
        before.run.started,
        tuple(change for change in changes if change.count),
        _numbers(before, story.before_timeline, story.detail, story.timeline),
    )


def _change(words: str, keys: Iterable[object], *, bad: bool) -> Change:
    names = sorted(map(str, keys))
    return Change(words, bad, len(names), tuple(names[:NAMED_MAX]), max(len(names) - NAMED_MAX, 0))


def _numbers(
    before: RunDetail, before_timeline: RunTimeline | None, now: RunDetail, timeline: RunTimeline
) -> tuple[tuple[str, str, str], ...]:
    rows = [
        ("Result", before.run.result or NO_END, now.run.result or NO_END),
        ("Took", duration(_seconds(before)), duration(_seconds(now))),
        ("Apps worked on", f"{len(before.apps):,}", f"{len(now.apps):,}"),
        ("Not ended well", f"{_bad(before.apps):,}", f"{_bad(now.apps):,}"),
    ]
    words, words_before = timeline.words, before_timeline.words if before_timeline is not None else None
    if words is not None and words_before is not None:
        counts = [sum(kinds.get("throttled", 0) for kinds in one.calls.values()) for one in (words_before, words)]
        rows.append(("Throttled calls", f"{counts[0]:,}", f"{counts[1]:,}"))
    return tuple(rows)


def _seconds(detail: RunDetail) -> float:
    run = detail.run
    return max((run.alive_at if run.ended is None else run.ended) - run.started, 0.0)


def _bad(apps: Iterable[AppRecord]) -> int:
    return sum(app.outcome not in GOOD_OUTCOMES for app in apps)
