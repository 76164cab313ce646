"""A selector or key that matches nothing declared or observed is refused, with the nearest name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.desired import DesiredDomain, DesiredFleet
from engine.core.errors import ScanIncomplete, UsageError
from engine.core.observed import ObservedDomain, ObservedFleet, Ownership
from engine.core.selection import AskedKeys, nearest_key, no_such, require_declared, require_fleet, require_found
from engine.core.selectors import Selectors
from tests.fleets import CANVAS, LAB, SOURCE, a_row, an_app, key_of

FLEET = DesiredFleet("f", (DesiredDomain("research", "d-1", "eu-west-1", SOURCE),), (an_app(team="vision"),), (), ())
GHOST = key_of(CANVAS.replace("alice", "ghost"))


def seen(*keys: str, whole: bool = True, error: ScanIncomplete | None = None) -> ObservedFleet:
    rows = {key_of(key): a_row(key) for key in keys}
    return ObservedFleet({"research": ObservedDomain("research", 0.0, rows, error, whole)})


def refused(selectors: Selectors, *named: AskedKeys, observed: ObservedFleet | None = None) -> str:
    def check() -> None:
        require_declared(selectors, named, FLEET, ("vision", "watchers"))
        require_found(selectors, named, FLEET, observed or seen())

    with pytest.raises(UsageError) as caught:
        check()
    return str(caught.value)


def owned(**fleets: str) -> ObservedFleet:
    """Return a domain in which each of these fleets owns the app of that key."""
    foreign = Ownership.FOREIGN
    rows = {key_of(key): replace(a_row(key), ownership=foreign, foreign_fleet=name) for name, key in fleets.items()}
    return ObservedFleet({"research": ObservedDomain("research", 0.0, rows)})


@pytest.mark.parametrize(
    ("name", "fleets", "hint"),
    [
        ("odl", {"old": LAB}, "Did you mean 'old'?"),
        ("Old", {"old": LAB}, "Did you mean 'old'?"),
        ("xyz", {"old": LAB, "neighbour": CANVAS}, "Declared apps are owned by: 'old'"),
    ],
)
def test_the_name_of_a_fleet_that_owns_nothing_declared_is_refused(
    name: str, fleets: dict[str, str], hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        require_fleet(name, FLEET, owned(**fleets))
    assert str(caught.value) == f"--from-fleet: no declared app is owned by the fleet {name!r}. {hint}"


def test_the_name_of_a_fleet_passes_where_it_owns_something_or_all_may_be_moved() -> None:
    require_fleet("", FLEET, owned(old=LAB))
    require_fleet("old", FLEET, owned(old=LAB))
    require_fleet("old", FLEET, seen(LAB))
    require_fleet("odl", FLEET, owned(old=CANVAS))  # what nobody declares does not move
    require_fleet("odl", FLEET, seen(LAB, error=ScanIncomplete("away")))
    both = owned(old=LAB, neighbour=CANVAS)
    require_fleet("neighbour", FLEET, both)


def test_what_is_declared_or_observed_passes() -> None:
    require_found(Selectors(), (), FLEET, seen())
    for selectors in (
        Selectors(),
        Selectors(teams=("watchers",)),
        Selectors(domains=("res*",), teams=("vision",)),
        Selectors(users=("alice",), app_types=("Canvas",)),
        Selectors(spaces=("alice-*",)),
        Selectors(keys=(key_of(CANVAS),)),
    ):
        require_declared(selectors, (), FLEET, ("watchers",))
        require_found(selectors, (AskedKeys("--replace", {key_of(LAB)}),), FLEET, seen(CANVAS))


@pytest.mark.parametrize(
    ("selectors", "said"),
    [
        (Selectors(domains=("reserch",)), 'no domain matches "reserch"'),
        (Selectors(teams=("Vision",)), "Did you mean vision? Upper and lower case count"),
        (Selectors(users=("bob",)), 'no user profile matches "bob"'),
        (Selectors(users=("bob",)), "There is no user profile at all"),
        (Selectors(spaces=("x",)), "There are: alice-lab"),
        (Selectors(app_types=("JupyterLap",)), "Did you mean JupyterLab?"),
        (Selectors(keys=(GHOST,)), "matches no declared or existing app"),
        (Selectors(keys=(GHOST._replace(domain="lab"),)), 'no domain matches "lab"'),
        (
            Selectors(teams=("watchers",), spaces=("alice-lab",)),
            "no app matches all of --space alice-lab --team watchers",
        ),
    ],
)
def test_what_is_not_there_is_refused(selectors: Selectors, said: str) -> None:
    assert said in refused(selectors)


def test_a_key_in_another_case_is_told_as_it_is_spelled() -> None:
    spelled = key_of(CANVAS.replace("alice", "Alice"))
    assert f"Did you mean {CANVAS}?" in refused(Selectors(keys=(spelled,)), observed=seen(CANVAS))


def test_a_domain_that_was_not_listed_or_not_whole_hides_what_is_there() -> None:
    asked = (AskedKeys("--replace", {GHOST}),)
    require_found(Selectors(users=("bob",)), (), FLEET, seen(error=ScanIncomplete("no", operation="ListApps")))
    require_found(Selectors(), asked, FLEET, seen(whole=False))
    assert "--replace research/user/ghost/Canvas/default matches no declared" in refused(Selectors(), *asked)


def test_the_nearest_key_is_found_part_by_part() -> None:
    known = [key_of(LAB), key_of(CANVAS)]
    assert nearest_key(key_of(LAB.replace("space", "user")), known) == LAB
    assert nearest_key(key_of(LAB.replace("alice", "alcie").replace("default", "x")), known) == LAB
    assert nearest_key(key_of(CANVAS.replace("user", "space").replace("alice", "alicia")), known[1:]) == CANVAS
    assert nearest_key(key_of("a/user/b/c/d"), ()) == ""


def test_many_names_are_named_up_to_a_bound() -> None:
    assert "and 20 more" in str(no_such("team", "zzz", [f"t{number}" for number in range(30)]).hint)
