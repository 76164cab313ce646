"""teams/TEAM.toml: made like a model or from apps, read back, checked with the whole fleet, never over another file."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from engine.app.teams.team_file import TeamAsked, write_team
from engine.config.fleet.fleet_file import load_fleet
from engine.core.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

FLEET = """schema = 1
name = "ml"
include = ["teams/*.toml"]
[apps.base]
type = "JupyterLab"
[apps.lab]
extends = "base"
instance_type = "ml.t3.medium"
[apps.canvas]
type = "Canvas"
[apps.kernel]
type = "KernelGateway"
instance_type = "ml.t3.medium"
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
[domains.research.teams.model]
members = ["zoe"]
mode = "once"
expires = 2030-01-31
tags = { team = "model", cost = "7" }
user_apps = ["canvas", { use = "kernel", name = "nightly" }]
[domains.research.teams.model.spaces]
"{member}-lab" = { apps = ["lab"], ebs_gb = 20 }
shared = { sharing = "Shared", owner = "zoe", apps = [{ use = "kernel", name = "k" }] }
"""


def fleet(folder: Path, text: str = FLEET) -> Path:
    (folder / "fleet.toml").write_text(text)
    return folder / "fleet.toml"


def asked(team: str = "vision", **more: object) -> TeamAsked:
    given = {"members": ("ann", "bob"), "apps": ("lab",), **more}
    return TeamAsked(team, **given)  # type: ignore[arg-type]


def test_a_team_like_another_has_its_apps_member_spaces_and_tags(tmp_path: Path) -> None:
    file = fleet(tmp_path)
    written = write_team(file, asked(like="model", apps=()))
    assert (written.domain, written.path.name, written.is_new) == ("research", "vision.toml", True)
    assert "shared" in written.notes[0]
    team = tomllib.loads((tmp_path / "teams" / "vision.toml").read_text())["domains"]["research"]["teams"]["vision"]
    assert team["tags"] == {"team": "vision", "cost": "7"}
    assert team["user_apps"] == [{"use": "canvas"}, {"use": "kernel", "name": "nightly"}]
    assert team["spaces"] == {"{member}-lab": {"ebs_gb": 20, "apps": ["lab"]}}
    keys = [str(app.key) for app in load_fleet(file).fleet.apps if app.team == "vision"]
    assert len(keys) == 6
    assert list((tmp_path / "teams").iterdir()) == [tmp_path / "teams" / "vision.toml"]


def test_the_domain_of_the_model_is_taken_where_it_is_in_one(tmp_path: Path) -> None:
    other = '[domains.other]\nid = "d-000000000000"\nregion = "eu-west-1"\n'
    file = fleet(tmp_path, FLEET + other)
    assert write_team(file, asked(like="model", apps=())).domain == "research"
    with pytest.raises(UsageError, match="onboard needs a domain"):
        write_team(file, asked("next"))
    fleet(tmp_path, FLEET + other + '[domains.other.teams.model]\nmembers = ["zoe"]\n')
    with pytest.raises(UsageError, match="team model is in several domains") as refused:
        write_team(file, asked("next", like="model", apps=()))
    assert refused.value.hint == "Give --domain, one of: other, research"


def test_one_more_person_is_told_where_to_be_added(tmp_path: Path) -> None:
    file = fleet(tmp_path)
    write_team(file, asked())
    with pytest.raises(UsageError, match="already exists with different content") as refused:
        write_team(file, asked(members=("ann", "bob", "cy")))
    assert "edit members there, then run: appfleet apply --team vision" in str(refused.value.hint)


def test_sign_in_names_are_written_where_the_domain_wants_them(tmp_path: Path) -> None:
    file = fleet(tmp_path)
    given = asked(identities={"ann": "ann@a.example"})
    write_team(file, given)
    assert "sso_identity" not in (tmp_path / "teams" / "vision.toml").read_text()
    (tmp_path / "teams" / "vision.toml").unlink()
    for is_new in (True, False):
        assert write_team(file, given, lambda domain: domain == "research").is_new is is_new
    owners = {one.owner.name: one.sso_identity for one in load_fleet(file).fleet.owners if one.owner.kind == "user"}
    assert owners == {"ann": "ann@a.example", "bob": None, "zoe": None}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", "zoe@a.example"),
        ('[domains.research.users.zoe]\nsso_identity = "Z"\n', "Z"),
        ('[domains.research.users.zoe]\napps = ["canvas"]\n', None),  # somebody's own table is that somebody's to fill
        ('[domains.research.teams.other]\nmembers = ["zoe"]\nsso_identity = "{member}@b.example"\n', "zoe@b.example"),
    ],
)
def test_a_member_whom_another_team_has_too_gets_the_sign_in_name_that_no_file_has(
    tmp_path: Path, more: str, expected: str | None
) -> None:
    file = fleet(tmp_path, FLEET + more)
    given = asked(members=("ann", "zoe"), identities={"ann": "ann@a.example", "zoe": "zoe@a.example"})
    for is_new in (True, False):
        assert write_team(file, given, lambda _: True).is_new is is_new
    owners = {one.owner.name: one.sso_identity for one in load_fleet(file).fleet.owners if one.owner.kind == "user"}
    assert owners == {"ann": "ann@a.example", "zoe": expected}


def test_apps_that_live_in_spaces_get_one_for_each_member(tmp_path: Path) -> None:
    write_team(fleet(tmp_path), asked(apps=("lab", "canvas")))
    team = tomllib.loads((tmp_path / "teams" / "vision.toml").read_text())["domains"]["research"]["teams"]["vision"]
    assert team == {
        "members": ["ann", "bob"],
        "user_apps": ["canvas"],
        "spaces": {"{member}-lab": {"apps": ["lab"]}},
    }


def test_an_equal_file_is_accepted_and_another_is_left_alone(tmp_path: Path) -> None:
    file = fleet(tmp_path)
    write_team(file, asked())
    assert write_team(file, asked()).is_new is False
    before = (tmp_path / "teams" / "vision.toml").read_bytes()
    with pytest.raises(UsageError, match="already exists with different content"):
        write_team(file, asked(members=("carol",)))
    assert (tmp_path / "teams" / "vision.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        (FLEET, {"team": "Vision_1"}, "is not a name for a team's file"),
        (FLEET.replace("teams/*", "people/*"), {}, "does not include teams/vision.toml"),
        (FLEET, {"domain": "resarch"}, "research"),
        (FLEET, {"like": "modle", "apps": ()}, "model"),
        (FLEET, {"apps": ("labb",)}, "lab"),
        (FLEET, {"apps": ()}, "either --like TEAM or --app NAME"),
        (FLEET, {"like": "model"}, "either --like TEAM or --app NAME"),
        (FLEET, {"team": "model"}, "is already in"),
        (
            FLEET + '[domains.other]\nid = "d-wxyz9876stuv"\nregion = "eu-west-1"\n',
            {},
            "onboard needs a domain",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_way_out(
    tmp_path: Path, text: str, more: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        write_team(fleet(tmp_path, text), asked(**more))  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert not (tmp_path / "teams").exists()


def test_a_team_that_the_fleet_cannot_hold_is_not_put_in_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        write_team(fleet(tmp_path), asked(members=("ZOE",)))  # differs from zoe only in case
    assert list((tmp_path / "teams").iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    file = fleet(tmp_path)
    (tmp_path / "teams").write_text("not a folder")
    with pytest.raises(UsageError, match="cannot be written"):
        write_team(file, asked())


def test_lists_are_written_as_people_write_them(tmp_path: Path) -> None:
    write_team(fleet(tmp_path), asked(members=tuple(f"person-{number:02}" for number in range(12))))
    text = (tmp_path / "teams" / "vision.toml").read_text()
    assert 'apps = ["lab"]' in text
    assert "[ " not in text
    assert ",]" not in text
    assert max(map(len, text.splitlines())) <= 110
