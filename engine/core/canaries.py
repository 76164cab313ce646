"""Which app of a shape goes first, where none of that shape ever ran here: the others wait until it is in service.

Pure: what ran comes from the journal and from what is observed. Not here: how they wait (`executor.trials`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.core.change import MAKING, Action, Change, Reason
from engine.core.desired import DesiredApp
from engine.core.drift import differing_fields
from engine.core.identity import AppKey, Lane
from engine.core.observed import AppStatus
from engine.core.plan import Plan
from engine.core.shape import Shape, shape_of
from engine.core.stages import ordered_steps


@dataclass(frozen=True, slots=True)
class Tried:
    """What is known of shapes. `lanes` are those of the domains.

    `runs` tells of a shape and an app of it whether such apps run here, None where nothing is known. `failing` are the
    apps whose last create failed: another one goes first.
    """

    lanes: Mapping[str, Lane]
    runs: Callable[[Shape, DesiredApp], bool | None]
    failing: frozenset[AppKey] = frozenset()


def with_canaries(plan: Plan, tried: Tried, weight: Callable[[DesiredApp], float]) -> tuple[Plan, tuple[Shape, ...]]:
    """Return the plan in which each app that waits names the one that goes first, and the shapes that never ran here.

    The plan does the same in the end, and has the same fingerprint.
    """
    unproven = {} if plan.denied else _unproven(plan, tried)
    if not unproven:
        return plan, ()
    waits: dict[AppKey, AppKey] = {}
    starting = _starting(plan.decisions, tried.lanes)
    ranks = {step.change.key: step.rank for step in ordered_steps(plan, weight)}
    for shape, changes in unproven.items():
        first = starting.get(shape) or min(changes, key=lambda one: _order(one, tried, ranks)).key
        waits.update((one.key, first) for one in changes if one.key != first)
    decisions = tuple(replace(one, canary=waits[one.key]) if one.key in waits else one for one in plan.decisions)
    return replace(plan, decisions=decisions), tuple(unproven)


def in_service(decisions: Iterable[Change], lanes: Mapping[str, Lane]) -> Iterator[Shape]:
    """Yield the shapes of what is in service: as observed, and of declared apps that are so as declared too."""
    seen: set[tuple[object, ...]] = set()
    for one in decisions:
        row, lane = one.before, lanes.get(one.key.domain)
        if row is None or lane is None or row.status is not AppStatus.IN_SERVICE:
            continue
        app = one.after
        known = (lane, one.key.app_type, row.spec, None if app is None else app.spec)
        if known in seen:
            continue
        seen.add(known)
        yield shape_of(lane, one.key.app_type, row.spec)
        if app is not None and not differing_fields(app, row.spec):
            yield shape_of(lane, one.key.app_type, app.spec)


def _unproven(plan: Plan, tried: Tried) -> dict[Shape, list[Change]]:
    """Return what is made of each shape of which no app is known to run here."""
    made: defaultdict[Shape, list[Change]] = defaultdict(list)
    for one in plan.changes:
        lane = tried.lanes.get(one.key.domain)
        if one.action in MAKING and one.after is not None and lane is not None:
            made[shape_of(lane, one.key.app_type, one.after.spec)].append(one)
    left: dict[Shape, list[Change]] = {}
    running: set[Shape] | None = None
    for shape, changes in made.items():
        answers = {tried.runs(shape, one.after) for one in changes if one.after is not None}
        if True in answers:
            continue
        if running is None:
            running = set(in_service(plan.decisions, tried.lanes))
        if False in answers or shape not in running:
            left[shape] = changes
    return left


def _starting(decisions: Iterable[Change], lanes: Mapping[str, Lane]) -> dict[Shape, AppKey]:
    """Return an app of each shape that is Pending as declared: it has gone first already."""
    found: dict[Shape, AppKey] = {}
    for one in decisions:
        row, app, lane = one.before, one.after, lanes.get(one.key.domain)
        if row is None or app is None or lane is None or one.reason is not Reason.PENDING:
            continue
        if not differing_fields(app, row.spec):
            found.setdefault(shape_of(lane, one.key.app_type, app.spec), one.key)
    return found


def _order(one: Change, tried: Tried, ranks: Mapping[AppKey, int]) -> tuple[bool, bool, bool, int]:
    """Say who is tried first: who loses nothing by it, can be called at once, and did not fail the last time."""
    return one.action is not Action.CREATE, one.reason is Reason.DELETING, one.key in tried.failing, ranks[one.key]
