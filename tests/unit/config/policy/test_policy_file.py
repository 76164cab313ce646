from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from engine.config.policy.policy_file import load_policies
from engine.config.policy.policy_schema import policy_schema
from engine.core import limits
from engine.core.calendars import Calendar
from engine.core.durations import format_duration, parse_duration
from engine.core.errors import PolicyError
from engine.core.settings import Backoff, Backoffs, Execution, Observe, Safety, Settings, Tolerance
from engine.core.windows import parse_freeze
from engine.policy.rules import Enforcement, Scope
from tests.fleets import TODAY, an_app
from tests.unit.policy.helpers import DOMAINS

if TYPE_CHECKING:
    from engine.config.policy.policy_file import LoadedPolicies

ROOT = Path(__file__).parents[4]


def _load(folder: Path, **texts: str) -> LoadedPolicies:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return load_policies([Path(f"{name}.toml") for name in sorted(texts)], folder)


def _problems(folder: Path, **texts: str) -> list[str]:
    with pytest.raises(PolicyError) as raised:
        _load(folder, **texts)
    return [problem.message for problem in raised.value.diagnostics]


def test_no_file_gives_every_default() -> None:
    loaded = load_policies([], Path())
    assert loaded.settings == Settings()
    assert (loaded.rules, loaded.exceptions, loaded.priorities, loaded.inputs) == ((), (), (), ())


def test_every_default_is_what_the_documents_say() -> None:
    assert Settings() == Settings(
        execution=Execution(
            create_rate=2.0,
            create_rate_max=20.0,
            read_rate=5.0,
            concurrency=16,
            settle_timeout=1200.0,
            deadline=10800.0,
        ),
        backoffs=Backoffs(
            throttling=Backoff(1.0, 60.0, 2.0, 900.0),
            limit=Backoff(5.0, 300.0, 2.0, 1800.0),
            transient=Backoff(1.0, 30.0, 2.0, 300.0),
            capacity=Backoff(30.0, 600.0, 2.0, 3600.0),
        ),
        observe=Observe(first_after=5.0, second_after=10.0),
        safety=Safety(
            replace_on_drift=False,
            prune=False,
            destroy_max=10,
            destroy_share_max=0.3,
            destroy_floor=10,
            quarantine_after=3,
            hours_stop_max=500,
            create_max=5000,
            hourly_usd_max=None,
            replace_wave=10,
            spare_active=0.0,
            freeze=(),
        ),
        create_owners=False,
        assign_users=False,
        prices=(),
    )


def test_the_shipped_execution_file_writes_out_every_setting_at_its_default() -> None:
    loaded = load_policies([Path("policies/execution.toml")], ROOT)
    assert loaded.settings == Settings()
    tables = {"execution": Execution, "observe": Observe, "tolerance": Tolerance}
    wanted = {f"{table}.{item.name}" for table, kind in tables.items() for item in fields(kind)}
    wanted |= {
        f"backoff.{name}.{item.name}"
        for name in ("ThrottlingException", "ResourceLimitExceeded", "transient", "capacity")
        for item in fields(Backoff)
    }
    wanted |= {f"safety.{item.name}" for item in fields(Safety)} - {"safety.hourly_usd_max", "safety.replace_on_drift"}
    assert loaded.sources.keys() == wanted | {
        "safety.replace",
        "owners.create",
        "owners.assign",
        "owners.update",
        "owners.look_every",
    }


FREEZES = (
    Calendar((parse_freeze("Fri 16:00-Mon 06:00 Europe/Berlin"),), ZoneInfo("Europe/Berlin"), "Europe/Berlin"),
    Calendar((parse_freeze("2026-12-20/2027-01-03"),), ZoneInfo("UTC"), "UTC"),
)


