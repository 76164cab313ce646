"""How the work of a function grows: counted in steps of the interpreter, not in seconds, so that no load disturbs it.

What a C function does in one step (a search through a list) is not counted; what Python code does is.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

from engine.core.desired import DesiredDomain, DesiredFleet, DesiredOwner
from engine.core.identity import SPACE, USER, Lane, Owner
from tests.fleets import SOURCE, an_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

T = TypeVar("T")

# Of the work for one app in each of many domains, beside that for the same apps in a quarter of the domains. Work that
# looks at all apps for each domain grows about fourfold.
LINEAR_MAX_FACTOR = 2.0


def steps_of(work: Callable[[], Any]) -> int:
    """Return how many instructions of Python code `work` takes."""
    count = 0

    def each(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return each

    before = sys.gettrace()
    sys.settrace(each)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def spread_fleet(domains: int, apps: int) -> DesiredFleet:
    """Return a fleet of `apps` apps, shared out evenly over `domains`, each in an account of its own.

    Each app is in a space of its own, which belongs to a user profile of its own.
    """
    names = [f"d{number:04}" for number in range(domains)]
    apps_of = [(name, f"p{place:04}") for name in names for place in range(apps // domains)]
    users = [DesiredOwner(Owner(name, USER, person), SOURCE) for name, person in apps_of]
    spaces = [
        DesiredOwner(Owner(name, SPACE, f"{person}-lab"), SOURCE, owner_user=person, app_type="JupyterLab")
        for name, person in apps_of
    ]
    return DesiredFleet(
        "wide",
        tuple(DesiredDomain(name, f"d-{name}", "eu-west-1", SOURCE, lane_of(name).account) for name in names),
        tuple(an_app(f"{name}/space/{person}-lab/JupyterLab/default", team=person) for name, person in apps_of),
        tuple(sorted((*users, *spaces), key=lambda one: one.owner)),
        (("fleet.toml", "a" * 64),),
    )


def lane_of(domain: str) -> Lane:
    """Return the lane of a domain of a spread fleet."""
    return Lane(f"{int(domain[1:]):012}", "eu-west-1")


def grows_by(
    prepare: Callable[[DesiredFleet], T], work: Callable[[T], Any], *, apps: int = 480, domains: int = 60
) -> float:
    """Return how many times the steps are that `work` takes when the same apps lie in four times as many domains.

    What `prepare` makes of the fleet for it is not counted.
    """
    few, many = (prepare(spread_fleet(count, apps)) for count in (domains, 4 * domains))
    return steps_of(lambda: work(many)) / steps_of(lambda: work(few))
