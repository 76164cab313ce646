"""Scenario files: what they build, and how each wrong one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.core.errors import ConfigError
from engine.simulator.scenario.scenario import Scenario, load_scenario
from engine.simulator.world.catalog import PRICES
from engine.simulator.world.faults import FailureRule, FaultKind
from engine.simulator.world.quotas import Wording
from engine.simulator.world.request_limit import RequestLimit
from engine.simulator.world.world import World
from tests.unit.simulator.worlds import START

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[4]
SHIPPED = sorted((ROOT / "scenarios").glob("*.toml"))
DOMAIN = '[[domain]]\nid = "d-abc"\nregion = "eu-west-1"\naccount = "111122223333"\n'


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Scenario]:
    def read(text: str) -> Scenario:
        path = tmp_path / "night.toml"
        path.write_text(f"schema = 1\n{text}")
        return load_scenario(path)

    return read


def build(load: Callable[[str], Scenario], text: str) -> World:
    return load(text).build(START)


def statuses(world: World) -> dict[str, str]:
    return {f"{key.owner}/{key.app_type}/{key.app_name}": app.status for key, app in world.apps.items()}


def test_an_empty_scenario_is_an_empty_world(load: Callable[[str], Scenario]) -> None:
    world = build(load, "")
    assert (world.account, dict(world.domains), world.now) == ("000000000000", {}, START)


def test_limits_and_times_are_set_and_the_rest_stays(load: Callable[[str], Scenario]) -> None:
    world = build(
        load,
        'account = "999900001111"\nkeep_replaced_rows = true\n'
        "[times]\napp_pending = 3\napp_deleting = [1.0, 2.0]\ntombstone = 60.0\nhealth_check = 30\n"
        "[request_limits]\nCreateApp = { rate = 5.0, burst = 10.0 }\nListApps = { rate = 0 }\n"
        '[quotas]\nrunning_apps = 7\nwording = "old-name"\nzero_is_refused = false\n'
        '[[quota]]\napp_type = "JupyterLab"\ninstance_type = "ml.t3.medium"\nvalue = 2\n'
        '[[quota]]\nname = "Total domains"\nvalue = 1\naccount = "999900001111"\nregion = "eu-west-1"\n',
    )
    assert world.account == "999900001111"
    assert world.keep_replaced_rows
    assert (world.timing.app_pending, world.timing.app_deleting) == ((3.0, 3.0), (1.0, 2.0))
    assert (world.timing.tombstone, world.timing.space_pending) == (60.0, (0.2, 0.5))
    assert world.timing.health_check == 30.0
    assert world.request_limits == {"CreateApp": RequestLimit(5.0, 10.0), "ListApps": None}
    assert (world.quotas.running_apps, world.quotas.wording) == (7, Wording.OLD_NAME)
    assert not world.quotas.zero_is_refused
    assert world.quotas.named == {"Studio JupyterLab Apps running on ml.t3.medium instances": 2}
    assert world.quotas.exact == {("999900001111", "eu-west-1", "Total domains"): 1}


def test_prices_are_set_and_taken_off_the_list(load: Callable[[str], Scenario]) -> None:
    world = build(load, '[prices]\n"ml.t3.medium" = 0.5\n"ml.g9.large" = 9\n"ml.g5.xlarge" = 0\n')
    assert world.prices == {
        **{kind: usd for kind, usd in PRICES.items() if kind != "ml.g5.xlarge"},
        "ml.t3.medium": 0.5,
        "ml.g9.large": 9.0,
    }


def test_domains_are_filled_with_users_spaces_and_apps(load: Callable[[str], Scenario]) -> None:
    world = build(
        load,
        DOMAIN + 'users = ["alice", "bob"]\ntags = { org = "x" }\n'
        '[[domain.space]]\nname = "team"\nowner = "alice"\nsharing = "Shared"\nebs_gb = 50\n'
        '[[domain.space]]\nname = "free"\napp_type = "CodeEditor"\n'
        '[[domain.app]]\nuser = "bob"\ntype = "Canvas"\nstatus = "Pending"\ntags = { a = "b" }\n'
        '[[domain.app]]\nspace = "free"\ntype = "CodeEditor"\nstatus = "Failed"\nfailure_reason = "why"\n'
        "used_for = 60\n",
    )
    domain = world.domains["d-abc"]
    assert (world.account, domain.tags, sorted(domain.profiles)) == ("111122223333", {"org": "x"}, ["alice", "bob"])
    assert (domain.spaces["team"].sharing, domain.spaces["team"].ebs_gb, domain.spaces["free"].owner) == (
        "Shared",
        50,
        "",
    )
    assert statuses(world) == {"bob/Canvas/default": "Pending", "free/CodeEditor/default": "Failed"}
    assert [app.failure_reason for app in world.apps.values()] == ["", "why"]
    assert [app.used_until - world.now for app in world.apps.values()] == [-world.now, 60.0]


def test_many_users_with_a_space_and_an_app_each_take_three_lines(load: Callable[[str], Scenario]) -> None:
    world = build(
        load,
        DOMAIN + 'users = 250\nuser_prefix = "u"\n'
        'space_per_user = { app = true, instance_type = "ml.m5.large", tags = { "appfleet:fleet" = "ml" } }\n',
    )
    assert len(world.apps) == len(world.domains["d-abc"].spaces) == 250
    app = world.apps[next(iter(world.apps))]
    assert (app.owner, app.bucket.instance_type, app.tags) == ("u00001-lab", "ml.m5.large", {"appfleet:fleet": "ml"})


PLAN = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5"
A_PLAN = f'[[training_plan]]\narn = "{PLAN}"\ninstance_type = "ml.p5.48xlarge"\ntotal = 4\n'


def test_training_plans_are_there_and_change(load: Callable[[str], Scenario]) -> None:
    other = PLAN.replace("p5", "p4")
    world = build(
        load,
        A_PLAN + "available = 1\nstarts = -60\nends = 60\n"
        f'[[training_plan]]\narn = "{other}"\ninstance_type = ["ml.p4d.24xlarge", "ml.p4de.24xlarge"]\ntotal = 2\n'
        'status = "Failed"\ntarget_resources = ["training-job"]\nfull_is_refused = false\n'
        f'[[at]]\nseconds = 5\ntraining_plan = {{ arn = "{PLAN}", total = 6, available = 6 }}\n'
        f'[[at]]\nseconds = 6\ntraining_plan = {{ arn = "{PLAN}", status = "Expired" }}\n'
        f'[[at]]\nseconds = 6\ntraining_plan = {{ arn = "{PLAN}-x", status = "Expired" }}\n'
        + DOMAIN
        + 'users = ["a"]\n[[domain.space]]\nname = "lab"\nowner = "a"\n[[domain.app]]\nspace = "lab"\n'
        f'type = "JupyterLab"\ninstance_type = "ml.p5.48xlarge"\ntraining_plan_arn = "{PLAN}"\n',
    )
    first, second = world.training_plans[PLAN], world.training_plans[other]
    assert (first.name, first.lane, first.starts_at, first.ends_at) == (
        "p5", ("111122223333", "eu-west-1"), START - 60.0, START + 60.0,
    )  # fmt: skip
    assert (first.available(0), world.plan_usage[PLAN], first.status(START)) == (1, 1, "Active")
    assert (second.instance_types, second.targets, second.status(START), second.full_is_refused) == (
        ("ml.p4d.24xlarge", "ml.p4de.24xlarge"), ("training-job",), "Failed", False,
    )  # fmt: skip
    world.advance(START + 5.0)
    assert (first.available(1), first.status(world.now)) == (5, "Active")
    world.advance(START + 6.0)
    assert first.status(world.now) == "Expired"


def test_faults_and_failures_are_taken_over(load: Callable[[str], Scenario]) -> None:
    world = build(
        load,
        '[[failure]]\nreason = "capacity"\ninstance_type = "ml.p5.*"\nprobability = 0.5\n'
        '[[fault]]\nkind = "error"\noperation = "CreateApp"\ncode = "Teapot"\nmessage = "short"\nstatus = 418\n'
        "from_seconds = 5.0\nuntil_seconds = 10.0\nmax_count = 3\n"
        '[[fault]]\nkind = "reset-after"\nprobability = 0.1\n',
    )
    assert world.failures == [FailureRule("capacity", instance_type="ml.p5.*", probability=0.5)]
    first, second = world.faults.rules
    assert (first.fault.kind, first.fault.code, first.fault.status) == (FaultKind.ERROR, "Teapot", 418)
    assert (first.from_at, first.until_at, first.max_count) == (START + 5.0, START + 10.0, 3)
    assert (second.probability, second.until_at) == (0.1, float("inf"))


def test_the_world_changes_at_the_times_that_are_set(load: Callable[[str], Scenario]) -> None:
    world = build(
        load,
        DOMAIN + 'users = ["u1", "u2"]\n'
        "[times]\napp_pending = 0.5\napp_deleting = 0.5\n"
        '[[at]]\nseconds = 1\nquota = { name = "A", value = 5 }\n'
        '[[at]]\nseconds = 2\nrequest_limit = { operation = "CreateApp", rate = 4.0 }\n'
        "[[at]]\nseconds = 3\nevery = 1\ntimes = 2\n"
        'create_app = { domain = "d-abc", user = "u{n}", type = "Canvas", name = "n{n}", tags = { a = "b" } }\n'
        '[[at]]\nseconds = 6\ndelete_app = { domain = "d-abc", user = "u1", type = "Canvas", name = "n1" }\n'
        '[[at]]\nseconds = 6\nfail_app = { domain = "d-abc", user = "u2", type = "Canvas", name = "n2" }\n'
        '[[at]]\nseconds = 7\nfailures = [{ reason = "internal" }]\n',
    )
    seen = []
    for second in range(8):
        world.advance(START + second)
        seen.append((world.quotas.named.get("A"), len(world.request_limits), len(world.apps), len(world.failures)))
    assert seen == [
        (None, 0, 0, 0),
        (5, 0, 0, 0),
        (5, 1, 0, 0),
        (5, 1, 1, 0),
        (5, 1, 2, 0),
        (5, 1, 2, 0),
        (5, 1, 2, 0),
        (5, 1, 2, 1),
    ]
    assert statuses(world) == {"u1/Canvas/n1": "Deleted", "u2/Canvas/n2": "Failed"}


def test_a_change_may_count_from_the_first_create(load: Callable[[str], Scenario]) -> None:
    world = build(load, '[[at]]\nseconds = 5\nfrom = "first-create"\nquota = { name = "A", value = 5 }\n')
    world.advance(START + 100)
    world.note_create(None)
    world.advance(START + 104)
    assert world.quotas.named == {}
    world.advance(START + 105)
    assert world.quotas.named == {"A": 5}


def test_a_scenario_is_laid_over_a_world_once(load: Callable[[str], Scenario]) -> None:
    scenario = load(DOMAIN + 'users = ["alice"]\n[[domain.app]]\nuser = "alice"\ntype = "Canvas"\n')
    world = World()
    assert scenario.apply_to(world, START)
    world.apps.clear()
    assert not scenario.apply_to(world, START + 1)
    assert (dict(world.apps), world.account) == ({}, "000000000000")
    other = load(DOMAIN + 'users = ["ALICE", "bob"]\n[[domain.space]]\nname = "team"\n')
    assert other.apply_to(world, START + 2)
    assert load(DOMAIN + '[[domain.space]]\nname = "team"\n').apply_to(world, START + 3)
    assert sorted(world.domains["d-abc"].profiles) == ["alice", "bob"]
    assert list(world.domains["d-abc"].spaces) == ["team"]


WRONG = [
    (A_PLAN + "available = 5\n", 6, "5 are available of 4"),
    (A_PLAN + "starts = 5\nends = 5\n", 7, "it ends before it starts"),
    (A_PLAN.replace(PLAN, "None"), 3, "None names no training plan"),
    (A_PLAN.replace(PLAN, f"{PLAN}/x"), 3, "is not the ARN of a training plan"),
    ("colour = 1", 2, "there is no such key"),
    ("schema = 2", 2, "this key has a value already"),
    ("[times]\napp_pending = [2, 1]", 3, "a range is two numbers, the smaller one first"),
    ("[times]\napp_pending = -1", 3, "is"),
    ("[request_limits]\nCreateAp = { rate = 1 }", 3, 'Did you mean "CreateApp"?'),
    ("[request_limits]\nCreateApp = { rate = 1, burst = 0 }", 3, "0 is less than 1"),
    ('[quotas]\nwording = "french"', 3, '"french" is not allowed here'),
    ("[[quota]]\nvalue = 1", 2, "a quota is named in one way"),
    ('[[quota]]\nname = "A"\nvalue = 1\nregion = "eu-west-1"', 2, "account and region go together"),
    ('[[fault]]\nkind = "flood"', 3, '"flood" is not allowed here'),
    ("[[fault]]\nkind = 'throttle'\nprobability = 2", 4, "2 is more than 1"),
    ("[[at]]\nseconds = 1", 2, "one change is wanted, and 0 are here"),
    ("[[at]]\nseconds = 1\nquota = { value = 1 }", 4, "a quota is named in one way"),
    ('[[at]]\nseconds = 1\nrequest_limit = { operation = "MakeTea", rate = 1 }', 4, "has no such operation"),
    (
        '[[at]]\nseconds = 1\ncreate_app = { domain = "d-abc", type = "Canvas" }',
        4,
        "an app belongs to a user or to a space",
    ),
    (DOMAIN + DOMAIN, 7, "the domain d-abc is declared twice"),
    ('[[domain]]\nid = "abc"', 3, "domain"),
    (DOMAIN + '[[domain.space]]\nname = "x"\nowner = "alic"', 8, "there is no user alic"),
    (DOMAIN + '[[domain.app]]\nuser = "bob"\ntype = "Canvas"', 7, "there is no user bob"),
    (DOMAIN + '[[domain.app]]\nspace = "lab"\ntype = "JupyterLab"', 7, "there is no space lab"),
    (DOMAIN + '[[domain.app]]\ntype = "JupyterLab"', 6, "an app belongs to a user or to a space"),
    ('[prices]\n"ml.t3.medium" = -1', 3, "-1 is less than 0"),
    ("[prices]\nmedium = 1", 3, "medium"),
    ("[times", 2, "this table header has no closing bracket"),
]


@pytest.mark.parametrize(("text", "line", "said"), WRONG, ids=[said[:40] for _, _, said in WRONG])
def test_a_wrong_file_is_refused_with_its_line(
    load: Callable[[str], Scenario], text: str, line: int, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    shown = [diagnostic.render() for diagnostic in caught.value.diagnostics]
    assert any(f"night.toml:{line}:" in one and said in one for one in shown), shown
    assert all(diagnostic.hint for diagnostic in caught.value.diagnostics)


def test_an_app_that_its_type_does_not_allow_is_refused_when_the_world_is_built(
    load: Callable[[str], Scenario],
) -> None:
    scenario = load(DOMAIN + 'users = ["bob"]\n[[domain.app]]\nuser = "bob"\ntype = "KernelGateway"\n')
    with pytest.raises(ConfigError) as caught:
        scenario.build(START)
    assert "InstanceType must be specified" in caught.value.diagnostics[0].message


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_scenario(tmp_path / "gone.toml")
    assert "gone.toml" in caught.value.diagnostics[0].render()


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_the_scenarios_that_are_shipped_can_be_built_and_run(path: Path) -> None:
    world = load_scenario(path).build(START)
    world.note_create(None)
    world.advance(START + 3_600)
    assert world.domains["d-abcd1234efgh"].account == "111122223333"


def test_the_demo_has_a_full_quota_that_gets_room_twenty_seconds_after_the_first_create() -> None:
    world = load_scenario(ROOT / "scenarios" / "demo.toml").build(START)
    gpu = next(bucket for bucket in world.bucket_usage if bucket.instance_type == "ml.g5.xlarge")
    world.advance(START + 60)
    world.note_create(None)
    world.advance(START + 79)
    before = world.bucket_usage[gpu]
    world.advance(START + 85)
    assert (before, world.bucket_usage[gpu]) == (2, 0)


def test_a_scenario_names_the_external_ids_that_roles_require(load: Callable[[str], Scenario]) -> None:
    text = '[external_ids]\n"arn:aws:iam::111122223333:role/x" = "abc-123"\n'
    assert build(load, text).external_ids == {"arn:aws:iam::111122223333:role/x": "abc-123"}
