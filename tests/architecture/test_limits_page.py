"""The page of limits names every bound and every setting."""

from __future__ import annotations

from dataclasses import fields

from engine.core import limits, settings
from tools.limits_page import limits_page


def test_every_fixed_bound_stands_there_once() -> None:
    page = limits_page()
    names = [name for name, value in vars(limits).items() if name.isupper() and isinstance(value, int | float)]
    assert {name: page.count(f"| `{name}` |") for name in names} == dict.fromkeys(names, 1)


def test_every_number_that_a_policy_may_set_stands_there_with_its_bounds() -> None:
    rows = {line.split("`")[1]: line for line in limits_page().splitlines() if line.startswith("| `[")}
    for table in ("execution", "observe", "safety", "tolerance"):
        values = getattr(settings.Settings(), table)
        numbers = (item for item in fields(values) if not isinstance(getattr(values, item.name), tuple))  # not windows
        for item in numbers:
            name = 'replace = "on-drift"' if item.name == "replace_on_drift" else item.name
            assert f"[{table}] {name}" in rows
    without = {name for name, line in rows.items() if line.endswith("|  |  |")}
    assert without == {'[safety] replace = "on-drift"', "[safety] prune", "[tolerance] canary"}
    assert rows["[execution] concurrency"] == "| `[execution] concurrency` | 16 | 1 | 256 |"
