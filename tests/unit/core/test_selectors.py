from __future__ import annotations

import pytest

from engine.core.desired import DesiredOwner
from engine.core.errors import UsageError
from engine.core.identity import SPACE, Owner
from engine.core.limits import OWNER_LISTINGS_MAX_COUNT
from engine.core.selectors import Selectors
from tests.fleets import CANVAS, KERNEL, LAB, SOURCE, a_fleet, an_app, key_of

ALICE, LAB_SPACE = Owner("research", "user", "alice"), Owner("research", "space", "alice-lab")


def test_no_selector_selects_everything() -> None:
    assert Selectors().is_empty
    assert Selectors().selects(an_app())
    assert Selectors().selects_observed(key_of(CANVAS))
    assert Selectors().selects_domain("research")


@pytest.mark.parametrize(
    ("told", "lab", "canvas"),
    [
        ({"domains": ["research"]}, True, True),
        ({"domains": ["res*", "lab"]}, True, True),
        ({"domains": ["lab"]}, False, False),
        ({"users": ["alice"]}, False, True),
        ({"users": ["[a-b]l?ce"]}, False, True),
        ({"users": ["ALICE"]}, False, False),
        ({"users": ["alice-lab"]}, False, False),
        ({"spaces": ["*-lab"]}, True, False),
        ({"users": ["alice"], "spaces": ["alice-lab"]}, True, True),
        ({"app_types": ["Canvas"]}, False, True),
        ({"app_types": ["Jupyter*", "Canvas"]}, True, True),
        ({"keys": [LAB]}, True, False),
        ({"keys": [LAB], "app_types": ["Canvas"]}, False, False),
        ({"users": ["alice"], "app_types": ["JupyterLab"]}, False, False),
    ],
)
def test_or_within_a_kind_and_between_kinds(told: dict[str, list[str]], *, lab: bool, canvas: bool) -> None:
    selectors = Selectors.parse(**told)
    assert [selectors.selects(an_app(LAB)), selectors.selects(an_app(CANVAS))] == [lab, canvas]
    assert [selectors.selects_observed(key_of(LAB)), selectors.selects_observed(key_of(CANVAS))] == [lab, canvas]


def test_a_team_selects_its_declared_apps_and_nothing_undeclared() -> None:
    selectors = Selectors.parse(teams=["vis*"])
    assert selectors.selects(an_app(team="vision"))
    assert not selectors.selects(an_app(team="forecasting"))
    assert not selectors.selects(an_app())
    assert not selectors.selects_observed(key_of(LAB))


def test_a_glob_matches_the_whole_name() -> None:
    assert not Selectors.parse(users=["lic"]).selects_observed(key_of(CANVAS))
    assert not Selectors.parse(users=["ali?"]).selects_observed(key_of(CANVAS))


def test_a_glob_is_no_regular_expression() -> None:
    assert not Selectors.parse(users=["a.+e"]).selects_observed(key_of(CANVAS))
    assert not Selectors.parse(spaces=["alice|*x"]).selects_observed(key_of(LAB))


