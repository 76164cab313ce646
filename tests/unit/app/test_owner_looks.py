"""When a run compares all profiles and spaces, and which of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from engine.app.options import AppOptions
from engine.app.owner_looks import comparable, compared_domains, owners_to_compare, portion
from engine.core.desired import DesiredFleet, DesiredOwner
from engine.core.draft import Draft
from engine.core.facts import Facts
from engine.core.identity import SPACE, USER, AppKey, Owner
from engine.core.limits import OWNERS_LOOKED_MAX_COUNT
from engine.core.observed import ObservedOwner
from engine.core.request import Request
from engine.core.selectors import Selectors
from engine.core.settings import Settings
from engine.ports.journal import NOTHING_REMEMBERED, Memory, Unfinished
from tests.fleets import SOURCE, a_fleet, options

NOW = 1_790_000_000.0
DAY = 86_400.0
LAB = Owner("research", SPACE, "alice-lab")
BARE, ALICE = Owner("research", USER, "bob"), Owner("research", USER, "alice")


def fleet() -> DesiredFleet:
    owners = (
        DesiredOwner(LAB, SOURCE, owner_user="alice"),
        DesiredOwner(ALICE, SOURCE, execution_role="arn:aws:iam::111122223333:role/a"),
        DesiredOwner(BARE, SOURCE),
    )
    return replace(a_fleet(), owners=owners)


def looked(memory: Memory = NOTHING_REMEMBERED, request: Request | None = None, **settings: Any) -> frozenset[Owner]:
    asked = AppOptions(Path("fleet.toml"), request=request or Request())
    loaded = cast("Any", SimpleNamespace(fleet=fleet(), settings=Settings(**settings)))
    parts = cast("Any", SimpleNamespace(run=SimpleNamespace(memory=memory, wall=lambda: NOW)))
    return owners_to_compare(asked, loaded, parts, options())


def compared(at: float) -> Memory:
    return replace(NOTHING_REMEMBERED, owners_compared={domain.domain_id: at for domain in fleet().domains})


def test_an_idle_run_compares_nobody_until_a_day_has_passed() -> None:
    assert looked() == frozenset(), "the first run begins to count"
    assert looked(compared(NOW - 0.5 * DAY)) == frozenset()
    assert looked(compared(NOW - 0.95 * DAY)) == {LAB, ALICE}, "a mere name cannot differ"
    assert looked(compared(NOW - 0.5 * DAY), owners_look_every=3_600.0) == {LAB, ALICE}


def test_a_fleet_that_is_updated_is_compared_by_its_first_run() -> None:
    assert looked(update_owners=True) == {LAB, ALICE}


def test_who_asks_sees_everybody_that_the_selectors_reach() -> None:
    assert looked(request=Request(owners=True)) == {LAB, ALICE, BARE}
    assert looked(request=Request(Selectors.parse(users=["bob"]), owners=True)) == {BARE}
    assert looked(compared(0.0), Request(Selectors.parse(users=["bob"]))) == frozenset(), "that is no look at the whole"


def test_what_an_update_began_is_compared_whenever_it_was_looked_at() -> None:
    left: dict[AppKey | Owner, Unfinished] = {
        LAB: Unfinished("UpdateSpace", NOW, True),
        ALICE: Unfinished("DeleteUserProfile", NOW, True),
    }
    memory = replace(compared(NOW), unfinished=left)
    assert looked(memory) == {LAB}
    assert looked(memory, Request(Selectors.parse(users=["bob"]))) == {LAB}


def test_a_large_fleet_is_compared_part_by_part() -> None:
    owners = [Owner("research", SPACE, f"s{number:05}") for number in range(2 * OWNERS_LOOKED_MAX_COUNT + 500)]
    days = [set(portion(owners, day)) for day in range(5)]
    assert {len(day) for day in days} == {OWNERS_LOOKED_MAX_COUNT}
    assert set().union(*days[:3]) == set(owners)
    assert list(portion(owners[:3], 7)) == owners[:3]


def test_a_domain_counts_as_compared_when_everybody_was_looked_at_or_it_begins_to_count() -> None:
    assert comparable(fleet()) == {LAB, ALICE}
    rows = {one: ObservedOwner(one, "InService", 1.0, settings={}) for one in (LAB, ALICE)}
    draft = Draft(fleet(), Facts(owners=rows), options(), updates_owners=True, watched=frozenset(rows))
    assert compared_domains(draft, NOTHING_REMEMBERED) == ("research",)
    part = replace(draft, watched=frozenset({LAB}))
    assert compared_domains(part, NOTHING_REMEMBERED) == ()
    unread = replace(rows[LAB], unread_because="denied")
    assert compared_domains(replace(draft, facts=Facts(owners={**rows, LAB: unread})), NOTHING_REMEMBERED) == ()
    reported = replace(part, updates_owners=False)
    assert compared_domains(reported, NOTHING_REMEMBERED) == ("research",)
    assert compared_domains(reported, compared(NOW)) == ()
