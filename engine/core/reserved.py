"""What a training plan has reserved, as the service reports it, and what follows for the apps that are made on it.

An app whose training plan cannot run it is left alone, as one in somebody else's space is: the call could only fail.
Not here: asking the service (`app.answers`), and how much room there is (`quota_fit`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from engine.core.change import MAKING, Action, Change, Reason
from engine.core.finding import Finding
from engine.core.identity import Lane
from engine.core.plan import Plan
from engine.core.text import clean, count_of, listed
from engine.core.training_plans import place_fault, plan_arn

RULE: Final = "training_plan"
STUDIO_APPS: Final = "studio-apps"  # the target resource of plans for apps
_ACTIVE: Final = "Active"
_EXPIRED: Final = "Expired"
_FAILED: Final = "Failed"
_WAITING: Final = frozenset({"Pending", "Scheduled"})
_NAME_ANOTHER: Final = "Name another plan in training_plan_arn"


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """One training plan. Times are epoch seconds; None, and an empty tuple, is what was not reported.

    `targets` are the resources that may use it; `total` and `available` count instances.
    """

    arn: str
    status: str
    total: int | None = None
    available: int | None = None
    starts_at: float | None = None
    ends_at: float | None = None
    targets: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    message: str = ""

    @property
    def period(self) -> str:
        """Return `2026-11-30 11:30 to 2026-12-07 11:30 UTC`; empty where neither end is known."""
        if self.starts_at is None and self.ends_at is None:
            return ""
        start, end = ("?" if one is None else _shown(one) for one in (self.starts_at, self.ends_at))
        return f"{start} to {end} UTC"


class _Fault(NamedTuple):
    """Why no app can be made on a plan, and the way out."""

    why: str
    way_out: str


def plans_wanted(plan: Plan, lanes: Mapping[str, Lane]) -> dict[Lane, tuple[str, ...]]:
    """Return the training plans on which the plan makes apps, by lane; those of another place are none of a lane's."""
    wanted: dict[Lane, set[str]] = {}
    for _, change, arn, lane in _placed(plan, lanes):
        if change.action in MAKING and not place_fault(arn, lane.region, lane.account):
            wanted.setdefault(lane, set()).add(arn)
    return {lane: tuple(sorted(arns)) for lane, arns in sorted(wanted.items())}


def without_unusable(
    plan: Plan, known: Mapping[str, TrainingPlan | None], lanes: Mapping[str, Lane], now: float
) -> Plan:
    """Return `plan` without the apps whose training plan cannot run them, with a finding for each reason.

    `known` holds what was read, None for a training plan that does not exist; one that could not be read is not in it,
    and its apps are left to the service's own answer. `now` is epoch seconds.
    """
    faults: dict[tuple[str, str, Lane], _Fault | None] = {}
    skipped: Counter[_Fault] = Counter()
    changed: dict[int, Change] = {}
    for place, change, arn, lane in _placed(plan, lanes):
        if change.action not in MAKING or change.after is None:
            continue
        what = (arn, change.after.spec.instance_type or "", lane)
        if what not in faults:
            faults[what] = _fault(*what, known, now)
        fault = faults[what]
        if fault is not None:
            skipped[fault] += 1
            changed[place] = replace(change, action=Action.NONE, reason=Reason.TRAINING_PLAN)
    findings = [
        Finding(RULE, "skip", "", clean(f"{fault.why}; {_apps(count)} skipped. {fault.way_out}"))
        for fault, count in skipped.items()
    ]
    findings += [
        Finding(RULE, "advisory", "", clean(f"{_odd(found)}. appfleet creates its apps anyway"))
        for arn in sorted({what[0] for what, fault in faults.items() if fault is None})
        if (found := known.get(arn)) is not None and found.status != _ACTIVE
    ]
    if not findings:
        return plan
    decisions = tuple(changed.get(place, change) for place, change in enumerate(plan.decisions))
    return replace(plan, decisions=decisions, findings=tuple(sorted({*plan.findings, *findings})))


def _placed(plan: Plan, lanes: Mapping[str, Lane]) -> Iterator[tuple[int, Change, str, Lane]]:
    """Yield what is declared on training plans: its place among the decisions, the decision, the ARN and the lane."""
    for place, change in enumerate(plan.decisions):
        arn = None if change.after is None else change.after.spec.training_plan_arn
        lane = lanes.get(change.key.domain)
        if arn is not None and lane is not None and plan_arn(arn) is not None:
            yield place, change, arn, lane


def _fault(
    arn: str, instance_type: str, lane: Lane, known: Mapping[str, TrainingPlan | None], now: float
) -> _Fault | None:
    if place := place_fault(arn, lane.region, lane.account):
        return _Fault(place, "Name a plan of the domain's own region and account in training_plan_arn")
    if arn not in known:
        return None
    found = known[arn]
    if found is None:
        return _Fault(
            f"{plan_word(arn)} does not exist in account {lane.account}, region {lane.region}",
            "Check training_plan_arn in the fleet file",
        )
    fault = unusable(found, instance_type, now)
    return None if fault is None else _Fault(*fault)


def _unfit(found: TrainingPlan, instance_type: str) -> _Fault | None:
    """Return the fault of a plan that is not for such apps."""
    word = plan_word(found.arn)
    if found.targets and STUDIO_APPS not in found.targets:
        return _Fault(f"{word} is for {listed(found.targets)}, and not for Studio apps", _NAME_ANOTHER)
    if found.instance_types and instance_type not in found.instance_types:
        return _Fault(
            f"{word} reserves {listed(found.instance_types)}, and not {instance_type}",
            "Set instance_type to a type of the plan",
        )
    return None


def _over(found: TrainingPlan, now: float) -> _Fault | None:
    """Return the fault of a plan that has ended, has failed or has not begun."""
    word = plan_word(found.arn)
    if found.status == _EXPIRED or (found.ends_at is not None and found.ends_at <= now):
        when = "" if found.ends_at is None else f" on {_shown(found.ends_at)} UTC"
        return _Fault(f"{word} ended{when}", _NAME_ANOTHER)
    if found.status == _FAILED:
        said = f" ({found.message})" if found.message else ""
        return _Fault(f"{word} is Failed{said}", _NAME_ANOTHER)
    if found.status in _WAITING and (found.starts_at is None or found.starts_at > now):
        when = "" if found.starts_at is None else f" and starts on {_shown(found.starts_at)} UTC"
        return _Fault(f"{word} is {found.status}{when}", "A run after its start makes them")
    return None


def _odd(found: TrainingPlan) -> str:
    """Say in which status a plan is that should be Active."""
    word = plan_word(found.arn)
    if found.status in _WAITING and found.starts_at is not None:
        return f"{word} is {found.status}, although its start, {_shown(found.starts_at)} UTC, has passed"
    return f"{word} has the status {found.status}, which appfleet does not know"


def unusable(found: TrainingPlan, instance_type: str, now: float) -> tuple[str, str] | None:
    """Return why no app of this type can run on a training plan, and the way out; None where one can."""
    return _over(found, now) or _unfit(found, instance_type)


def plan_word(arn: str) -> str:
    """Return `training plan p5-week-50`."""
    found = plan_arn(arn)
    return f"training plan {arn if found is None else found.name}"


def _shown(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def _apps(count: int) -> str:
    return count_of(count, "app that needs it is", "apps that need it are")
