"""`explain`: each field with its layer, each rule with its verdict, and the planner's decision."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest

from engine.app.explain import explained, find_app
from engine.app.loading import load
from engine.cli.main import main
from engine.core.change import Action, Reason
from engine.core.errors import UsageError
from engine.core.identity import parse_app_key
from engine.core.observed import AppStatus, ObservedApp, ObservedDomain, ObservedFleet
from engine.core.plan_options import PlanOptions
from engine.core.planner import plan_fleet
from engine.render.explain_text import explain_text

if TYPE_CHECKING:
    from pathlib import Path

    from engine.core.explain import Explanation

TODAY = date(2026, 11, 24)
FLEET = """schema = 1
name = "explain"
[defaults]
tags = { cost = "1" }
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
[apps.lab]
type = "JupyterLab"
instance_type = "ml.g5.xlarge"
fallback = ["ml.g4dn.xlarge"]
[domains.research.users.alice]
[domains.research.spaces.alice-lab]
owner = "alice"
apps = [{ use = "lab", tags = { cost = "2", purpose = "paper" } }]
"""
POLICY = """[[rule]]
id = "gpu-needs-an-end"
enforcement = "advisory"
check = 'expires != ""'
message = "{instance_type} has no end"

[[rule]]
id = "recovery"
enforcement = "remediate"
set = { recovery_mode = true }

[[exception]]
rule = "gpu-needs-an-end"
match = 'owner == "alice-lab"'
reason = "paper deadline"
expires = 2026-12-31

[[priority]]
match = 'app_type == "JupyterLab"'
weight = 7
"""
KEY = parse_app_key("research/space/alice-lab/JupyterLab/default")


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "rules.toml").write_text(POLICY)
    (tmp_path / "fleet.toml").write_text(FLEET)
    return tmp_path / "fleet.toml"


def explain(fleet_file: Path, rows: list[ObservedApp], key: str = str(KEY)) -> Explanation:
    loaded = load(fleet_file, TODAY)
    observed = ObservedFleet({"research": ObservedDomain("research", 0.0, {row.key: row for row in rows})})
    made = plan_fleet(loaded.fleet, observed, PlanOptions("2026-11-24T00:00:00Z", TODAY))
    return explained(loaded, parse_app_key(key), TODAY, made, observed)


def test_each_field_names_the_layer_that_set_it_and_a_rule_counts_as_one(fleet_file: Path) -> None:
    origins = {one.name: (one.value, one.layer, one.source.line) for one in explain(fleet_file, []).fields}
    assert origins["instance_type"] == ("ml.g5.xlarge", "apps.lab", 8)
    assert origins["fallback"] == ("ml.g4dn.xlarge", "apps.lab", 8)
    assert origins["tags.cost"] == ("2", "entry", 15)
    assert origins["tags.purpose"] == ("paper", "entry", 15)
    assert origins["recovery_mode"][:2] == ("True", "rule recovery")


def test_each_rule_tells_what_it_saw_and_which_exception_held(fleet_file: Path) -> None:
    by_rule = {one.rule: one for one in explain(fleet_file, []).rules}
    exempt = by_rule["gpu-needs-an-end"]
    assert exempt.verdict == "exempt"
    assert dict(exempt.seen)["expires"] == "none"
    assert "paper deadline, until 2026-12-31" in exempt.exception
    assert by_rule["recovery"].verdict == "remediated"


def test_the_decision_the_buckets_and_the_priority_are_told(fleet_file: Path) -> None:
    explanation = explain(fleet_file, [])
    assert explanation.change is not None
    assert (explanation.change.action, explanation.change.reason) == (Action.CREATE, Reason.ABSENT)
    assert [bucket.instance_type for bucket in explanation.buckets] == ["ml.g5.xlarge", "ml.g4dn.xlarge"]
    assert explanation.weight == 7
    text = explain_text(explanation)
    assert "appfleet will create the app: missing." in text
    assert "priority 7" in text
    assert "or, as its fallback, in ACCOUNT/eu-west-1/JupyterLab/ml.g4dn.xlarge" in text


def test_an_app_that_drifted_shows_what_is_there(fleet_file: Path) -> None:
    from engine.core.desired import AppSpec

    row = ObservedApp(KEY, AppStatus.IN_SERVICE, 1.0, AppSpec(instance_type="ml.t3.medium"))
    text = explain_text(explain(fleet_file, [row]))
    assert "there now: InService, instance_type ml.t3.medium" in text
    assert "differs in: instance_type" in text


def test_an_app_that_nobody_declares_is_told_as_that(fleet_file: Path) -> None:
    other = "research/space/alice-lab/JupyterLab/other"
    absent = explain(fleet_file, [], other)
    assert absent.app is None
    assert absent.change is not None
    assert absent.change.reason is Reason.GONE
    row = ObservedApp(parse_app_key(other), AppStatus.IN_SERVICE, 1.0)
    present = explain(fleet_file, [row], other)
    assert present.change is not None
    assert present.change.reason is Reason.UNMANAGED
    assert "not declared by this fleet" in explain_text(present)


def test_a_user_is_found_in_any_case_and_an_unknown_domain_has_a_hint(fleet_file: Path) -> None:
    fleet_file.write_text(
        FLEET.replace("[domains.research.users.alice]", '[domains.research.users.alice]\napps=[{type="Canvas"}]')
    )
    loaded = load(fleet_file, TODAY)
    app, _ = find_app(loaded, parse_app_key("research/user/ALICE/Canvas/default"))
    assert app is not None
    with pytest.raises(UsageError, match="Did you mean research"):
        find_app(loaded, parse_app_key("resaerch/user/alice/Canvas/default"))


def test_the_command_tells_the_rest_when_nothing_can_be_listed(
    fleet_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    code = main(["-f", str(fleet_file), "explain", str(KEY), "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert code == 1
    assert document["change"] is None
    assert "no credentials" in document["trouble"]
    assert document["fields"]


def test_the_command_plans_that_app_alone(fleet_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["-f", str(fleet_file), "explain", str(KEY), "--simulate"])
    assert code == 0
    assert "appfleet will create the app" in capsys.readouterr().out