def test_every_setting_can_be_set(tmp_path: Path) -> None:
    loaded = _load(
        tmp_path,
        a="""
[execution]
create_rate = 3
create_rate_max = 40.5
read_rate = 10.0
concurrency = 64
settle_timeout = "1.5h"
deadline = "1d"
[backoff.ThrottlingException]
initial = "250ms"
[backoff.ResourceLimitExceeded]
max = "1m"
[backoff.transient]
factor = 1.5
[backoff.capacity]
give_up_after = "2h"
[observe]
first_after = "1s"
second_after = "2s"
""",
        b="""
[safety]
replace = "on-drift"
prune = true
destroy_max = 1
destroy_share_max = 0.5
destroy_floor = 3
quarantine_after = 5
hours_stop_max = 20
create_max = 10
hourly_usd_max = 500
replace_wave = 20
spare_active = "90m"
freeze = ["Fri 16:00-Mon 06:00 Europe/Berlin", "2026-12-20/2027-01-03"]
[tolerance]
canary = false
failures_max = 2
failure_share_max = 0.25
failure_floor = 4
[owners]
create = true
assign = true
[prices]
"ml.t3.medium" = 0.05
Canvas = 2
ebs-gb-month = 0.11
[prices.eu-west-1]
"ml.t3.medium" = 0.06
""",
    )
    plain = Backoffs()
    assert loaded.settings == Settings(
        execution=Execution(3.0, 40.5, 10.0, 64, 5400.0, 86400.0),
        backoffs=Backoffs(
            Backoff(0.25, 60.0, 2.0, 900.0),
            Backoff(5.0, 60.0, 2.0, 1800.0),
            Backoff(1.0, 30.0, 1.5, 300.0),
            Backoff(plain.capacity.initial, plain.capacity.max, plain.capacity.factor, 7200.0),
        ),
        observe=Observe(1.0, 2.0),
        safety=Safety(True, True, 1, 0.5, 3, 5, 20, 10, 500.0, 20, 5400.0, FREEZES),
        tolerance=Tolerance(canary=False, failures_max=2, failure_share_max=0.25, failure_floor=4),
        create_owners=True,
        assign_users=True,
        prices=(
            ("", "Canvas", 2.0),
            ("", "ebs-gb-month", 0.11),
            ("", "ml.t3.medium", 0.05),
            ("eu-west-1", "ml.t3.medium", 0.06),
        ),
    )
    assert loaded.admission.prices.price("eu-west-1", "JupyterLab", "ml.t3.medium") == 0.06
    assert loaded.admission.prices.storage("eu-west-1") == 0.11


def test_inputs_are_the_files_with_their_hashes_and_sources_their_lines(tmp_path: Path) -> None:
    text = '[safety]\n\ndestroy_max = 3\n[prices]\n"ml.t3.medium" = 1\n'
    loaded = _load(tmp_path, a=text)
    assert loaded.inputs == (("a.toml", hashlib.sha256(text.encode()).hexdigest()),)
    assert {key: place.line for key, place in loaded.sources.items()} == {
        "safety.destroy_max": 3,
        'prices."ml.t3.medium"': 5,
    }


