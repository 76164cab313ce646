"""`appfleet import` in this process, against a simulated domain."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from engine.cli.main import main
from engine.core.desired import AppSpec
from engine.render.import_text import import_text
from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.service.app_operations import place_app
from engine.simulator.service.owner_operations import add_domain, create_profile
from engine.simulator.world.records import app_id
from engine.simulator.world.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASKED = ["import", "--simulate", "--domain-id", "d-abcd1234efgh", "--region", "eu-west-1"]


def test_a_file_is_written_with_the_commands_that_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The world of the simulation is kept where those commands look for it."""
    monkeypatch.chdir(tmp_path)

    assert main([*ASKED, "--out", "live.toml"]) == 0

    told = capfd.readouterr()
    assert told.out == ""
    assert "Imported 0 apps, 0 shapes, 0 teams. Checked: planning this file shows no changes." in told.err
    assert "appfleet -f live.toml plan --simulate" in told.err
    assert tomllib.loads((tmp_path / "live.toml").read_text())["name"] == "d-abcd1234efgh"
    assert (tmp_path / ".appfleet").is_dir()


def test_where_the_schemas_are_the_file_leads_an_editor_to_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["schema", "--out", "schemas"]) == 0
    assert main([*ASKED, "--out", "live.toml"]) == 0
    assert (tmp_path / "live.toml").read_text().startswith("#:schema ./schemas/fleet.schema.json\n# Written by")


def test_the_usual_name_needs_no_flag_in_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A state folder that was given is kept too."""
    monkeypatch.chdir(tmp_path)

    assert main(["--state-dir", "state", *ASKED, "--out", "fleet.toml"]) == 0

    assert "  appfleet --state-dir state plan --simulate\n" in capfd.readouterr().err
    assert (tmp_path / "state").is_dir()


def test_the_next_command_goes_to_the_same_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Else it would plan against another domain than the one that was listed."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nothing-real")
    world = World()
    add_domain(world, "d-abcd1234efgh", "eu-west-1", world.account)

    with SimulatorThread(world) as simulator:
        words = ["import", *ASKED[2:], "--endpoint-url", simulator.url, "--out", "fleet.toml"]
        assert main(words) == 0

    assert f"  appfleet --endpoint-url {simulator.url} plan\n" in capfd.readouterr().err


@pytest.fixture
def two_domains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of an account with two domains in one region, one app in each, and one in another region."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nothing-real")
    world = World(account="111122223333")
    places = (("d-aaaaaaaaaaaa", "Research Lab", "eu-west-1"), ("d-bbbbbbbbbbbb", "risk", "eu-west-1"))
    for domain_id, name, region in (*places, ("d-cccccccccccc", "far", "us-east-1")):
        domain = add_domain(world, domain_id, region, world.account, name=name)
        create_profile(world, domain, "alice", at_once=True)
        key = app_id(domain_id, "user", "alice", "Canvas", "default")
        place_app(world, domain, key, "alice", AppSpec(), {}, "InService")
    with SimulatorThread(world) as simulator:
        yield simulator.url


def test_all_domains_of_a_region_become_one_file_that_plans_to_nothing(
    two_domains: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each has the name that SageMaker has for it, as a fleet file can write it, and both use one app definition."""
    live = ["--endpoint-url", two_domains]
    assert main(["import", *live, "--all-domains", "--region", "eu-west-1", "--out", "fleet.toml"]) == 0

    told = capfd.readouterr().err
    assert "Imported 2 domains, 2 apps, 1 shape, 0 teams." in told
    text = (tmp_path / "fleet.toml").read_text()
    assert text.startswith("# Written by appfleet import from 2 domains of account 111122223333 in eu-west-1 at ")
    written = tomllib.loads(text)
    assert written["name"] == "111122223333-eu-west-1"
    assert {name: one["id"] for name, one in written["domains"].items()} == {
        "Research-Lab": "d-aaaaaaaaaaaa",
        "risk": "d-bbbbbbbbbbbb",
    }
    assert main(["plan", *live, "--owners", "--detailed-exitcode"]) == 0


