"""`import --from-terraform` in this process: a file that plans to nothing, or one clear error and no file."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from engine.cli.main import main
from engine.simulator.faces.thread_runner import SimulatorThread
from tests.terraform_states import (
    ACCOUNT,
    DOMAIN_ID,
    app,
    domain,
    profile,
    sixty,
    space,
    state,
    world_of_sixty,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path

ASKED = ["import", "--from-terraform", "state.json"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_state_of_sixty_resources_becomes_a_file_that_plans_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Against an account that holds them, apps and the settings of profiles and spaces alike."""
    written(tmp_path, sixty())
    assert main([*ASKED, "--out", "fleet.toml"]) == 0
    told = capfd.readouterr().err
    assert "Imported 29 apps, 3 shapes, 2 teams, settings of 30 user profiles and spaces." in told
    assert "shows no changes as long as AWS is as the state says." in told
    assert "Terraform still manages these resources." in told
    assert main(["validate"]) == 0

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nothing-real")
    with SimulatorThread(world_of_sixty()) as simulator:
        code = main(["plan", "--endpoint-url", simulator.url, "--owners", "--detailed-exitcode", "--fail-on-drift"])
        planned = capfd.readouterr()
    assert code == 0, planned.out + planned.err


def test_tags_that_all_apps_have_are_written_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What one app alone has is in its definition; tags of AWS and of appfleet are nobody's to declare."""
    legal = {"cost-center": "4711", "owner name": "bob@x"}
    more = {"tags_all": {**legal, "appfleet:fleet": "x", "aws:y": "z", "a\xa0b": "x"}}
    written(tmp_path, state(app("alice"), app("bob", index=1, values=more)))

    assert main(ASKED) == 0

    told = capfd.readouterr()
    document = tomllib.loads(told.out)
    assert document["defaults"]["tags"] == {"cost-center": "4711"}
    assert [one["tags"] for one in document["apps"].values()] == [{"managed-by": "terraform"}, {"owner name": "bob@x"}]
    assert "tag appfleet:fleet has a form that a fleet file does not allow" in told.err


def test_a_sensitive_value_is_written_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither into the file nor beside it, and its path is named."""
    secret = "canary-of-a-secret"
    canvas = {"identity_provider_oauth_settings": [{"status": "ENABLED", "secret_arn": secret}]}
    block = {"canvas_app_settings": [canvas], "execution_role": secret}
    marks = {
        "user_settings": [
            {
                "execution_role": True,
                "canvas_app_settings": [{"identity_provider_oauth_settings": [{"secret_arn": True}]}],
            }
        ]
    }
    tags = app("alice", values={"tags_all": {"password": secret}, "tags": {}}) | {
        "sensitive_values": {"tags_all": {"password": True}}
    }
    document = state(profile("alice", block) | {"sensitive_values": marks}, tags)
    document["values"]["outputs"] = {"password": {"value": secret, "sensitive": True}}
    written(tmp_path, document)

    assert main([*ASKED, "--out", "fleet.toml"]) == 0

    told = capfd.readouterr()
    assert secret not in told.err + told.out + (tmp_path / "fleet.toml").read_text()
    assert "user_settings.execution_role is marked as sensitive" in told.err


def test_hostile_names_are_left_out_and_forge_no_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = ['a"]\n[domains.evil', "\x1b[2J", "x" * 300, "../../etc", "{member}", "\u202ebob"]
    rows: list[dict[str, Any]] = [row for one in names for row in (profile(one), space(one, one), app(one, index=one))]
    rows += [space("of-nobody", name, {"app_type": "JupyterLab", "security_groups": ["sg-1"]}) for name in names[:1]]
    written(tmp_path, state(domain(domain_name='x"]\n[y\x1b'), *rows, app("alice")))

    assert main([*ASKED, "--out", "fleet.toml"]) == 0

    told = capfd.readouterr().err
    assert "\x1b" not in told
    assert "\n[domains.evil" not in told
    document = tomllib.loads((tmp_path / "fleet.toml").read_text())
    assert list(document["domains"]) == ["x-y"]
    assert list(document["domains"]["x-y"]["users"]) == ["alice"]
    assert "spaces" not in document["domains"]["x-y"]


@pytest.mark.parametrize(
    ("resources", "name"),
    [
        ([app("alice")], DOMAIN_ID),
        ([domain(), app("alice", values={"domain_id": "d-aaaaaaaaaaaa"})], f"{ACCOUNT}-eu-west-1"),
        ([domain(arn="", region="eu-west-1"), app("alice", values={"domain_id": "d-aaaaaaaaaaaa"})], "d-aaaaaaaaaaaa"),
    ],
)
def test_a_fleet_that_nobody_named_has_the_name_of_its_place(
    resources: list[dict[str, Any]], name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, state(*resources))
    assert main(ASKED) == 0
    assert tomllib.loads(capfd.readouterr().out)["name"] == name


def test_the_fleet_and_its_domain_have_the_names_that_were_given(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, state(app("alice")))
    assert main([*ASKED, "--name", "ours", "--domain-name", "lab", "--no-settings"]) == 0
    document = tomllib.loads(capfd.readouterr().out)
    assert (document["name"], list(document["domains"])) == ("ours", ["lab"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--name", ""], "name"),
        (["--domain-name", "a b"], "is not a name"),
        (["--region", "nowhere"], "region"),
        (["--simulate"], "reads a file, not a simulated domain"),
        (["--all-domains"], "--from-terraform and --all-domains exclude each other"),
        (["--domain-id", "d-nothing"], "has nothing of domain d-nothing"),
    ],
)
def test_flags_that_cannot_be_meant_are_refused(
    words: list[str], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, state(app("alice")))
    assert main([*ASKED, *words]) == 64
    assert said in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize("name", ["nothing.json", ".", "-"])
def test_what_is_no_file_is_an_error_that_says_how_one_is_made(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "--from-terraform", name]) == 64
    assert "terraform show -json > state.json" in " ".join(capfd.readouterr().err.split())


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("engine.app.import_terraform.TERRAFORM_STATE_MAX_BYTES", 100)
    written(tmp_path, state(app("alice")))
    assert main(ASKED) == 64
    assert "is larger than 100 bytes" in capfd.readouterr().err