def test_pairs_are_sorted_and_named_as_the_flags() -> None:
    told = Selectors.parse(
        users=["b", "a", "b"], domains=["d"], teams=["t"], spaces=["s"], app_types=["Canvas"], keys=[LAB]
    )
    assert told.pairs() == (
        ("app-type", "Canvas"),
        ("domain", "d"),
        ("key", LAB),
        ("space", "s"),
        ("team", "t"),
        ("user", "a"),
        ("user", "b"),
    )
    assert told == Selectors.parse(
        users=["a", "b"], domains=["d"], teams=["t"], spaces=["s"], app_types=["Canvas"], keys=[LAB]
    )


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"users": [""]}, "--user is empty. Leave --user out to select everything"),
        ({"app_types": ["a", ""]}, "--app-type is empty"),
        ({"keys": ["research/alice"]}, '--key: "research/alice" is not an app key'),
    ],
)
def test_what_cannot_be_meant_is_refused(told: dict[str, list[str]], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Selectors.parse(**told)
    assert str(caught.value).startswith(message)


FLEET = a_fleet(an_app(LAB, team="vision"), an_app(CANVAS, team="vision"), an_app("lab/user/bob/Canvas/default"))


@pytest.mark.parametrize(
    ("told", "owners"),
    [
        ({}, None),
        ({"domains": ["research"]}, None),
        ({"domains": ["lab"]}, ()),
        ({"app_types": ["Canvas"]}, None),
        ({"teams": ["vision"]}, (LAB_SPACE, ALICE)),
        ({"teams": ["vision"], "app_types": ["Canvas"]}, (ALICE,)),
        ({"teams": ["nobody"]}, ()),
        ({"keys": [KERNEL]}, (ALICE,)),
        ({"keys": [KERNEL], "users": ["bob"]}, ()),
        ({"keys": ["lab/user/bob/Canvas/default"]}, ()),
        ({"users": ["alice", "zoe"]}, (ALICE, Owner("research", "user", "zoe"))),
        ({"users": ["alice"], "spaces": ["alice-lab"]}, (LAB_SPACE, ALICE)),
        ({"users": ["ali*"]}, None),
        ({"users": ["alice"], "spaces": ["*-lab"]}, None),
    ],
)
def test_owners_are_listed_where_they_are_all_that_can_be_selected(
    told: dict[str, list[str]], owners: tuple[Owner, ...] | None
) -> None:
    assert Selectors.parse(**told).owners_to_list(FLEET, "research") == owners


def test_more_owners_than_pages_list_the_domain() -> None:
    selectors = Selectors.parse(teams=["vision"])
    assert selectors.owners_to_list(FLEET, "research", domain_pages=1) is None
    assert selectors.owners_to_list(FLEET, "research", domain_pages=2) == (LAB_SPACE, ALICE)


def test_where_the_size_of_a_domain_is_not_known_the_declared_apps_tell() -> None:
    many = OWNER_LISTINGS_MAX_COUNT + 1
    people = [an_app(f"research/user/p{number}/Canvas/default", team="big") for number in range(many)]
    others = [an_app(f"research/user/p0/KernelGateway/k{number}") for number in range(many * 100)]
    selectors = Selectors.parse(teams=["big"])
    assert selectors.owners_to_list(a_fleet(*people), "research") is None
    assert len(selectors.owners_to_list(a_fleet(*people, *others), "research") or ()) == many


@pytest.mark.parametrize(
    ("told", "selected"),
    [
        ({}, True),
        ({"domains": ["res*"]}, True),
        ({"domains": ["lab"]}, False),
        ({"spaces": ["alice-*"]}, True),
        ({"users": ["alice"]}, True),
        ({"users": ["alice-lab"]}, False),
        ({"users": ["bob"], "spaces": ["alice-lab"]}, True),
        ({"users": ["bob"], "spaces": ["bob-lab"]}, False),
        ({"app_types": ["Jupyter*"]}, True),
        ({"app_types": ["CodeEditor"]}, False),
        ({"teams": ["vision"]}, True),
        ({"teams": ["speech"]}, False),
        ({"keys": ["research/space/alice-lab/JupyterLab/default"]}, True),
        ({"keys": ["research/user/alice-lab/Canvas/default"]}, False),
        ({"domains": ["research"], "users": ["alice"], "teams": ["speech"]}, False),
    ],
)
def test_a_space_is_meant_by_its_name_and_by_whose_it_is(told: dict[str, list[str]], *, selected: bool) -> None:
    space = Owner("research", SPACE, "alice-lab")
    selectors = Selectors.parse(**told)
    assert selectors.selects_space(space, user="alice", app_type="JupyterLab", teams=["", "vision"]) is selected


def test_a_space_that_no_team_declares_is_of_no_team() -> None:
    space = Owner("research", SPACE, "alice-lab")
    assert not Selectors.parse(teams=["*"]).selects_space(space, user="alice", app_type="", teams=[])


@pytest.mark.parametrize(
    ("told", "selected"),
    [
        ({}, True),
        ({"teams": ["vis*"]}, True),
        ({"teams": ["other"]}, False),
        ({"keys": [LAB]}, True),
        ({"keys": [CANVAS]}, False),
        ({"domains": ["lab"]}, False),
        ({"spaces": ["alice-*"]}, True),
        ({"users": ["alice"]}, False),
        ({"app_types": ["JupyterLab"]}, True),
        ({"app_types": ["Canvas"]}, False),
    ],
)
def test_a_declared_space_is_meant_by_its_domain_team_name_app_type_or_the_key_of_its_app(
    told: dict[str, list[str]], selected: bool
) -> None:
    declared = DesiredOwner(LAB_SPACE, SOURCE, teams=("vision",), app_type="JupyterLab")
    assert Selectors.parse(**told).selects_owner(declared) is selected
