from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import date

import pytest

from engine.core.desired import AppSpec, Layer, Source
from tests.fleets import SOURCE, a_fleet, an_app

LAST_DAY = date(2026, 12, 31)


def test_a_source_is_written_as_editors_read_it() -> None:
    assert str(Source("teams/vision.toml", 12)) == "teams/vision.toml:12"


def test_a_source_that_is_no_file_has_no_line() -> None:
    assert str(Source("--domain-id d-abcd1234efgh", 0)) == "--domain-id d-abcd1234efgh"


def test_a_spec_shows_its_declared_fields_alone() -> None:
    assert AppSpec().to_json() == {}
    assert AppSpec("ml.t3.medium", recovery_mode=False, tags=(("a", "b"), ("c", "d"))).to_json() == {
        "instance_type": "ml.t3.medium",
        "recovery_mode": False,
        "tags": {"a": "b", "c": "d"},
    }


@pytest.mark.parametrize(
    ("today", "expired"), [(date(2026, 12, 30), False), (LAST_DAY, False), (date(2027, 1, 1), True)]
)
def test_the_last_day_belongs_to_the_app(today: date, *, expired: bool) -> None:
    assert an_app(expires=LAST_DAY).is_expired(today) is expired


def test_an_app_without_a_last_day_never_expires() -> None:
    assert not an_app().is_expired(date.max)


def test_where_fields_came_from_does_not_make_apps_differ() -> None:
    layered = replace(an_app(), layers=(Layer("defaults", SOURCE, {"instance_type": "ml.t3.medium"}),))
    assert layered == an_app()
    assert hash(layered) == hash(an_app())


def test_desired_apps_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        an_app().team = "vision"  # type: ignore[misc]


def test_the_apps_of_a_domain_are_found_among_those_of_others_whose_names_begin_alike() -> None:
    names = ["a", "a-b", "ab", "b"]
    apps = [an_app(f"{name}/user/u{number}/Canvas/default") for name in names for number in range(3)]
    fleet = a_fleet(*apps, domains=names)
    found = {name: [str(app.key) for app in fleet.apps_in(name)] for name in (*names, "", "aa", "c")}
    assert found == {
        **{name: [f"{name}/user/u{number}/Canvas/default" for number in range(3)] for name in names},
        "": [],
        "aa": [],
        "c": [],
    }
