"""When somebody last worked in an app: what SageMaker's two times prove, and what they do not."""

from __future__ import annotations

import pytest

from engine.core.activity import Activity, Use
from engine.core.limits import ACTIVITY_EQUAL_MAX_SECONDS

NOW = 10_000.0
HOUR = 3_600.0


@pytest.mark.parametrize(
    ("activity", "use"),
    [
        (Activity(), Use.UNKNOWN),  # nothing was shown
        (Activity(NOW - 60.0), Use.UNKNOWN),
        (Activity(checked_at=NOW - 60.0), Use.UNKNOWN),
        (Activity(NOW - 60.0, NOW - 60.0), Use.UNKNOWN),  # the health check's own time
        (Activity(NOW - 60.0, NOW - 60.0 + ACTIVITY_EQUAL_MAX_SECONDS), Use.UNKNOWN),
        (Activity(NOW - 60.0, NOW - 300.0), Use.ACTIVE),
        (Activity(NOW + 40.0, NOW - 300.0), Use.ACTIVE),  # the service's clock is ahead of ours
        (Activity(NOW - 900.0, NOW - 300.0), Use.ACTIVE),  # a check without activity would have set both alike
        (Activity(NOW - HOUR, NOW - 300.0), Use.IDLE),
        (Activity(NOW - HOUR, NOW - HOUR), Use.IDLE),  # not even a check was later
        (Activity(NOW - HOUR + 1.0, NOW - 2 * HOUR), Use.ACTIVE),
    ],
)
def test_equal_times_are_unknown_and_other_recent_ones_are_a_persons(activity: Activity, use: Use) -> None:
    assert activity.use(NOW, HOUR) is use
