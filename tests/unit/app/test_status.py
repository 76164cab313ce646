"""What `status` learns besides the listings: from the service of apps that failed, and from the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.app.apply import apply
from engine.app.options import AppOptions
from engine.app.status import status
from engine.core.status import Condition
from tests.e2e.harness import POLICY, fleet_text, people

if TYPE_CHECKING:
    from pathlib import Path

DAY_SECONDS = 86_400.0
SCENARIO = """
schema = 1
[times]
app_pending = 0.05
app_deleting = 0.05
[[failure]]
reason = "the script failed"
owner = "u000-lab"
"""
EXPIRED = '[[fault]]\noperation = "DescribeApp"\nkind = "expired-credentials"\n'
MUTE = '[[fault]]\noperation = "DescribeApp"\nkind = "access-denied"\n'


@pytest.mark.parametrize("fault", ["", MUTE], ids=["the service tells", "DescribeApp is denied"])
async def test_a_failed_app_has_a_reason_also_where_the_service_may_not_be_asked(tmp_path: Path, fault: str) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "execution.toml").write_text(POLICY)
    (tmp_path / "fleet.toml").write_text(fleet_text(people(2)))
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO)
    options = AppOptions(fleet_file=tmp_path / "fleet.toml", simulate=str(scenario), run_id="r1")
    assert await apply(options, lambda _: None, lambda _: True) is not None
    scenario.write_text(SCENARIO + fault)
    view = await status(options, lambda _: None, 14 * DAY_SECONDS)
    (row,) = view.of(Condition.FAILED)
    assert "the script failed" in row.why
    assert ("in run r1" in row.why) is bool(fault)
    assert (view.expiring_within_days, view.is_new, view.complete) == (14, False, True)


async def test_credentials_that_expire_while_reasons_are_read_are_an_error_beside_the_rows(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "execution.toml").write_text(POLICY)
    (tmp_path / "fleet.toml").write_text(fleet_text(people(2)))
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO)
    options = AppOptions(fleet_file=tmp_path / "fleet.toml", simulate=str(scenario), run_id="r1")
    assert await apply(options, lambda _: None, lambda _: True) is not None
    scenario.write_text(SCENARIO + EXPIRED)
    view = await status(options, lambda _: None, 14 * DAY_SECONDS)
    assert [row.why.partition(" in run")[0] for row in view.of(Condition.FAILED)]
    (error,) = view.errors
    assert "domain research: " in error.message
    assert "expired" in error.message
    assert not view.complete
