"""Plans that were approved before: what is read from a file, what is refused, and what is taken from it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.app import approval
from engine.app.approval import Approval, approval_of
from engine.app.options import AppOptions
from engine.core.bucket_url import BucketUrl
from engine.core.errors import DeniedError, StalePlanError, UsageError
from engine.core.planner import plan_fleet
from engine.core.selectors import Selectors
from tests.fleets import CANVAS, LAB, a_fleet, an_app, key_of, observe, options

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
PLAN = plan_fleet(
    a_fleet(an_app(LAB)),
    observe(),
    options(
        selectors=Selectors.parse(teams=["a", "b*"], keys=[LAB], app_types=["Canvas"]),
        prune=True,
        replace_on_drift=True,
        replace_keys=frozenset({key_of(LAB), key_of(CANVAS)}),
        retry_quarantined=True,
        allowances=("research/*=12", LAB),
        version="1.0",
    ),
)


def saved(folder: Path, document: Any) -> AppOptions:
    path = folder / "plan.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return AppOptions(folder / "fleet.toml", saved_plan=path)


def test_without_a_plan_or_a_checksum_nothing_is_approved(tmp_path: Path) -> None:
    asked = AppOptions(tmp_path / "fleet.toml")
    found, same = approval_of(asked, NOW)
    assert (found.given, same) == (False, asked)
    assert not found.confirm(lambda _: False)(PLAN)
    found.check(PLAN)


def test_a_saved_plan_brings_the_flags_that_it_was_made_with(tmp_path: Path) -> None:
    found, asked = approval_of(saved(tmp_path, PLAN.to_json()), NOW)
    assert found.given
    assert found.confirm(lambda _: False)(PLAN)
    assert asked.selectors.pairs() == PLAN.selectors
    assert (asked.request.prune, asked.request.replace_on_drift, asked.request.retry_quarantined) == (True, True, True)
    assert asked.request.replace_keys == {key_of(LAB), key_of(CANVAS)}
    assert set(asked.request.allow_destructive) == {"research/*=12", LAB}
    assert asked.wave == frozenset()


def test_a_plan_that_still_fits_passes_and_one_that_does_not_is_stale(tmp_path: Path) -> None:
    found, _ = approval_of(saved(tmp_path, PLAN.to_json()), NOW)
    found.check(PLAN)
    found.check(replace(PLAN, fleet="other", denied=True))  # nothing of it will be run
    with pytest.raises(StalePlanError, match=r"the saved plan is stale: .* fleet other; nothing was changed"):
        found.check(replace(PLAN, fleet="other"))


def test_a_checksum_is_for_one_plan() -> None:
    Approval(checksum=PLAN.fingerprint).check(PLAN)
    with pytest.raises(StalePlanError, match=r"has the fingerprint sha256:.*, and sha256:0 was approved"):
        Approval(checksum="sha256:0").check(PLAN)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"made_at": "2026-11-24T00:29:59Z"}, "3,601 s old, older than the 3,600 s of --plan-age-max"),
        ({"made_at": "2026-11-24T01:36:00Z"}, "made 360 s in the future"),
        ({"made_at": "yesterday"}, "yesterday is not a time in UTC"),
        ({"made_at": "2026-11-24T01:00:00"}, "is not a time in UTC"),
        ({"options": {"prune": "on"}}, "it names what no plan has"),
        ({"selectors": {"planet": ["x"]}}, "it names what no plan has"),
        ({"format_version": 2}, "format version 2"),
        ({"fleet": "other"}, "fingerprint"),
    ],
)
def test_a_plan_that_cannot_be_trusted_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(StalePlanError, match=told):
        approval_of(saved(tmp_path, PLAN.to_json() | changes), NOW)


def test_a_plan_of_the_last_hour_is_taken(tmp_path: Path) -> None:
    found, _ = approval_of(saved(tmp_path, PLAN.to_json()), NOW + timedelta(minutes=30))
    assert found.given


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")]
)
def test_what_is_not_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(StalePlanError, match=r"is not JSON"):
        approval_of(saved(tmp_path, text), NOW)


def test_a_plan_that_was_denied_is_not_run(tmp_path: Path) -> None:
    with pytest.raises(DeniedError, match=r"was denied when it was made"):
        approval_of(saved(tmp_path, replace(PLAN, denied=True).to_json()), NOW)


def test_a_file_that_is_missing_a_pipe_or_huge_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"the saved plan cannot be used: there is no file"):
        approval_of(AppOptions(tmp_path / "f", saved_plan=tmp_path / "none.json"), NOW)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=r"is not a regular file"):
        approval_of(AppOptions(tmp_path / "f", saved_plan=tmp_path / "pipe"), NOW)
    monkeypatch.setattr(approval, "PLAN_FILE_MAX_BYTES", 10)
    with pytest.raises(UsageError, match=r"larger than 10 bytes"):
        approval_of(saved(tmp_path, PLAN.to_json()), NOW)


def test_a_fingerprint_beside_the_file_refuses_a_file_that_was_edited_and_computed_again(tmp_path: Path) -> None:
    edited = plan_fleet(a_fleet(an_app(LAB)), observe(), options(prune=True, allowances=("research/*=9999",)))
    for plan, checksum in ((PLAN, PLAN.fingerprint), (edited, edited.fingerprint)):
        assert approval_of(replace(saved(tmp_path, plan.to_json()), checksum=checksum), NOW)[0].saved is not None
    other = plan_fleet(a_fleet(an_app(LAB), an_app(CANVAS, None)), observe(), options())
    with pytest.raises(StalePlanError, match=r"has the fingerprint sha256:\w+, and sha256:\w+ was approved"):
        approval_of(replace(saved(tmp_path, other.to_json()), checksum=PLAN.fingerprint), NOW)


def test_an_edited_plan_adds_no_change_that_the_fleet_does_not_call_for(tmp_path: Path) -> None:
    more = plan_fleet(a_fleet(an_app(LAB), an_app(CANVAS, None)), observe(), options())
    found, _ = approval_of(saved(tmp_path, more.to_json()), NOW)
    made = plan_fleet(a_fleet(an_app(LAB)), observe(), options())
    assert {change.key for change in made.changes} < {change.key for change in more.changes}
    found.check(replace(made, inputs=more.inputs))  # what runs is what was planned now, and that is less


@pytest.mark.parametrize("made_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-24", "\x00"])
def test_a_time_that_no_zone_has_is_not_a_time(tmp_path: Path, made_at: str) -> None:
    with pytest.raises(StalePlanError, match="is not a time in UTC"):
        approval_of(saved(tmp_path, replace(PLAN, made_at=made_at).to_json()), NOW)


def test_the_plans_of_shards_are_not_taken_for_a_plan(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"s3://bucket/plans holds the plans of shards. Add --shard I/N"):
        approval_of(AppOptions(tmp_path / "f", saved_plan=BucketUrl("bucket", "plans/")), NOW)