def test_a_region_without_domains_is_an_error(two_domains: str, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["import", "--endpoint-url", two_domains, "--all-domains", "--region", "eu-north-1", "--out", "fleet.toml"]
    assert main(words) == 64
    assert "your credentials list no domain in eu-north-1" in capfd.readouterr().err


def test_all_domains_of_a_simulated_account_are_imported_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    head = '[domains.lab]\nid = "d-abcd1234efgh"\nregion = "eu-west-1"\n'
    (tmp_path / "fleet.toml").write_text('schema = 1\nname = "x"\n' + head)

    assert main(["import", "--simulate", "--all-domains", "--region", "eu-west-1", "--name", "y"]) == 0
    written = tomllib.loads(capfd.readouterr().out)
    assert (written["name"], len(written["domains"])) == ("y", 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "import needs a domain"),
        (["--all-domains", "--domain-id", "d-abcd1234efgh"], "exclude each other"),
        (["--all-domains", "--domain-name", "x"], "--domain-name names one domain"),
        (["--all-domains", "--region", "no\nregion"], "is not a region"),
    ],
)
def test_flags_that_name_no_one_thing_to_import_are_refused(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["import", *words]) == 64
    assert said in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize("out", [[], ["--out", "-"]])
def test_without_out_the_file_is_the_result(
    out: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """And no next commands are told, since nobody knows where it went."""
    monkeypatch.chdir(tmp_path)

    assert main([*ASKED, "--name", "legacy", *out]) == 0

    told = capfd.readouterr()
    assert tomllib.loads(told.out)["name"] == "legacy"
    assert "Next:" not in told.err
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize(
    ("left", "bare", "told"),
    [
        ({}, 0, "Imported 1 app. Checked: planning this file shows no changes."),
        (
            {},
            2,
            (
                "Imported 1 app. Checked: planning this file shows no changes.\n"
                "Not in the file: 2 user profiles and spaces without an app or a setting"
            ),
        ),
        (
            {"it is odd": tuple("abcdefg")},
            0,
            (
                "Imported 1 app. Checked: planning this file shows no changes.\n"
                "Left out:\n  7 apps: it is odd: a, b, c, d, e and 2 more"
            ),
        ),
    ],
)
def test_the_summary_names_the_first_of_what_was_left_out(
    left: dict[str, tuple[str, ...]], bare: int, told: str
) -> None:
    """Each reason has a line, with a count and a few names."""
    assert import_text({"app": 1}, left, bare) == told


def test_the_summary_counts_owners_with_settings_and_names_what_of_them_is_left_out() -> None:
    text = import_text({"app": 1}, {"it is odd": ("a",)}, 0, 1, {"it is Failed": ("space/a", "user/b")})

    assert text == (
        "Imported 1 app, settings of 1 user profile or space. Checked: planning this file shows no changes.\n"
        "Left out:\n  1 app: it is odd: a\n  2 user profiles and spaces: it is Failed: space/a, user/b"
    )


def test_the_summary_counts_what_a_state_has_of_other_types() -> None:
    text = import_text({"app": 1}, {}, 0, other_types={"aws_iam_role": 2, "aws_s3_bucket": 10}, source="the state")

    assert text == (
        "Imported 1 app. Checked: planning this file shows no changes as long as AWS is as the state says.\n"
        "Left out:\n  12 resources of other types: aws_s3_bucket (10), aws_iam_role (2)"
    )


def test_the_summary_says_where_a_state_does_not_mark_what_is_sensitive() -> None:
    text = import_text({"app": 1}, {}, 0, source="state.json", unmarked=2)

    (said,) = text.splitlines()[1:]
    assert said.startswith("2 resources of state.json came without sensitive_values")
    assert said.endswith("check the file for secrets before you share it")


def test_a_name_with_a_line_break_forges_no_line() -> None:
    text = import_text({"app": 1}, {"of a\nkind": ["space/a\nwrote fleet.toml\x1b[2J"]}, 0)
    assert "\nwrote" not in text
    assert "\x1b" not in text
    assert len(text.splitlines()) == 3
