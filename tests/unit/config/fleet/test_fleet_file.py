"""What a fleet file's loader promises beside its case files: bounds, sharing, purity, and how it fails."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.config.fleet import expand, fleet_file, people, spaces
from engine.config.fleet.fleet_file import load_fleet
from engine.config.reading import problems
from engine.core.errors import ConfigError
from tests.unit.config.fleet.dumps import HEAD, dump, load_text

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[4]
LAB = '"{member}-lab" = { apps = ["lab"] }\n'


def _refused(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load_text(folder, text)
    return [d.render().replace(f"{folder}/", "") for d in refused.value.diagnostics]


def test_a_fleet_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load_fleet(tmp_path / "fleet.toml")
    (only,) = refused.value.diagnostics
    assert only.render() == (
        f"{tmp_path}/fleet.toml: there is no file fleet.toml. Correct the path, or run appfleet where the file is"
    )
    assert str(refused.value) == "1 problem found; nothing was called"


def test_a_pipe_as_fleet_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fleet.toml")
    with pytest.raises(ConfigError) as refused:
        load_fleet(tmp_path / "fleet.toml")
    assert "is not a regular file" in refused.value.diagnostics[0].message


def test_a_giant_fleet_file(tmp_path: Path) -> None:
    assert _refused(tmp_path, "#" * 5_000_001) == [
        (
            "fleet.toml: fleet.toml is larger than 5,000,000 bytes. "
            "Split it: move teams into separate files and include them"
        )
    ]


def test_an_include_that_is_a_link_out_of_the_folder(tmp_path: Path) -> None:
    home = tmp_path / "fleet"
    home.mkdir()
    (tmp_path / "secret").write_text("")
    (home / "team.toml").symlink_to("../secret")
    with pytest.raises(ConfigError) as refused:
        load_text(home, 'include = ["team.toml"]\n' + HEAD)
    assert [d.render().replace(f"{home}/", "") for d in refused.value.diagnostics] == [
        (
            "fleet.toml:1: include[0]: team.toml is a link to ../secret, outside the fleet file's folder. "
            f"Put the file itself below {home}, or link to one that exists"
        )
    ]


def test_a_file_under_two_names_is_read_once(tmp_path: Path) -> None:
    """Also the fleet file itself, where a pattern finds what it is a link to."""
    (tmp_path / "real.toml").write_text('include = ["*.toml"]\n' + HEAD)
    (tmp_path / "team.toml").write_text('[domains.research.teams.t]\nmembers = ["a"]\n')
    (tmp_path / "again.toml").symlink_to("team.toml")
    (tmp_path / "fleet.toml").symlink_to("real.toml")
    loaded = load_fleet(tmp_path / "fleet.toml")
    assert [name for name, _ in loaded.fleet.inputs] == ["fleet.toml", "team.toml"]


def test_an_include_that_is_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "team.toml")
    assert _refused(tmp_path, 'include = ["team.toml"]\n' + HEAD) == [
        "fleet.toml:1: include[0]: team.toml is not a regular file. Name a file, not a folder, pipe or device"
    ]


def test_the_fleet_file_and_a_file_matched_twice_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text('[domains.research.teams.t]\nmembers = ["a"]\n')
    loaded = load_text(tmp_path, 'include = ["*.toml", "team.toml"]\n' + HEAD)
    assert [name for name, _ in loaded.fleet.inputs] == ["fleet.toml", "team.toml"]


def test_a_members_file_lies_beside_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "t.toml").write_text('[domains.research.teams.t]\nmembers_file = "t.csv"\n')
    (tmp_path / "teams" / "t.csv").write_text("zoe\n")
    loaded = load_text(tmp_path, 'include = ["teams/*.toml"]\n' + HEAD)
    assert [owner.owner.name for owner in loaded.fleet.owners] == ["zoe"]


def test_names_in_a_broken_file_are_not_called_unknown(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("[apps.x]\ntype = \n")
    shown = _refused(
        tmp_path,
        'include = ["broken.toml"]\n'
        + HEAD
        + '[apps.y]\nextends = "x"\n[domains.research.spaces.s]\nowner = "nobody"\napps = ["x", "y"]\n',
    )
    assert [line.split(":")[0] for line in shown] == ["broken.toml"]


def test_a_definition_that_is_wrong_is_not_called_unknown_as_well(tmp_path: Path) -> None:
    shown = _refused(
        tmp_path,
        HEAD + '[apps.x]\ntype = "Canvass"\n[apps.y]\nextends = "x"\n[domains.research.users.a]\napps = ["x", "y"]\n',
    )
    assert len(shown) == 1


def test_a_user_table_that_is_wrong_is_still_a_known_owner(tmp_path: Path) -> None:
    shown = _refused(
        tmp_path, HEAD + '[domains.research.users.a]\nmode = "x"\n[domains.research.spaces.s]\nowner = "a"\n'
    )
    assert len(shown) == 1


def test_members_share_spec_layers_and_source(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        HEAD
        + '[domains.research.teams.t]\nmembers = ["a", "b"]\ntags = { team = "t" }\n'
        + "[domains.research.teams.t.spaces]\n"
        + LAB,
    )
    first, second = loaded.fleet.apps
    assert first.spec is second.spec
    assert first.layers is second.layers
    assert first.source is second.source
    assert loaded.fleet.owners[0].tags is loaded.fleet.owners[1].tags


def test_the_last_layer_that_holds_a_field_set_it(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        HEAD
        + '[defaults]\ninstance_type = "ml.t3.medium"\n'
        + '[domains.research.users.a]\n[domains.research.spaces.s]\nowner = "a"\ninstance_type = "ml.m5.large"\n'
        + 'apps = [{ use = "lab", mode = "once" }]\n',
    )
    (app,) = loaded.fleet.apps
    setters = [layer.name for layer in app.layers if "instance_type" in layer.values]
    assert setters == ["defaults", "space s"]
    assert app.spec.instance_type == "ml.m5.large"
    assert app.layers[-1].values == {"mode": "once"}


def test_the_result_does_not_depend_on_the_order_of_tables(tmp_path: Path) -> None:
    head, *tables = (HEAD + '[domains.research.users.b]\napps = ["canvas"]\n').split("\n\n")
    tables.append('[domains.research.teams.t]\nmembers = ["c", "a"]\nuser_apps = ["canvas"]')
    one = load_text(tmp_path, "\n\n".join([head, *tables, ""])).fleet
    two = load_text(tmp_path, "\n\n".join([head, *reversed(tables), ""])).fleet
    assert [app.key for app in one.apps] == [app.key for app in two.apps]
    assert [(owner.owner, owner.teams) for owner in one.owners] == [(owner.owner, owner.teams) for owner in two.owners]


def test_too_many_apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expand, "FLEET_APPS_MAX_COUNT", 3)
    shown = _refused(
        tmp_path, HEAD + '[domains.research.teams.t]\nmembers = ["a", "b", "c", "d"]\nuser_apps = ["canvas"]\n'
    )
    assert shown == [
        (
            "fleet.toml:16: domains.research.teams.t.user_apps[0]: the fleet has more than 3 apps. "
            "Split it into several fleets"
        )
    ]


@pytest.mark.parametrize(("module", "what"), [(people, "user profiles"), (spaces, "spaces")])
def test_too_many_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, what: str) -> None:
    monkeypatch.setattr(module, "FLEET_OWNERS_MAX_COUNT", 3)
    shown = _refused(
        tmp_path,
        HEAD
        + '[domains.research.teams.t]\nmembers = ["a", "b", "c", "d"]\n'
        + '[domains.research.teams.t.spaces]\n"{member}-x" = {}\n',
    )
    assert len(shown) == 1
    assert f"the domain has more than 3 {what}" in shown[0]


def test_a_fault_of_a_team_is_told_once_and_not_for_each_member(tmp_path: Path) -> None:
    shown = _refused(
        tmp_path, HEAD + '[domains.research.teams.t]\nmembers = ["a", "b", "c"]\nuser_apps = ["lab", "nope"]\n'
    )
    assert len(shown) == 2


def test_an_owner_without_apps_has_its_tags_counted_too(tmp_path: Path) -> None:
    some = "".join(f'k{i} = "v"\n' for i in range(30))
    more = "".join(f'm{i} = "v"\n' for i in range(30))
    shown = _refused(tmp_path, HEAD + f"[defaults.tags]\n{some}[domains.research.users.a.tags]\n{more}")
    assert len(shown) == 1
    assert "give research/user/a 60 tags" in shown[0]


@pytest.mark.parametrize("entry", ['"nope"', "7", '{ use = "nope", name = "x" }'])
def test_a_file_that_is_wrong_throughout_is_given_up_at_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.setattr(problems, "PROBLEMS_KEPT_MAX_COUNT", 3)
    assert len(_refused(tmp_path, HEAD + f"[domains.research.users.a]\napps = [{', '.join([entry] * 9)}]\n")) == 3


def test_teams_may_agree(tmp_path: Path) -> None:
    team = 'members = ["a", "b"]\ntags = { who = "us" }\nmode = "once"\n'
    loaded = load_text(
        tmp_path,
        HEAD + f'[domains.research.teams.x]\n{team}user_apps = ["canvas"]\n[domains.research.teams.y]\n{team}',
    )
    assert [(app.team, app.spec.tags) for app in loaded.fleet.apps] == [("x", (("who", "us"),))] * 2


def test_a_disagreement_of_two_teams_is_told_once(tmp_path: Path) -> None:
    shown = _refused(
        tmp_path,
        HEAD
        + '[domains.research.teams.x]\nmembers = ["a", "b"]\nmode = "once"\n[domains.research.teams.x.spaces]\n'
        + '"{member}-s" = { ebs_gb = 10 }\n'
        + '[domains.research.teams.y]\nmembers = ["a", "b"]\nmode = "running"\n[domains.research.teams.y.spaces]\n'
        + '"{member}-s" = { ebs_gb = 20 }\n'
        + '[domains.research.users.a]\ntags = { own = "layer" }\n',
    )
    assert [line.split(": ")[1] for line in shown] == [
        "domains.research.teams.y.mode",
        'domains.research.teams.y.spaces."{member}-s"',
    ]


def test_a_fault_of_a_teams_space_is_told_once(tmp_path: Path) -> None:
    shown = _refused(
        tmp_path,
        HEAD
        + '[domains.research.teams.t]\nmembers = ["a", "b"]\n[domains.research.teams.t.spaces]\n'
        + '"{member}-s" = { idle_minutes = 60 }\n'
        + '"{member}-two" = { apps = ["lab", { use = "lab", name = "x" }] }\n'
        + f'"{{member}}-{"x" * 62}" = {{ apps = ["lab"] }}\n',
    )
    assert len(shown) == 3


def test_the_same_conflict_for_every_member_is_told_once(tmp_path: Path) -> None:
    shown = _refused(
        tmp_path,
        HEAD
        + '[domains.research.teams.t]\nmembers = ["a", "b"]\n'
        + 'user_apps = ["canvas", { use = "canvas", fallback = ["ml.t3.large"], instance_type = "ml.t3.medium" }]\n',
    )
    assert len(shown) == 1
    assert "(instance_type, fallback)" in shown[0]


def test_a_long_chain_of_extends_that_ends_is_followed(tmp_path: Path) -> None:
    chain = "".join(f'[apps.a{i}]\nextends = "a{i + 1}"\n' for i in range(31)) + '[apps.a31]\ntype = "Canvas"\n'
    loaded = load_text(tmp_path, HEAD + chain + '[domains.research.users.u]\napps = ["a0"]\n')
    assert len(loaded.fleet.apps[0].layers) == 32


def test_a_chain_of_extends_grown_from_known_ends_is_bounded_too(tmp_path: Path) -> None:
    chain = "".join(f'[apps.a{i}]\nextends = "a{i - 1}"\n' for i in range(1, 40))
    shown = _refused(tmp_path, HEAD + '[apps.a0]\ntype = "Canvas"\n' + chain)
    assert len(shown) == 1
    assert "apps.a32.extends" in shown[0]


def test_the_domains_table_and_a_domain_must_be_tables(tmp_path: Path) -> None:
    shown = _refused(tmp_path, 'schema = 1\nname = "f"\napps = 3\n[domains]\nresearch = "d-1"\n')
    assert [line.split(": ", 2)[1] for line in shown] == ["apps", "domains.research"]


def test_a_team_that_is_no_table(tmp_path: Path) -> None:
    shown = _refused(tmp_path, HEAD + "[domains.research.teams]\nx = 1\n")
    assert shown == [
        ("fleet.toml:15: domains.research.teams.x: expected a table, found a whole number. Write it as { key = value }")
    ]


def test_an_expiry_that_is_a_number(tmp_path: Path) -> None:
    shown = _refused(tmp_path, HEAD + "[defaults]\nexpires = 20261231\n")
    assert shown == [
        "fleet.toml:15: defaults.expires: this is not a date. Write the day alone, without quotes: 2026-12-31"
    ]


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_collector_is_left_as_it_was_found(tmp_path: Path, *, was_enabled: bool) -> None:
    before = gc.isenabled()
    gc.collect()
    frozen = gc.get_freeze_count()
    try:
        (gc.enable if was_enabled else gc.disable)()
        load_text(tmp_path, HEAD)
        assert gc.isenabled() is was_enabled
        with pytest.raises(ConfigError):
            load_text(tmp_path, "schema = 2")
        assert gc.isenabled() is was_enabled
        assert gc.get_freeze_count() <= frozen  # Python 3.12 counts what never dies
    finally:
        (gc.enable if before else gc.disable)()


def test_what_was_read_is_not_walked_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    thawed: list[int] = []
    thaw = gc.unfreeze

    def counting() -> None:
        thawed.append(gc.get_freeze_count())
        thaw()

    monkeypatch.setattr(gc, "unfreeze", counting)
    load_text(tmp_path, HEAD)
    assert len(thawed) == 1
    assert gc.get_freeze_count() < thawed[0]


def test_what_somebody_froze_stays_frozen(tmp_path: Path) -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        load_text(tmp_path, HEAD)
        assert gc.get_freeze_count() >= frozen - 100  # a few may have died; none was thawed
        assert frozen > 10_000
    finally:
        gc.unfreeze()


def test_the_fleet_of_the_repository_is_valid_and_of_the_shape_that_readme_says() -> None:
    loaded = load_fleet(ROOT / "fleet.toml")
    assert loaded.warnings == ()
    assert loaded.fleet.prune_refusal == ""
    assert {app.key.app_type for app in loaded.fleet.apps} == {
        "JupyterLab",
        "CodeEditor",
        "KernelGateway",
        "JupyterServer",
        "Canvas",
    }
    assert 55 <= len(loaded.fleet.apps) <= 65
    assert [team.name for _, team in loaded.teams] == ["forecasting", "platform", "vision"]
    assert ROOT / "policies" / "execution.toml" in loaded.policy_files


def test_loading_imports_no_client_library_and_no_drawing(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(HEAD)
    heavy = ("aioboto3", "botocore", "rich", "structlog", "typer", "asyncio")
    program = (
        "import sys; from pathlib import Path; from engine.config.fleet.fleet_file import load_fleet;"
        f"load_fleet(Path({str(tmp_path / 'fleet.toml')!r}));"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, timeout=180
    )
    assert done.stdout == "[]\n"


def test_policy_tests_are_no_policies(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    for name in ("b.toml", "a.toml", "a.test.toml", "notes.md"):
        (tmp_path / "policies" / name).write_text("")
    names = [file.name for file in load_text(tmp_path, HEAD).policy_files]
    assert names == ["a.toml", "b.toml"]


def test_a_policy_that_is_named_and_missing_is_an_error(tmp_path: Path) -> None:
    shown = _refused(tmp_path, 'policies = ["policies/safety.toml"]\n' + HEAD)
    assert shown == [
        (
            "fleet.toml:1: policies[0]: there is no file policies/safety.toml beside the fleet file. "
            "Correct the path, or remove it"
        )
    ]


def test_dump_of_an_empty_fleet(tmp_path: Path) -> None:
    shown = dump(load_text(tmp_path, 'schema = 1\nname = "empty"\n'))
    assert (shown["apps"], shown["owners"], shown["domains"]) == ({}, {}, {})


def test_the_loader_never_reads_the_clock() -> None:
    for file in (Path(fleet_file.__file__).parent).glob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert ".now(" not in text
        assert ".today(" not in text


def test_the_file_of_the_documentation_is_valid_but_for_what_it_leaves_out(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "fleet-file.md").read_text(encoding="utf-8")
    example = text.split("```toml\n")[1].split("```")[0]
    loaded = load_text(tmp_path, example)
    assert len(loaded.fleet.apps) == 7
    assert [warning.message for warning in loaded.warnings] == [
        '"policies/*.toml" matches no file',
        '"teams/*.toml" matches no file',
    ]


def test_a_calendar_has_so_many_windows_and_closed_days_and_no_more(tmp_path: Path) -> None:
    windows = ", ".join(
        f'"Mon {hour:02}:{minute:02}-{hour:02}:{minute + 1:02}"' for hour in range(17) for minute in (0, 9, 30)
    )
    days = ", ".join(f"{2027 + day // 360}-{day // 30 % 12 + 1:02}-{day % 28 + 1:02}" for day in range(401))
    with pytest.raises(ConfigError) as refused:
        load_text(tmp_path, f'{HEAD}[calendars.c]\nhours = [{windows}]\nzone = "UTC"\nclosed = [{days}]\n')
    told = sorted(one.message for one in refused.value.diagnostics)
    assert told == ["401 entries are more than 400", "51 entries are more than 50"]


def test_a_calendar_in_a_file_that_cannot_be_read_is_not_called_unknown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load_text(
            tmp_path, HEAD.replace('name = "f"', 'name = "f"\ninclude = ["/x.toml"]') + '[defaults]\nhours = "office"\n'
        )
    assert all("calendar" not in one.message for one in refused.value.diagnostics)


def test_hours_of_a_calendar_that_is_wrong_are_not_called_wrong_again(tmp_path: Path) -> None:
    text = (
        '[calendars.c]\nhours = ["x"]\nzone = "UTC"\n[defaults]\nhours = "c"\n[domains.research.users.a]\nhours = "c"\n'
    )
    with pytest.raises(ConfigError) as refused:
        load_text(tmp_path, HEAD + text)
    assert len(refused.value.diagnostics) == 1


def test_apps_of_a_space_carry_what_the_space_declares_for_rules(tmp_path: Path) -> None:
    """A rule may limit the volume and require idle shutdown; a user profile's app has neither."""
    text = """
schema = 1
name = "f"
policies = []
[domains.d]
id = "d-abcd1234efgh"
region = "eu-west-1"
[apps]
lab = { type = "JupyterLab" }
canvas = { type = "Canvas" }
[domains.d.users.alice]
apps = ["canvas"]
[domains.d.spaces.alice-lab]
owner = "alice"
ebs_gb = 200
idle_minutes = 90
apps = ["lab"]
"""
    (tmp_path / "fleet.toml").write_text(text)
    lab, canvas = load_fleet(tmp_path / "fleet.toml").fleet.apps
    assert (lab.ebs_gb, lab.idle_minutes) == (200, 90)
    assert (canvas.ebs_gb, canvas.idle_minutes) == (0, 0)
