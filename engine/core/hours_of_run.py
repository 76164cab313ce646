"""What a run did because of hours: which apps it stopped, and which it made while their hours were open. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.core.change import MAKING, Action
from engine.core.desired import DesiredApp, Mode
from engine.core.hours import HoursAt, HoursLine, hours_lines
from engine.core.identity import AppKey
from engine.core.limits import HOURS_APPS_KEPT_MAX_COUNT
from engine.core.outcome import GOOD_OUTCOMES, AppResult


@dataclass(frozen=True, slots=True)
class RunHours:
    """One calendar as it was when a run began, with the apps that were stopped and started.

    Keys are sorted; of very many the first are kept, and the counts are of all.
    """

    line: HoursLine
    stopped: tuple[AppKey, ...] = ()
    started: tuple[AppKey, ...] = ()
    stopped_count: int = 0
    started_count: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as a journal keeps it."""
        keys = {"stopped": list(map(str, self.stopped)), "started": list(map(str, self.started))}
        counts = {"stopped_count": self.stopped_count, "started_count": self.started_count}
        return {**self.line.to_json(), **keys, **counts}


def hours_of_run(apps: Iterable[DesiredApp], results: Iterable[AppResult], at: datetime) -> tuple[RunHours, ...]:
    """Return what was done about each of the hours that apps have, sorted. `at` is when the run began."""
    timed = {app.key: app for app in apps if app.hours is not None and app.mode is Mode.RUNNING}
    if not timed:
        return ()
    counts = Counter(app.hours for app in timed.values() if app.hours is not None)
    now = HoursAt.of(counts, at)
    stopped: defaultdict[str, list[AppKey]] = defaultdict(list)
    started: defaultdict[str, list[AppKey]] = defaultdict(list)
    for result in results:
        app = timed.get(result.key)
        if app is None or app.hours is None or result.outcome not in GOOD_OUTCOMES:
            continue
        if result.action is Action.DELETE and now.is_outside(app.hours) and not app.is_expired(at.date()):
            stopped[app.hours.text].append(result.key)
        elif result.action in MAKING:
            started[app.hours.text].append(result.key)
    return tuple(
        _of_line(line, sorted(stopped[line.hours]), sorted(started[line.hours])) for line in hours_lines(counts, now)
    )


def _of_line(line: HoursLine, stopped: Sequence[AppKey], started: Sequence[AppKey]) -> RunHours:
    most = HOURS_APPS_KEPT_MAX_COUNT
    return RunHours(line, tuple(stopped[:most]), tuple(started[:most]), len(stopped), len(started))
