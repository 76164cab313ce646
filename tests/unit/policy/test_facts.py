from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from engine.policy.cel import Bindings, environment_for
from engine.policy.facts import (
    APP_TYPES,
    GROUP_TYPES,
    facts_of,
    group_name,
    groups_of,
    instance_family,
    show,
    variants_of,
)
from engine.policy.prices import PriceBook
from engine.policy.rules import Scope
from tests.fleets import CANVAS, LAB, an_app
from tests.unit.policy.helpers import DOMAINS, PRICES, RESEARCH
from tests.unit.policy.helpers import LAB as LAB_DOMAIN

BOOK = PriceBook(PRICES)


def test_every_name_of_an_app_has_a_value_and_unset_fields_are_empty() -> None:
    values = facts_of(an_app(CANVAS, None), LAB_DOMAIN, BOOK)
    assert values.keys() == APP_TYPES.keys()
    assert values == {
        "domain": "research",
        "region": "us-west-2",
        "account": "",
        "team": "",
        "owner_kind": "user",
        "owner": "alice",
        "app_type": "Canvas",
        "app_name": "default",
        "instance_type": "",
        "instance_family": "",
        "fallback": [],
        "image_arn": "",
        "image_version_arn": "",
        "image_version_alias": "",
        "lifecycle_config_arn": "",
        "training_plan_arn": "",
        "recovery_mode": False,
        "ebs_gb": 0,
        "idle_minutes": 0,
        "sharing": "",
        "tags": {},
        "mode": "running",
        "expires": "",
        "hours": "",
        "hourly_usd": math.inf,
        "priced": False,
    }


def test_declared_fields_are_given_as_they_are() -> None:
    app = an_app(
        LAB,
        "ml.g5.xlarge",
        expires=date(2026, 12, 31),
        team="vision",
        hours="Mon 08:00-19:00 UTC",
        tags=(("a", "b"),),
        mode="once",
    )
    values = facts_of(app, RESEARCH, BOOK)
    assert values["account"] == "111122223333"
    assert values["recovery_mode"] is False
    assert values["hours"] == "Mon 08:00-19:00 UTC"
    assert (values["expires"], values["mode"], values["team"]) == ("2026-12-31", "once", "vision")
    assert (values["instance_family"], values["hourly_usd"], values["priced"]) == ("g5", 1.5, True)
    assert values["tags"] == {"a": "b"}


def test_an_image_recovery_mode_and_what_the_space_declares_are_given_to_rules_too() -> None:
    spec: dict[str, Any] = {"image_version_arn": "arn:version", "image_version_alias": "2.1", "recovery_mode": True}
    values = facts_of(replace(an_app(LAB, **spec), ebs_gb=200, idle_minutes=60), RESEARCH, BOOK)
    assert {name: values[name] for name in (*spec, "ebs_gb", "idle_minutes")} == {
        **spec,
        "ebs_gb": 200,
        "idle_minutes": 60,
    }
    check = 'ebs_gb <= 100 && idle_minutes > 0 && !recovery_mode && image_version_alias.startsWith("2.")'
    program = environment_for(Scope.APP).compile(check)
    assert program.run(Bindings(environment_for(Scope.APP), values)) is False
    fitting = {**values, "ebs_gb": 100, "recovery_mode": False}
    assert program.run(Bindings(environment_for(Scope.APP), fitting)) is True


@pytest.mark.parametrize(("kind", "family"), [("ml.g4dn.xlarge", "g4dn"), ("system", ""), ("", ""), ("ml.x", "")])
def test_the_family_is_the_middle_of_an_instance_type(kind: str, family: str) -> None:
    assert instance_family(kind) == family


def test_variants_differ_in_type_and_family_alone() -> None:
    values = facts_of(an_app(fallback=("ml.g5.xlarge",)), RESEARCH, BOOK)
    own, other = variants_of(values)
    assert own is values
    assert {name for name in own if own[name] != other[name]} == {"instance_type", "instance_family"}


def test_a_price_of_a_region_comes_before_that_of_all() -> None:
    assert BOOK.price("eu-west-1", "JupyterLab", "ml.g5.xlarge") == 1.5
    assert BOOK.price("us-west-2", "JupyterLab", "ml.g5.xlarge") == 1.4
    assert BOOK.price("us-west-2", "JupyterLab", "ml.p5.48xlarge") is None


