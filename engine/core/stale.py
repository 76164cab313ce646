"""Whether a saved plan still speaks for a plan that was made just now.

What was approved may come to less (an app that was to be made is there by now), never to more or to something else. Not
here: the age of a plan, or reading it (`plan_json`).
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from engine.core.change import Action, Change
from engine.core.counted import owners_counted
from engine.core.plan import Plan, PlanLane
from engine.core.text import clean, listed

NAMED_MAX_COUNT: Final = 3
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def why_stale(saved: Plan, made: Plan) -> str:
    """Say why `saved` does not speak for `made`, in one sentence without a full stop; empty when it does.

    `made` is what would be run: planned now, from the files and the flags of `saved`.
    """
    return (
        _of_another_fleet(saved, made)
        or _of_other_files(dict(saved.inputs), dict(made.inputs))
        or _of_other_lanes(saved.lanes, made.lanes)
        or _not_approved(saved, made)
    )


def _of_another_fleet(saved: Plan, made: Plan) -> str:
    if saved.fleet != made.fleet:
        return clean(f"it was made for the fleet {saved.fleet}, and this file is the fleet {made.fleet}")
    if saved.version != made.version:
        return clean(f"it was made by appfleet {saved.version or '(unknown)'}, and this is appfleet {made.version}")
    return ""


def _of_other_files(saved: dict[str, str], made: dict[str, str]) -> str:
    changed = sorted(name for name in saved.keys() & made.keys() if saved[name] != made[name])
    kinds = (("changed", changed), ("new", sorted(made.keys() - saved)), ("gone", sorted(saved.keys() - made)))
    told = [
        f"{listed(names, NAMED_MAX_COUNT)} {'is' if len(names) == 1 else 'are'} {word}"
        for word, names in kinds
        if names
    ]
    return f"files have changed since: {'; '.join(told)}" if told else ""


def _of_other_lanes(saved: tuple[PlanLane, ...], made: tuple[PlanLane, ...]) -> str:
    before, now = {_place(lane) for lane in saved}, {_place(lane) for lane in made}
    if now <= before:
        return ""
    new = ", ".join(sorted(now - before))
    return clean(f"this run would call {new}, and it was made for {', '.join(sorted(before)) or 'no account'}")


def _place(lane: PlanLane) -> str:
    """Return a lane as it is compared: a simulator on this machine has another port each time."""
    endpoint = lane.endpoint
    if endpoint and urlsplit(endpoint).hostname in _LOOPBACK:
        endpoint = "this machine"
    return f"{lane.account}/{lane.region}" + (f" at {endpoint}" if endpoint else "")


def _not_approved(saved: Plan, made: Plan) -> str:
    approved = {change.key: _essence(change) for change in saved.changes}
    others = [change for change in made.changes if approved.get(change.key) != _essence(change)]
    if others:
        told = [f"{change.action.value} {change.key} ({change.reason.value})" for change in others]
        words = listed(told, NAMED_MAX_COUNT)
        return (
            f"what is observed has changed: {len(others):,} of the changes are not in it as they would be now: {words}"
        )
    known = {owner.owner: owner.to_json() for owner in saved.owners}
    new = [owner for owner in made.owners if known.get(owner.owner) != owner.to_json()]
    if new:
        told = [f"{owner.action.value} {owner.owner} ({owner.reason.value})" for owner in new]
        what = f"{owners_counted(owner.owner for owner in new)} not in it as they would be now"
        return f"what is observed has changed: {what}: {listed(told, NAMED_MAX_COUNT)}"
    return ""


def _essence(change: Change) -> tuple[Any, ...]:
    """Return what an approval is about: what is done to which app and, where something goes, to which generation."""
    shown = change.to_json()
    destroys = change.action is not Action.CREATE
    return (change.action, shown["after"], shown["before"] if destroys else None)
