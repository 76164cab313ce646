"""When somebody last worked in an app, as DescribeApp shows it.

The service moves LastUserActivityTimestamp also when a health check finds nobody at work: then both of its times are
the same, and nobody knows when a person last did something. Times that differ are a person's.
Not here: whom a run spares (`executor.course`), and what a plan reports of it (`waves`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from engine.core.limits import ACTIVITY_EQUAL_MAX_SECONDS


class Use(IntEnum):
    """Whether somebody works in an app, in the order in which apps are replaced."""

    IDLE = 0  # for at least as long as was asked
    UNKNOWN = 1
    ACTIVE = 2


class Activity(NamedTuple):
    """The two times that DescribeApp shows, in epoch seconds; 0 for one that it does not show."""

    user_at: float = 0.0
    checked_at: float = 0.0

    def use(self, now: float, within_s: float) -> Use:
        """Return whether somebody is known to have worked in the app in the last `within_s` seconds before `now`.

        Health checks move `user_at` forward and never back, so an old one means idle, whoever moved it.
        """
        if not (self.user_at and self.checked_at):
            return Use.UNKNOWN
        if now - self.user_at >= within_s:
            return Use.IDLE
        return Use.ACTIVE if abs(self.user_at - self.checked_at) > ACTIVITY_EQUAL_MAX_SECONDS else Use.UNKNOWN


NOT_READ: Final = Activity()
