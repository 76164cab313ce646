"""`prices` over loopback: a policy file from the Price List API, or one clear error and no file."""

from __future__ import annotations

import signal
import tomllib
from typing import TYPE_CHECKING

import pytest

from engine.simulator.world.catalog import PRICES
from tests.e2e.harness import QUICK, fault, fleet_text, people, until

if TYPE_CHECKING:
    from tests.e2e.harness import Place

FILE = "policies/prices.toml"


def test_the_prices_of_the_fleets_regions_become_a_policy_that_costs_a_plan(place: Place) -> None:
    place.write(fleet_text(people(2)))
    ran = place.run("prices", "--out", FILE)
    assert (ran.code, ran.out) == (0, f"wrote {FILE}\n")
    text = (place.folder / FILE).read_text()
    assert tomllib.loads(text) == {"prices": {"eu-west-1": PRICES}}
    assert text.startswith("# USD per hour of Studio JupyterLab apps")
    assert f"from {place.url}, which is not AWS" in text
    assert "+0.10 USD per hour" in place.run("plan").out
    assert place.only_looked()


def test_a_file_of_prices_is_written_anew_and_any_other_is_left_alone(place: Place) -> None:
    place.write(fleet_text(people(1)))
    assert place.run("prices", "--out", FILE).code == 0
    place.within(lambda world: world.prices.update({"ml.t3.medium": 0.07}))
    assert place.run("prices", "--out", FILE).code == 0
    assert tomllib.loads((place.folder / FILE).read_text())["prices"]["eu-west-1"]["ml.t3.medium"] == 0.07
    before = (place.folder / "policies/execution.toml").read_text()
    place.forget_calls()
    refused = place.run("prices", "--out", "policies/execution.toml")
    assert refused.code == 64
    assert "was not written by appfleet prices" in refused.err
    assert (place.folder / "policies/execution.toml").read_text() == before
    assert place.calls() == {}


def test_what_a_person_wrote_and_other_regions_are_kept(place: Place) -> None:
    place.write(fleet_text(people(1)))
    mine = place.folder / "policies" / "mine.toml"
    mine.write_text('# by hand\n[prices]\n"ml.mine.large" = 1.0\n')
    assert place.run("prices", "--out", "policies/mine.toml").code == 64
    assert mine.read_text().startswith("# by hand")
    assert place.run("prices", "--out", FILE).code == 0
    assert place.run("prices", "--region", "us-east-1", "--out", FILE).code == 0
    written = tomllib.loads((place.folder / FILE).read_text())["prices"]
    assert sorted(written) == ["eu-west-1", "us-east-1"]


def test_without_a_file_it_is_standard_output_and_regions_can_be_named(place: Place) -> None:
    place.folder.mkdir(parents=True, exist_ok=True)
    ran = place.run("prices", "--region", "us-east-1", "--region", "ap-south-1")
    assert ran.code == 0
    assert sorted(tomllib.loads(ran.out)["prices"]) == ["ap-south-1", "us-east-1"]
    assert place.run("prices", "--region", "nowhere").code == 64


def test_a_price_that_another_policy_sets_is_not_set_again(place: Place) -> None:
    place.write(fleet_text(people(1)))
    (place.folder / "policies/mine.toml").write_text('[prices.eu-west-1]\n"ml.t3.medium" = 0.06\n')
    ran = place.run("prices", "--out", FILE)
    assert ran.code == 64
    assert 'prices.eu-west-1."ml.t3.medium" is set already at policies/mine.toml:2' in ran.err
    assert sorted(path.name for path in (place.folder / "policies").iterdir()) == ["execution.toml", "mine.toml"]
    assert place.run("validate").code == 0


def test_what_the_list_has_no_price_for_and_a_file_that_no_run_reads_are_said(place: Place) -> None:
    place.write(fleet_text(people(2)))
    place.scenario(QUICK + '[prices]\n"ml.t3.medium" = 0\n')
    ran = place.run("prices", "--out", "elsewhere.toml")
    assert ran.code == 0
    assert "eu-west-1: no price for ml.t3.medium (2 apps)" in ran.err
    assert "do not name elsewhere.toml, so no run reads it" in ran.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_130_at_a_signal_while_the_list_is_read(place: Place, number: signal.Signals) -> None:
    place.write(fleet_text(people(1)))
    place.scenario(QUICK + fault("stall-after", "GetProducts"))
    with place.start("prices", "--out", FILE) as running:
        until(lambda: "GetProducts" in place.calls(), "the price list is asked for")
        running.signal(number)
        ran = running.end()
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[-1] == "appfleet: interrupted"
    assert not (place.folder / FILE).exists()


def test_a_long_list_is_read_to_its_end(place: Place) -> None:
    place.write(fleet_text(people(1)))
    place.within(lambda world: world.prices.update({f"ml.x{number}.large": 1.0 for number in range(250)}))
    ran = place.run("prices")
    assert len(tomllib.loads(ran.out)["prices"]["eu-west-1"]) == 250 + len(PRICES)
    assert place.calls()["GetProducts"] == {"ok": 3}


def test_who_may_not_ask_is_told_the_action_and_no_file_is_written(place: Place) -> None:
    place.write(fleet_text(people(1)))
    place.scenario(QUICK + fault("access-denied", "GetProducts"))
    ran = place.run("prices", "--out", FILE)
    assert ran.code == 1
    assert "pricing:GetProducts" in ran.err
    assert not (place.folder / FILE).exists()


@pytest.mark.parametrize("kind", ["garbage-after", "empty-after", "reset-after", "throttle"])
def test_trouble_that_passes_is_waited_out(place: Place, kind: str) -> None:
    place.write(fleet_text(people(1)))
    place.scenario(QUICK + fault(kind, "GetProducts", max_count=1))
    assert place.run("prices", "--out", FILE).code == 0
    assert (place.folder / FILE).exists()


def test_a_list_without_a_price_that_is_understood_is_an_error(place: Place) -> None:
    place.write(fleet_text(people(1)))
    place.within(lambda world: world.prices.clear())
    ran = place.run("prices", "--out", FILE)
    assert ran.code == 1
    assert "has no price that appfleet understands among 0 offers" in ran.err
    assert not (place.folder / FILE).exists()