def test_system_costs_what_the_service_makes_of_it_for_kernel_gateway_alone() -> None:
    assert BOOK.price("us-west-2", "KernelGateway", "system") == 0.05
    assert BOOK.price("us-west-2", "JupyterServer", "system") is None


def test_an_app_without_an_instance_type_or_on_system_has_the_price_of_its_app_type() -> None:
    book = PriceBook((("", "Canvas", 1.9), ("", "JupyterServer", 0.0), ("eu-west-1", "Canvas", 2.0)))
    assert book.price("us-west-2", "Canvas", "") == 1.9
    assert book.price("eu-west-1", "Canvas", "system") == 2.0
    assert book.price("eu-west-1", "JupyterServer", "system") == 0.0
    assert book.price("eu-west-1", "Canvas", "ml.t3.medium") is None


def test_groups_are_sorted_and_an_app_outside_teams_is_in_none() -> None:
    placed = [(an_app(team="vision"), RESEARCH), (an_app(CANVAS, team="audio"), RESEARCH), (an_app(), RESEARCH)]
    assert [group.name for group in groups_of(Scope.TEAM, placed, DOMAINS)] == ["audio", "vision"]
    assert [group.name for group in groups_of(Scope.OWNER, placed, DOMAINS)] == [
        "research/space/alice-lab",
        "research/user/alice",
    ]


def test_domains_and_the_fleet_are_groups_even_when_they_are_empty() -> None:
    assert [(group.name, len(group.members)) for group in groups_of(Scope.DOMAIN, [], DOMAINS)] == [
        ("lab", 0),
        ("research", 0),
    ]
    (fleet,) = groups_of(Scope.FLEET, [], DOMAINS)
    values = fleet.values(BOOK, with_apps=False)
    assert values.keys() == GROUP_TYPES.keys()
    assert (values["group"], values["count"], values["hourly_usd"], values["priced"]) == ("fleet", 0, 0.0, True)


def test_a_group_counts_by_kind_type_and_owner_and_adds_up_its_cost() -> None:
    placed = [(an_app(), RESEARCH), (an_app(CANVAS, "ml.t3.medium"), RESEARCH)]
    (fleet,) = groups_of(Scope.FLEET, placed, DOMAINS)
    values = fleet.values(BOOK, with_apps=True)
    assert values["by_app_type"] == {"JupyterLab": 1, "Canvas": 1}
    assert values["by_instance_type"] == {"ml.t3.medium": 2}
    assert values["by_owner"] == {"research/space/alice-lab": 1, "research/user/alice": 1}
    assert values["hourly_usd"] == pytest.approx(0.1)
    assert [app["app_type"] for app in values["apps"]] == ["JupyterLab", "Canvas"]


def test_one_app_without_a_price_makes_the_cost_of_its_group_unknown() -> None:
    placed = [(an_app(), RESEARCH), (an_app(CANVAS, None), RESEARCH)]
    (fleet,) = groups_of(Scope.FLEET, placed, DOMAINS)
    values = fleet.values(BOOK, with_apps=False)
    assert (values["hourly_usd"], values["priced"], values["apps"]) == (math.inf, False, [])


def test_an_app_belongs_to_one_group_of_each_scope() -> None:
    app = an_app(team="vision")
    names = {scope: group_name(scope, app) for scope in (Scope.OWNER, Scope.TEAM, Scope.DOMAIN, Scope.FLEET)}
    assert list(names.values()) == ["research/space/alice-lab", "vision", "research", "fleet"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
        (math.inf, "unknown"),
        (12, "12"),
        ("", "none"),
        ([], "none"),
        ({}, "none"),
        (["a", "b"], "a, b"),
        ({"b": 2, "a": 1}, "a=1, b=2"),
        ("a\x1b[31mb", "a\\u001b[31mb"),
    ],
)
def test_values_are_shown_short_and_clean(value: object, text: str) -> None:
    assert show(value) == text


def test_a_long_value_is_cut() -> None:
    assert len(show("x" * 5_000)) == 200