def test_files_may_be_named_absolutely(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[safety]\ndestroy_max = 3\n")
    assert load_policies([tmp_path / "a.toml"], tmp_path).settings.safety.destroy_max == 3


def test_a_file_that_two_patterns_match_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[safety]\ndestroy_max = 3\n")
    assert len(load_policies([Path("a.toml"), Path("a.toml")], tmp_path).inputs) == 1


def test_a_file_that_cannot_be_read_is_a_problem_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text("[safety]\ndestroy_max = -1\n")
    with pytest.raises(PolicyError) as raised:
        load_policies([Path("missing.toml"), Path("b.toml")], tmp_path)
    assert [problem.message for problem in raised.value.diagnostics] == [
        "-1 is less than 0",
        "there is no file missing.toml",
    ]


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    text = "#" * (limits.POLICY_FILE_MAX_BYTES + 1)
    assert _problems(tmp_path, a=text) == ["a.toml is larger than 1,000,000 bytes"]


RULES = """
[[rule]]
id = "size"
description = "Small by default"
enforcement = "remediate"
match = 'instance_type == ""'
set = { instance_type = "ml.t3.medium", fallback = ["ml.m5.large"], tags = { b = "2", a = "1" }, recovery_mode = false }
[[rule]]
id = "few"
enforcement = "skip"
scope = "owner"
check = 'count < 3'
message = "{count} apps"
[[rule]]
id = "off"
enforcement = "disabled"
[[exception]]
rule = "few"
match = 'group == "research/user/alice"'
reason = "deadline"
expires = 2026-12-31
[[priority]]
match = 'team == "vision"'
weight = -2
"""


def test_rules_exceptions_and_priorities_are_read_with_their_lines(tmp_path: Path) -> None:
    loaded = _load(tmp_path, rules=RULES)
    size, few, off = loaded.rules
    assert size.sets == (
        ("fallback", ("ml.m5.large",)),
        ("instance_type", "ml.t3.medium"),
        ("recovery_mode", False),
        ("tags", (("a", "1"), ("b", "2"))),
    )
    assert (size.enforcement, size.scope, size.description) == (Enforcement.REMEDIATE, Scope.APP, "Small by default")
    assert (few.scope, few.source.line, few.key_path("check")) == (Scope.OWNER, 8, "rule[1].check")
    assert few.check is not None
    assert few.check.source.line == 12
    assert few.message_source is not None
    assert few.message_source.line == 13
    assert (off.enforcement, off.check) == (Enforcement.DISABLED, None)
    (exception,) = loaded.exceptions
    assert (exception.rule, exception.expires.isoformat(), exception.reason) == ("few", "2026-12-31", "deadline")
    (priority,) = loaded.priorities
    assert (priority.weight, priority.source.line) == (-2.0, 22)


def test_what_was_read_is_compiled_and_can_be_asked(tmp_path: Path) -> None:
    admission = _load(tmp_path, rules=RULES).admission
    admitted = admission.admit([an_app(instance_type=None)], DOMAINS, TODAY)
    assert admitted.apps[0].spec.instance_type == "ml.t3.medium"
    assert admission.weight(an_app(team="vision"), DOMAINS[1]) == -2.0


def test_a_rule_that_is_wrong_hides_neither_the_next_one_nor_an_exception_of_itself(tmp_path: Path) -> None:
    text = '[[rule]]\nid = "few"\ncheck = "true"\n' + RULES.replace('id = "few"', 'id = "x"').replace(
        "count < 3", "cont"
    )
    assert _problems(tmp_path, a=text) == ["enforcement is missing", "there is no name cont here (line 1, column 1)"]


def test_rules_are_bounded_and_that_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.config.policy.policy_rules.RULES_MAX_COUNT", 2)
    text = "".join(f'[[rule]]\nid = "r{n}"\nenforcement = "skip"\ncheck = "true"\n' for n in range(5))
    assert _problems(tmp_path, a=text) == ["there are more than 2 rules"]


def test_texts_are_bounded(tmp_path: Path) -> None:
    rule = '[[rule]]\nid = "r"\nenforcement = "skip"\ncheck = "true"\n'
    assert _problems(tmp_path, a=f'{rule}message = "{"x" * 1001}"\n') == [
        "the text has 1,001 characters, more than 1,000"
    ]
    long_id = rule.replace('"r"', f'"{"r" * 65}"')
    assert "is not an id" in _problems(tmp_path, a=long_id)[0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0.0), ("250ms", 0.25), ("90s", 90.0), ("20m", 1200.0), ("1.5h", 5400.0), ("7d", 604800.0)],
)
def test_durations_are_read_and_written(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "1", "1 s", "-1s", "1.s", ".5s", "1e3s", "1w", "1S", "\u0661s", "1s\n", "9" * 13 + "s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0ms"), (0.001, "1ms"), (1.5, "1500ms"), (60.0, "1m"), (90.0, "90s"), (86400.0, "1d")]
)
def test_durations_are_written_without_a_fraction(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def _table(schema: dict[str, Any], path: list[str]) -> dict[str, Any]:
    node = schema
    for name in path:
        node = node["properties"][name]
        for holder in (node.get("items", node), node):
            if "$ref" in holder:
                node = schema["$defs"][holder["$ref"].rpartition("/")[2]]
                break
    return node


def test_the_schema_knows_every_key_of_the_shipped_files() -> None:
    schema = policy_schema()
    for file in ("execution.toml", "guardrails.toml"):
        for table, content in tomllib.loads((ROOT / "policies" / file).read_text()).items():
            if table != "prices":
                for row in content if isinstance(content, list) else [content]:
                    assert row.keys() <= _table(schema, [table])["properties"].keys()
    assert _table(schema, ["backoff", "ThrottlingException"])["properties"].keys() == {
        "initial",
        "max",
        "factor",
        "give_up_after",
    }


def test_the_schema_tells_bounds_defaults_and_what_is_required_and_never_null() -> None:
    schema = policy_schema()
    rate = _table(schema, ["execution"])["properties"]["create_rate"]
    assert (rate["minimum"], rate["maximum"], rate["default"]) == (0.01, 10_000.0, 2.0)
    deadline = _table(schema, ["execution"])["properties"]["deadline"]
    assert (deadline["type"], deadline["default"]) == ("string", "3h")
    assert set(_table(schema, ["rule"])["required"]) == {"id", "enforcement"}
    assert schema["additionalProperties"] is False
    assert "null" not in json.dumps(schema)
