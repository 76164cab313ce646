"""The first thing that a report says: what happened, why, and what to do next. One sentence each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from engine.core.outcome import GOOD_OUTCOMES, Outcome, RunResult
from engine.core.request import ALLOW, RETRY
from engine.core.text import clean, count_of
from engine.ports.history import AppRecord, RunStory
from engine.render.layout import duration

_NEXT: Final = {
    RunResult.CONVERGED.value: "Nothing left to do. To check again:",
    RunResult.INCOMPLETE.value: "Fix the problems below (finished apps are kept), then run:",
    RunResult.DENIED.value: "Nothing was changed. Fix what the findings name, then run:",
    RunResult.INTERRUPTED.value: "To continue:",
    RunResult.FAILED.value: "Fix the cause below, then run:",
}
_ENDED: Final = {
    RunResult.CONVERGED.value: "converged",
    RunResult.INCOMPLETE.value: "ended incomplete",
    RunResult.DENIED.value: "was denied",
    RunResult.INTERRUPTED.value: "was interrupted",
    RunResult.FAILED.value: "failed",
    "": "ended without a result",
}
# Settings that could not be changed yet: whoever reads that nothing is left would not look again.
_LEFT: Final = "Nothing left to do for apps. The rest for profiles and spaces is below. To check again:"
_WITHOUT_END: Final = "The run never wrote its end. Run it again: it checks what exists before it does anything:"
_RUNNING: Final = "This page shows what the run has noted so far. To run again once it has ended:"
_CAUSE_MAX_CHARS: Final = 200


def headline(
    story: RunStory,
    apps: Sequence[AppRecord],
    summary: Mapping[str, int],
    seconds: float,
    *,
    is_running: bool = False,
) -> str:
    """Say in one sentence what happened and why."""
    run = story.detail.run
    good = sum(count for name, count in summary.items() if name in {outcome.value for outcome in GOOD_OUTCOMES})
    total = sum(summary.values())
    ended = "was still running" if is_running else _ENDED.get(run.result, f"ended {clean(run.result)}")
    what = f"The run of {clean(run.fleet)} {ended} after {duration(seconds)}: "
    if not total and run.error is not None:  # it ended before it had a plan: there is nothing to count
        return f"{what}{clean(run.error.message, _CAUSE_MAX_CHARS).rstrip('.')}."
    what += f"{good:,} of {count_of(total, 'app')} {'is' if good == 1 else 'are'} as declared"
    causes = _causes(story, apps)
    return f"{what}; {causes}." if causes else f"{what}."


def next_words(story: RunStory, apps: Sequence[AppRecord], *, is_running: bool = False) -> str:
    """Say what to do next; the command stands behind it."""
    run = story.detail.run
    if not run.result:
        return _RUNNING if is_running else _WITHOUT_END
    words = story.timeline.words
    lifts = {name for name, _ in words.asked} if words is not None else set()
    if run.result == RunResult.DENIED.value and ALLOW.kept in lifts:
        return "Nothing was changed. If you mean these deletes and replaces, run:"
    if run.result == RunResult.INCOMPLETE.value and RETRY.kept in lifts and not story.detail.apps:
        return "Fix what made these apps fail, then try them again:"
    waits = any(app.outcome in {Outcome.PARKED.value, Outcome.STILL_PENDING.value} for app in apps)
    failed = any(app.outcome in {Outcome.FAILED.value, Outcome.DENIED.value} for app in apps)
    if run.result == RunResult.INCOMPLETE.value and waits and not failed:
        return "Make room in the quotas below or wait (finished apps are kept), then run:"
    if run.result == RunResult.CONVERGED.value and any(owner.error_code for owner in story.detail.owners):
        return _LEFT
    return _NEXT.get(run.result, "Run it again:")


def _causes(story: RunStory, apps: Sequence[AppRecord]) -> str:
    """Name the commonest cause of each kind of trouble, and what failed for the run itself."""
    parts: list[str] = []
    for outcome, words in (
        (Outcome.FAILED, "failed"),
        (Outcome.PARKED, "waited for a quota that stayed full"),
        (Outcome.STILL_PENDING, "still starting or being deleted"),
        (Outcome.DENIED, "denied by a rule"),
        (Outcome.SKIPPED, "skipped"),
        (Outcome.INTERRUPTED, "interrupted"),
    ):
        hit = [app for app in apps if app.outcome == outcome.value]
        if hit:
            (code, _), *others = Counter(app.error_code or "no reason kept" for app in hit).most_common()
            parts.append(f"{len(hit):,} {words} ({'mostly ' if others else ''}{clean(code)})")
    words_of_run = story.timeline.words
    if words_of_run is not None and words_of_run.errors:
        parts.append(clean(words_of_run.errors[0].message, _CAUSE_MAX_CHARS).rstrip("."))
    error = story.detail.run.error
    if not parts and error is not None:  # what stays, or was not pruned, is no app of the run
        parts.append(clean(error.message, _CAUSE_MAX_CHARS).rstrip("."))
    return ", ".join(parts)
