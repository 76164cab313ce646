"""`status --spaces` over loopback: what nobody seems to use, how large it is, and what that costs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from engine.simulator.service import app_operations, owner_operations
from engine.simulator.world.faults import FaultKind
from tests.e2e.harness import DOMAIN_ID, QUICK, fault, fleet_text, lab_of, people
from tests.tables import unpadded

if TYPE_CHECKING:
    from engine.simulator.world.world import World
    from tests.e2e.harness import Place

DAY = 86_400.0
PRICE = '[prices]\n"ebs-gb-month" = 0.11\n'
HONEST = "SageMaker forgets an app one day after it ends."


def age(place: Place, name: str, *, made: float, changed: float | None = None, gb: int = 5) -> None:
    """Let a space have been made, and changed, so many days ago."""

    def change(world: World) -> None:
        space = world.domains[DOMAIN_ID].spaces[name]
        space.created_at = round(time.time() - made * DAY, 3)
        space.modified_at = space.created_at if changed is None else round(time.time() - changed * DAY, 3)
        space.ebs_gb = gb

    place.within(change)


@pytest.fixture
def old(place: Place) -> Place:
    """Return a place with old spaces, two of which are in use, and one that the fleet does not declare."""
    settings = {"AppType": "CodeEditor"}

    def add(world: World) -> None:
        domain = world.domains[DOMAIN_ID]
        owner_operations.create_space(
            world, domain, "stray", owner="u001", sharing="Private", settings=settings, at_once=True
        )

    place.within(add)
    place.put_app(lab_of("u000"))
    age(place, "u000-lab", made=400, gb=500)
    age(place, "u001-lab", made=400.5, changed=40.5, gb=100)
    age(place, "u002-lab", made=100.5)
    age(place, "u003-lab", made=400, gb=500)
    age(place, "stray", made=300.5, gb=20)
    gone = lab_of("u003")
    place.put_app(gone)
    place.within(lambda world: world.set_app_status(world.apps[place.identity(gone)], "Deleted"))
    return place


def spaces(place: Place, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = place.run("status", "--spaces", "--format", "json", *arguments).report["idle_spaces"]
    return found


def names(found: dict[str, Any]) -> list[str]:
    return [row["name"] for row in found["spaces"]]


def test_spaces_without_an_app_are_listed_the_dearest_first_and_say_what_their_age_rests_on(old: Place) -> None:
    (old.folder / "policies" / "prices.toml").write_text(PRICE)
    found = spaces(old)
    told = ("name", "owner", "gb", "monthly_usd", "days_at_most", "last_sign", "declared", "app_type")
    assert [tuple(row[name] for name in told) for row in found["spaces"]] == [
        ("stray", "u001", 20, 2.2, 300, "made", False, "CodeEditor"),
        ("u001-lab", "u001", 100, 11.0, 40, "changed", True, "JupyterLab"),
        ("u002-lab", "u002", 5, 0.55, 100, "made", True, "JupyterLab"),
    ]
    assert (found["idle_days"], found["gb"], found["monthly_usd"], found["unpriced"]) == (30, 125, 13.75, 0)
    assert old.only_looked()
    text = old.run("status", "--spaces").out
    assert "Spaces without an app for 30 days or more (3 spaces, 125 GB, 13.75 USD per month):" in text
    assert "SPACE              USER  GB   DAYS AT MOST  USD PER MONTH  LAST SIGN OF USE" in text
    assert "research/stray     u001  20   300           2.20           made, 20" in text
    assert HONEST in " ".join(text.split())
    markdown = old.run("status", "--spaces", "--format", "markdown").out
    assert "Spaces without an app for 30 days or more (3 spaces, 125 GB, 13.75 USD per month)" in markdown
    assert "| `research/stray` | u001 | 20 | 300 | 2.20 | made" in unpadded(markdown)
    assert HONEST in markdown


def test_without_a_price_no_cost_is_invented(old: Place) -> None:
    found = spaces(old)
    assert {row["monthly_usd"] for row in found["spaces"]} == {None}
    assert (found["monthly_usd"], found["unpriced"]) == (None, 3)
    text = " ".join(old.run("status", "--spaces").out.split())
    assert "(3 spaces, 125 GB):" in text
    assert '3 spaces have no price for storage: set "ebs-gb-month" (USD per GB and month) in [prices]' in text


def test_the_number_of_days_is_asked_for(old: Place) -> None:
    assert names(spaces(old, "--idle-days", "200")) == ["stray"]
    young = [row for row in spaces(old, "--idle-days", "0")["spaces"] if row["days_at_most"] < 2]
    assert [(row["name"], row["last_sign"]) for row in young] == [("u003-lab", "ended")]
    many = ("status", "--spaces", "--idle-days", "3000")
    assert "Spaces without an app for 3,000 days or more: none." in old.run(*many).out
    assert "3,000 days or more: none" in old.run(*many, "--format", "markdown").out
    assert old.run("status", "--spaces", "--idle-days", "-1").code == 64
    alone = old.run("status", "--idle-days", "7")
    assert alone.code == 64
    assert "--idle-days only works with --spaces. Use --spaces --idle-days 7" in alone.err


@pytest.mark.parametrize(
    ("selector", "shown"),
    [
        (("--space", "u00?-lab"), ["u001-lab", "u002-lab"]),
        (("--user", "u001"), ["stray", "u001-lab"]),
        (("--team", "vision"), ["u001-lab", "u002-lab"]),
        (("--app-type", "JupyterLab"), ["u001-lab", "u002-lab"]),
        (("--key", lab_of("u002")), ["u002-lab"]),
        (("--space", "u000-lab"), []),
    ],
)
def test_selectors_hold_and_never_make_a_space_look_idle(
    old: Place, selector: tuple[str, str], shown: list[str]
) -> None:
    assert names(spaces(old, *selector)) == shown


def test_a_run_that_worked_on_an_app_of_a_space_is_a_sign_of_use(old: Place) -> None:
    run_id = old.apply().report["run_id"]
    old.within(lambda world: app_operations.delete_app(world, old.identity(lab_of("u002"))))
    old.within(lambda world: world.advance(time.time() + 2 * DAY))
    (row,) = spaces(old, "--idle-days", "0", "--space", "u002-lab")["spaces"]
    assert (row["last_sign"], row["run_id"], row["days_at_most"]) == ("run", run_id, 0)


def test_a_status_that_is_not_asked_for_spaces_lists_none(old: Place) -> None:
    report = old.run("status", "--format", "json").report
    assert "idle_spaces" not in report
    assert "ListSpaces" not in old.calls()


def test_spaces_that_cannot_be_listed_are_an_error_beside_the_rest(old: Place) -> None:
    old.scenario(QUICK + fault(FaultKind.ACCESS_DENIED, "ListSpaces"))
    ran = old.run("status", "--spaces", "--format", "json")
    assert ran.code == 1
    (error,) = ran.report["errors"]
    assert error["message"].startswith("spaces of domain research: ")
    assert ran.report["idle_spaces"]["spaces"] == []
    assert len(ran.report["apps"]) == 4


def test_a_domain_whose_apps_cannot_be_listed_has_no_idle_spaces(old: Place) -> None:
    old.scenario(QUICK + fault(FaultKind.ACCESS_DENIED, "ListApps"))
    ran = old.run("status", "--spaces", "--format", "json")
    assert ran.code == 1
    assert ran.report["idle_spaces"]["spaces"] == []
    assert "ListSpaces" not in old.calls()


def test_many_spaces_are_counted_and_all_names_them(place: Place) -> None:
    place.write(fleet_text(people(14)))
    for name in people(14):
        age(place, f"{name}-lab", made=50)
    text = place.run("status", "--spaces").out
    assert "(14 spaces, 70 GB)" in text
    assert "and 4 more: --all names them" in text
    assert "research/u013-lab" not in text
    assert "research/u013-lab" in place.run("status", "--spaces", "--all").out
