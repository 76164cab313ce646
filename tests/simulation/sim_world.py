"""The simulated service with what a listing hides: rows that lag, apps that stay Pending, a record of all that was.

The world itself is the product's own simulator; here it is only watched, and shown as it was a moment ago.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, Final

from engine.core.identity import SPACE, USER
from engine.ports.cloud import AppRow
from engine.simulator.scenario import changes
from engine.simulator.world.records import FAILED, IN_SERVICE, PENDING, App, AppId, Profile, Space
from engine.simulator.world.values import NEVER
from engine.simulator.world.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER_SETTLES_SECONDS: Final = 1e7


class SimWorld(World):
    """A world whose listings lag by at most `lag_max_s` a row, and where an app stays Pending with a probability."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.lag_max_s = 0.0
        self.stuck_probability = 0.0
        self.owner_stuck_probability = 0.0
        self.owner_failure_probability = 0.0
        self.owner_in_service_at: dict[tuple[str, str, str], float] = {}  # the last time that it became so
        self.history: dict[int, list[tuple[float, str]]] = {}
        self.previous: dict[AppId, App] = {}
        self.lags: dict[int, float] = {}
        self.on_departure: Callable[[App], None] = lambda _: None

    def draw(self, bounds: tuple[float, float]) -> float:
        if bounds is self.timing.app_pending and self.stuck_probability and self.rng.random() < self.stuck_probability:
            return NEVER_SETTLES_SECONDS
        is_of_owner = bounds is self.timing.profile_pending or bounds is self.timing.space_pending
        if is_of_owner and self.owner_stuck_probability and self.rng.random() < self.owner_stuck_probability:
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

    def _settle_owner(self, owner: Profile | Space, due: float) -> None:
        pending = owner.due == due and owner.status == PENDING
        if pending and self.owner_failure_probability and self.rng.random() < self.owner_failure_probability:
            owner.status, owner.due = FAILED, NEVER
            return
        super()._settle_owner(owner, due)
        if pending:
            kind, name = (SPACE, owner.name) if isinstance(owner, Space) else (USER, owner.name.lower())
            self.owner_in_service_at[owner.domain_id, kind, name] = self.now

    def was_in_service(self, app: App) -> bool:
        """Whether this generation was ever in service."""
        return any(status == IN_SERVICE for _, status in self.history[app.seq])

    def shown(self, app: App) -> AppRow | None:
        """Return the row of an app as a listing shows it now; None for one that does not show yet."""
        seen_at = self.now - self.lags.get(app.seq, 0.0)
        status = self._status_at(app, seen_at)
        if not status:
            older = self.previous.get(app.key)
            return None if older is None else row_of(older, self._status_at(older, seen_at))
        return row_of(app, status)

    def _status_at(self, app: App, at: float) -> str:
        return next((status for since, status in reversed(self.history[app.seq]) if since <= at), "")

    def clear_changes(self) -> None:
        """Forget what other people and the account's owner still meant to do; calls on their way arrive."""
        self._heap = [entry for entry in self._heap if not _is_of_people(entry[2])]
        heapq.heapify(self._heap)

    def settle_everything(self) -> None:
        """End what is stuck, and let nothing be stuck or lag any more."""
        self.stuck_probability = self.lag_max_s = 0.0
        self.lags.clear()
        for app in self.apps.values():
            if app.status == PENDING:
                app.will_fail = ""
                self.set_due(app, self.now + 1.0)


def _is_of_people(item: object) -> bool:
    return type(item).__module__ == changes.__name__ or getattr(item, "by_people", False)


def row_of(app: App, status: str) -> AppRow:
    """Return a row of ListApps."""
    key = app.key
    return AppRow(key.owner_kind, app.owner, key.app_type, key.app_name, status, app.created_at, app.spec)
