"""Status: what was observed beside what is desired, one row a key, summed up by team.

Pure. Not here: deciding what to do (`planner`); a status is read off a plan's decisions and never acted upon.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from engine.core.change import Reason
from engine.core.desired import DesiredApp, Mode
from engine.core.finding import OWNERS, Finding
from engine.core.hours import HOURS_RULE, HoursLine
from engine.core.identity import AppKey
from engine.core.idle_spaces import IdleSpaces
from engine.core.maintenance import since_made
from engine.core.observed import AppStatus, ObservedApp, ObservedFleet, Ownership
from engine.core.owner_status import OwnerCondition, OwnerLine, OwnersView
from engine.core.plan import Plan, PlanLane
from engine.core.reserved import RULE as PLANS_RULE
from engine.core.status_facts import StatusFacts, words_of_hours
from engine.core.text import count_of
from engine.core.trouble import Trouble

GONE: Final = "-"  # shown where nothing is observed
UNKNOWN: Final = "unknown"  # shown where nobody could look


class Condition(StrEnum):
    """How an app is, in one word, for who asks whether all is well."""

    IN_SERVICE = "in_service"  # there, and as declared
    DRIFTED = "drifted"  # there, and not as declared
    STARTING = "starting"
    MAINTENANCE = "maintenance"  # Pending again: the service maintains or restarts it
    STOPPING = "stopping"
    MISSING = "missing"  # declared, and nothing is there
    FAILED = "failed"
    QUARANTINED = "quarantined"
    UNWANTED = "unwanted"  # declared absent or expired, and still there
    ORPHANED = "orphaned"  # this fleet's, and no longer declared
    UNKNOWN = "unknown"  # not listed, or in a status that nobody knows
    OUTSIDE_HOURS = "outside_hours"  # not there, and its hours have not begun
    DONE = "done"  # not there, and that is as it should be


FINE: Final = frozenset({Condition.IN_SERVICE, Condition.OUTSIDE_HOURS, Condition.DONE})

_BY_REASON: Final = {
    Reason.QUARANTINED: Condition.QUARANTINED,
    Reason.DOMAIN_UNLISTED: Condition.UNKNOWN,
    Reason.UNKNOWN_STATUS: Condition.UNKNOWN,
    Reason.MAINTENANCE: Condition.MAINTENANCE,
    Reason.ORPHANED: Condition.ORPHANED,
    Reason.NOT_DECLARED: Condition.ORPHANED,
}
_BY_STATUS: Final = {
    AppStatus.PENDING: Condition.STARTING,
    AppStatus.DELETING: Condition.STOPPING,
    AppStatus.FAILED: Condition.FAILED,
    AppStatus.DELETED: Condition.MISSING,
    AppStatus.UNKNOWN: Condition.UNKNOWN,
}
# Of a plan: what stands in the way of declared apps.
_SHOWN_FINDINGS: Final = frozenset({OWNERS, PLANS_RULE, "claimed", HOURS_RULE})
# Why apply does not create what is missing.
_KEPT_BACK: Final = {
    Reason.OWNER_MISSING: "its user profile or space cannot be used",
    Reason.TRAINING_PLAN: "its training plan cannot be used",
    Reason.DENIED: "denied by a rule",
}
_LEAVING: Final = {AppStatus.PENDING: Condition.STARTING, AppStatus.DELETING: Condition.STOPPING}
_UNWANTED: Final = frozenset({Reason.DECLARED_ABSENT, Reason.EXPIRED, Reason.NOT_OWNED, Reason.UNMANAGED})


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One app: `desired` or `observed` may be None, not both. `reason` is how the planner sees it, `why` is for people.

    `hint` is what the last run advised, such as the command that raises a quota.
    `expires_in_days` is set where the app is still wanted and will soon not be.
    """

    key: AppKey
    reason: Reason
    condition: Condition
    desired: DesiredApp | None = None
    observed: ObservedApp | None = None
    differs: tuple[str, ...] = ()
    why: str = ""
    expires_in_days: int | None = None
    hint: str = ""

    @property
    def is_kept_back(self) -> bool:
        """Whether nothing is there, and apply creates nothing; `why` says why."""
        return self.condition is Condition.MISSING and self.reason in _KEPT_BACK

    @property
    def wanted(self) -> str:
        """Return the app's mode, `expired`, or empty where the fleet does not declare it."""
        if self.desired is None:
            return ""
        return "expired" if self.reason is Reason.EXPIRED else self.desired.mode.value

    @property
    def status(self) -> str:
        """Return the service's word, `-` where there is no app, `unknown` where its domain could not be listed."""
        if self.observed is None:
            return UNKNOWN if self.reason is Reason.DOMAIN_UNLISTED else GONE
        return self.observed.status_text or self.observed.status.value

    @property
    def team(self) -> str:
        """Return the app's team, empty where it has none."""
        return "" if self.desired is None else self.desired.team

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `apps` in `status --format json`."""
        return {
            "key": str(self.key),
            "wanted": self.wanted,
            "status": None if self.observed is None else self.status,
            "condition": self.condition.value,
            "reason": self.reason.value,
            "why": self.why,
            "hint": self.hint,
            "team": self.team,
            "desired": None if self.desired is None else self.desired.spec.to_json(),
            "observed": None if self.observed is None else self.observed.to_json(),
            "differs": list(self.differs),
            "expires_in_days": self.expires_in_days,
        }


@dataclass(frozen=True, slots=True)
class TeamLine:
    """One team of one domain: how many apps it declares, how they are, and how many will soon expire."""

    domain: str
    team: str
    declared: int
    conditions: Mapping[Condition, int]
    expiring: int

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `teams`."""
        return {
            "domain": self.domain,
            "team": self.team,
            "declared": self.declared,
            "conditions": {condition.value: count for condition, count in self.conditions.items()},
            "expiring": self.expiring,
        }


