"""The words of a status: how apps are, what can be done about it, and the columns of a team."""

from __future__ import annotations

from typing import Final

from engine.core.change import Reason
from engine.core.status import Condition, StatusRow

# What is said behind the mode; a reason that is missing here says no more than the status does.
REMARKS: Final = {
    Reason.QUARANTINED: "quarantined",
    Reason.DONE_ONCE: "made before",
    Reason.MAINTENANCE: "in maintenance",
    Reason.NOT_DECLARED: "owned by this fleet",
    Reason.ORPHANED: "owned by this fleet",
    Reason.NOT_OWNED: "not owned by this fleet",
    Reason.UNKNOWN_STATUS: "a status that appfleet does not know",
    Reason.DOMAIN_UNLISTED: "not listed",
    Reason.DENIED: "denied by a rule",
}
# What is not well, worst first: its words, and what can be done about it.
_WORDS: Final = {
    Condition.UNKNOWN: ("not known", "appfleet could not list their domain, or does not know their status"),
    Condition.FAILED: ("failed", "apply creates them again"),
    Condition.QUARANTINED: ("quarantined", "change the spec, or apply with --retry-quarantined"),
    Condition.MISSING: ("missing", "apply creates them"),
    Condition.DRIFTED: ("drifted", "apply --replace makes them as declared"),
    Condition.STOPPING: ("being deleted", "apply creates them again if they are wanted"),
    Condition.STARTING: ("starting", "apply waits for them"),
    Condition.MAINTENANCE: ("in maintenance", "SageMaker maintains or restarts them; apply leaves them alone"),
    Condition.UNWANTED: ("no longer wanted", "apply deletes those that this fleet owns"),
    Condition.ORPHANED: ("no longer declared", "apply --prune deletes them"),
}
_KEPT_BACK: Final = "apply does not create them"
_BEYOND_HOURS: Final = ("still there outside their hours", "apply stops those that this fleet owns")
# Every condition has a column, so that the columns of a team add up; one that is empty for all teams is left out.
TEAM_COLUMNS: Final = (
    ("IN SERVICE", Condition.IN_SERVICE),
    ("MISSING", Condition.MISSING),
    ("DRIFTED", Condition.DRIFTED),
    ("STARTING", Condition.STARTING),
    ("MAINTAINED", Condition.MAINTENANCE),
    ("STOPPING", Condition.STOPPING),
    ("FAILED", Condition.FAILED),
    ("QUARANTINED", Condition.QUARANTINED),
    ("UNWANTED", Condition.UNWANTED),
    ("ORPHANED", Condition.ORPHANED),
    ("UNKNOWN", Condition.UNKNOWN),
    ("OUTSIDE HOURS", Condition.OUTSIDE_HOURS),
    ("DONE", Condition.DONE),
)


def unwell_words(row: StatusRow) -> tuple[str, str]:
    """Return how an app is that is not well, and what can be done about it."""
    words, way_out = _WORDS[row.condition]
    if row.is_kept_back:
        return words, _KEPT_BACK
    beyond_hours = row.condition is Condition.UNWANTED and row.reason is Reason.OUTSIDE_HOURS
    return _BEYOND_HOURS if beyond_hours else (words, way_out)


UNWELL: Final = tuple(_WORDS)  # the worst first
