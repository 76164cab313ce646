"""The simulated service with what a listing hides: rows that lag, apps that stay Pending, a record of all that was.

The world itself is the product's own simulator; here it is only watched, and shown as it was a moment ago.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, Final

from engine.ports.cloud import AppRow
from engine.simulator import changes
from engine.simulator.records import IN_SERVICE, PENDING, App, AppId
from engine.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER_SETTLES_SECONDS: Final = 1e7


class SimWorld(World):
    """A world whose listings lag by at most `lag_max_s` a row, and where an app stays Pending with a probability."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.lag_max_s = 0.0
        self.stuck_probability = 0.0
        self.history: dict[int, list[tuple[float, str]]] = {}
        self.previous: dict[AppId, App] = {}
        self.lags: dict[int, float] = {}
        self.on_departure: Callable[[App], None] = lambda _: None

    def draw(self, bounds: tuple[float, float]) -> float:
        if bounds is self.timing.app_pending and self.stuck_probability and self.rng.random() < self.stuck_probability:
            return NEVER_SETTLES_SECONDS
        return super().draw(bounds)

    def add_app(self, app: App) -> None:
        old = self.apps.get(app.key)
        super().add_app(app)
        self.history[app.seq] = [(self.now, app.status)]
        if old is not None:
            self.previous[app.key] = old
        if self.lag_max_s:
            self.lags[app.seq] = self.rng.uniform(0.0, self.lag_max_s)

    def set_app_status(self, app: App, status: str) -> None:
        super().set_app_status(app, status)
        self.history[app.seq].append((self.now, status))
        if not app.is_alive:
            self.on_departure(app)

    def was_in_service(self, app: App) -> bool:
        """Whether this generation was ever in service."""
        return any(status == IN_SERVICE for _, status in self.history[app.seq])

    def shown(self, app: App) -> AppRow | None:
        """Give the row of an app as a listing shows it now; None for one that does not show yet."""
        seen_at = self.now - self.lags.get(app.seq, 0.0)
        status = next((status for at, status in reversed(self.history[app.seq]) if at <= seen_at), "")
        if not status:
            older = self.previous.get(app.key)
            return None if older is None else row_of(older, older.status)
        return row_of(app, status)

    def clear_changes(self) -> None:
        """Forget what other people and the account's owner still meant to do; calls on their way arrive."""
        self._heap = [entry for entry in self._heap if type(entry[2]).__module__ != changes.__name__]
        heapq.heapify(self._heap)

    def settle_everything(self) -> None:
        """End what is stuck, and let nothing be stuck or lag any more."""
        self.stuck_probability = self.lag_max_s = 0.0
        self.lags.clear()
        for app in self.apps.values():
            if app.status == PENDING:
                app.will_fail = ""
                self.set_due(app, self.now + 1.0)


def row_of(app: App, status: str) -> AppRow:
    """Give a row of ListApps."""
    key = app.key
    return AppRow(key.owner_kind, app.owner, key.app_type, key.app_name, status, app.created_at, app.spec)
