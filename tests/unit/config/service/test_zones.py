"""Time zones by name, and what is said of names that are none."""

from __future__ import annotations

import zoneinfo

import pytest

from engine.config.service.zones import zone_named
from engine.core.windows import WindowFault


def test_a_zone_is_found_by_its_iana_name() -> None:
    assert str(zone_named("Europe/Berlin")) == "Europe/Berlin"
    assert str(zone_named("UTC")) == "UTC"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berlni", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("Europe", "Did you mean"),
        ("../../etc/passwd", "IANA name"),
        ("", "IANA name"),
        ("localtime", "Did you mean"),
    ],
)
def test_the_nearest_zone_is_named(name: str, hint: str) -> None:
    with pytest.raises(WindowFault, match="is not a time zone") as fault:
        zone_named(name)
    assert hint in fault.value.hint


def test_a_system_without_zones_is_told_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", missing)
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    with pytest.raises(WindowFault, match="no time zone data") as fault:
        zone_named("Europe/Rome")
    assert "pip install tzdata" in fault.value.hint