@dataclass(frozen=True, slots=True)
class StatusView:
    """Every row, sorted by key. `unmanaged` counts live apps that the fleet neither declares nor owns.

    `foreign` names those of them that another fleet owns, with its name. `errors` holds the domains that could not be
    listed; `findings` is what the files are warned about, and what earlier runs left. `idle_spaces` and `owners`
    are None unless they were asked for. `hours` and `at` are those of the plan.
    """

    fleet: str
    made_at: str
    rows: tuple[StatusRow, ...]
    expiring_within_days: int
    lanes: tuple[PlanLane, ...] = ()
    unmanaged: int = 0
    foreign: tuple[tuple[AppKey, str], ...] = ()
    errors: tuple[Trouble, ...] = ()
    is_new: bool = False
    findings: tuple[Finding, ...] = ()
    idle_spaces: IdleSpaces | None = None
    owners: OwnersView | None = None
    hours: tuple[HoursLine, ...] = ()
    at: str = ""
    summary: dict[str, int] = field(init=False)
    teams: tuple[TeamLine, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Count the statuses, the most frequent first, and sum up each team."""
        counts = Counter(row.status for row in self.rows)
        ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        object.__setattr__(self, "summary", dict(ordered))
        object.__setattr__(self, "teams", _teams(self.rows))

    @property
    def complete(self) -> bool:
        """Whether every domain could be listed."""
        return not self.errors

    @property
    def has_drifted(self) -> bool:
        """Whether an app, or with --owners a profile or space, is there and not as declared."""
        rows = () if self.owners is None else self.owners.rows
        return bool(self.of(Condition.DRIFTED)) or any(row.condition is OwnerCondition.DIFFERS for row in rows)

    def of(self, condition: Condition) -> tuple[StatusRow, ...]:
        """Return the rows of one condition."""
        return tuple(row for row in self.rows if row.condition is condition)

    @property
    def expiring(self) -> tuple[StatusRow, ...]:
        """The apps that will soon not be wanted any more, the soonest first."""
        soon = [row for row in self.rows if row.expires_in_days is not None]
        return tuple(sorted(soon, key=lambda row: (row.expires_in_days or 0, row.key)))

    def to_json(self) -> dict[str, Any]:
        """Return the document of `status --format json`."""
        return {
            "format_version": 1,
            "fleet": self.fleet,
            "made_at": self.made_at,
            **({"at": self.at} if self.at else {}),
            "lanes": [lane.to_json() for lane in self.lanes],
            "complete": self.complete,
            "teams": [team.to_json() for team in self.teams],
            "apps": [row.to_json() for row in self.rows],
            "unmanaged": self.unmanaged,
            "foreign": [{"key": str(key), "fleet": fleet} for key, fleet in self.foreign],
            "expiring_within_days": self.expiring_within_days,
            "quarantine_known": not self.is_new,
            "summary": {"absent" if status == GONE else status: count for status, count in self.summary.items()},
            "errors": [error.to_json() for error in self.errors],
            "findings": [finding.to_json() for finding in self.findings],
            **({"hours": [line.to_json() for line in self.hours]} if self.hours else {}),
            **({} if self.idle_spaces is None else {"idle_spaces": self.idle_spaces.to_json()}),
            **({} if self.owners is None else {"owners": self.owners.to_json()}),
        }

    def with_owners(self, rows: tuple[OwnerLine, ...]) -> StatusView:
        """Return the view with a row for each owner, which says what a finding about that owner alone would say."""
        findings = tuple(one for one in self.findings if not (one.key and one.is_of(OWNERS, "advisory")))
        return replace(self, owners=OwnersView(rows), findings=findings)


def status_of(plan: Plan, observed: ObservedFleet, facts: StatusFacts, errors: tuple[Trouble, ...] = ()) -> StatusView:
    """Read the status off `plan`: each of its decisions is one row, whatever its action."""
    rows: list[StatusRow] = []
    for change in plan.decisions:
        condition = _condition(change.reason, change.after, change.before, change.differs)
        if condition is Condition.STARTING and facts.maintenance.holds(change.key, change.before):
            condition = Condition.MAINTENANCE  # of mode once, for which the planner has another reason
        left = _days_left(change.after, facts)
        rows.append(
            StatusRow(
                change.key,
                change.reason,
                condition,
                change.after,
                change.before,
                change.differs,
                _KEPT_BACK.get(change.reason, "")
                or words_of_hours(change, facts.hours)
                or _why(change.key, condition, change.before, facts),
                left if left is not None and change.reason is not Reason.EXPIRED else None,
                _hint(change.key, condition, facts),
            )
        )
    declared = {change.key for change in plan.decisions}
    foreign = sorted(
        (row.key, row.foreign_fleet)
        for domain in observed.domains.values()
        for row in domain.apps.values()
        if row.ownership is Ownership.FOREIGN and row.status.is_alive and row.key not in declared
    )
    return StatusView(
        plan.fleet,
        plan.made_at,
        tuple(rows),
        facts.expiring_within_days,
        plan.lanes,
        plan.unmanaged,
        tuple(foreign),
        errors,
        facts.is_new,
        tuple(sorted({*facts.findings, *(found for found in plan.findings if found.rule in _SHOWN_FINDINGS)})),
        hours=plan.hours,
        at=plan.at,
    )


def failed_keys(plan: Plan) -> tuple[AppKey, ...]:
    """Name the declared apps that stand there Failed, as they are spelled there: why, the service can be asked."""
    return tuple(
        change.before.key
        for change in plan.decisions
        if change.after is not None and change.before is not None and change.before.status is AppStatus.FAILED
    )


def _condition(  # noqa: PLR0911 - one case a line
    reason: Reason, desired: DesiredApp | None, observed: ObservedApp | None, differs: tuple[str, ...]
) -> Condition:
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    alive = observed is not None and observed.status.is_alive
    if reason is Reason.OUTSIDE_HOURS:
        status = None if observed is None or not alive else observed.status
        return Condition.OUTSIDE_HOURS if status is None else _LEAVING.get(status, Condition.UNWANTED)
    if desired is None or desired.mode is Mode.ABSENT or reason in _UNWANTED:
        return Condition.UNWANTED if alive else Condition.DONE
    if reason is Reason.GONE or (reason is Reason.DONE_ONCE and not alive):
        return Condition.DONE
    if observed is None:
        return Condition.MISSING
    if observed.status is AppStatus.IN_SERVICE:
        return Condition.DRIFTED if differs else Condition.IN_SERVICE
    return _BY_STATUS[observed.status]


def _why(key: AppKey, condition: Condition, observed: ObservedApp | None, facts: StatusFacts) -> str:
    last = facts.last.get(key)
    said = "" if last is None else last.text
    if condition is Condition.FAILED:
        return facts.reasons.get(key if observed is None else observed.key, "") or said
    if condition is Condition.QUARANTINED:
        runs = count_of(facts.failed_runs.get(key, 0), "run")
        return f"failed in {runs} in a row" + (f"; {said}" if said else "")
    if condition is Condition.MAINTENANCE and observed is not None:
        return f"Pending again {since_made(observed, facts.today)}"
    if condition is Condition.STARTING and observed is not None:
        age_s = facts.now - observed.created_at
        return f"for {age_s / 60:,.0f} minutes" if age_s > facts.slow_after_s else ""
    return said if condition is Condition.MISSING else ""


def _hint(key: AppKey, condition: Condition, facts: StatusFacts) -> str:
    """Return what the last run advised for an app whose reason it knows; a reason of the service's own has none."""
    last = facts.last.get(key)
    return last.hint if last is not None and condition is Condition.MISSING else ""


def _days_left(desired: DesiredApp | None, facts: StatusFacts) -> int | None:
    """Return for how many more days the app is wanted, where that is soon over; 0 is today, its last day."""
    if desired is None or desired.expires is None or desired.mode is Mode.ABSENT:
        return None
    left = (desired.expires - facts.today).days
    return left if 0 <= left <= facts.expiring_within_days else None


def _teams(rows: tuple[StatusRow, ...]) -> tuple[TeamLine, ...]:
    declared = [row for row in rows if row.desired is not None]
    grouped: defaultdict[tuple[str, str], list[StatusRow]] = defaultdict(list)
    for row in declared:
        grouped[row.key.domain, row.team].append(row)
    return tuple(
        TeamLine(
            domain,
            team,
            len(members),
            {one: count for one in Condition if (count := sum(row.condition is one for row in members))},
            sum(row.expires_in_days is not None for row in members),
        )
        for (domain, team), members in sorted(grouped.items())
    )
