"""A live domain that somebody else filled, made into a fleet file by a process, and planned by the next."""

from __future__ import annotations

import resource
import shlex
import tomllib
from typing import TYPE_CHECKING

import pytest

from engine.simulator.faces.thread_runner import SimulatorThread
from tests.e2e.harness import ACCOUNT, DOMAIN_ID, Place, fleet_text, lab_of, people

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASKED = ("import", "--domain-id", DOMAIN_ID, "--region", "eu-west-1", "--read-rate", "1000")
APPS = 500
CANVAS = "[apps.canvas]\ntype = 'Canvas'\n"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Place]:
    """Yield an empty folder, and a domain with 500 apps that no run of ours made."""
    made = Place(tmp_path)
    members = people(APPS)
    made.write(fleet_text(members))
    for number, person in enumerate(members):
        made.put_app(lab_of(person), "ml.g5.xlarge" if number % 5 == 0 else "ml.t3.medium")
    for name in ("fleet.toml", "policies/execution.toml"):
        (tmp_path / name).unlink()
    with SimulatorThread(made.world) as simulator:
        made.simulator = simulator
        made.url = simulator.url
        yield made


def test_a_domain_of_500_apps_made_by_someone_else_is_imported_and_then_plans_to_nothing(live: Place) -> None:
    """Two shapes come to two apps and two teams; each page of a listing is asked for once, and each owner once."""
    ran = live.run(*ASKED, "--out", "fleet.toml")

    assert ran.code == 0, ran.err
    assert "500 apps, 2 shapes, 2 teams" in ran.err
    assert ran.out == ""
    assert live.only_looked()
    assert {name: sum(kinds.values()) for name, kinds in live.calls().items()} == {
        "GetCallerIdentity": 1,
        "ListApps": 5,
        "ListUserProfiles": 5,
        "ListSpaces": 5,
        "DescribeUserProfile": APPS,
        "DescribeSpace": APPS,
    }
    written = tomllib.loads((live.folder / "fleet.toml").read_text())
    assert written["domains"]["main"]["account"] == ACCOUNT
    assert sorted(written["apps"]) == ["jupyterlab-ml-g5-xlarge", "jupyterlab-ml-t3-medium"]
    assert [len(team["members"]) for team in written["domains"]["main"]["teams"].values()] == [400, 100]
    assert set(written["domains"]["main"]) == {"id", "region", "account", "teams"}

    planned = live.run("plan", "--detailed-exitcode", "--format", "json")

    assert planned.code == 0, planned.err
    assert planned.report["summary"] | {"none": 0} == dict.fromkeys(planned.report["summary"], 0)
    assert planned.report["summary"]["none"] == APPS
    assert planned.report["drift"] == []


def test_without_out_the_file_is_the_result_and_the_words_are_on_the_other_stream(live: Place) -> None:
    """What comes out can be sent into a file or a pipe."""
    ran = live.run(*ASKED, "--name", "legacy", "--domain-name", "research")

    assert ran.code == 0, ran.err
    written = tomllib.loads(ran.out)
    assert written["name"] == "legacy"
    assert list(written["domains"]) == ["research"]
    assert not (live.folder / "fleet.toml").exists()


def test_a_file_that_is_there_is_not_overwritten_and_nothing_is_called(live: Place) -> None:
    """The refusal comes before the first call."""
    (live.folder / "fleet.toml").write_text("mine")

    ran = live.run(*ASKED, "--out", "fleet.toml")

    assert ran.code == 64
    assert "already exists, and appfleet does not overwrite it" in ran.err
    assert (live.folder / "fleet.toml").read_text() == "mine"
    assert live.calls() == {}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("import", "--domain-id", "d-elsewhere", "--region", "eu-west-1"), 1, "d-elsewhere"),
        (("import", "--domain-id", "elsewhere", "--region", "eu-west-1"), 64, "is not a domain id"),
        (("import", "--domain-id", DOMAIN_ID, "--region", "nowhere"), 64, "is not an AWS region"),
        (("import", "--region", "eu-west-1"), 64, "--domain-id"),
        ((*ASKED, "--name", "a\x1b]b"), 64, "cannot be the value of the tag"),
    ],
)
def test_a_domain_that_cannot_be_read_writes_nothing(
    live: Place, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """Each says what is wrong, with the exit code of its kind."""
    ran = live.run(*arguments, "--out", "fleet.toml")

    assert ran.code == code, ran.err
    assert told in ran.err
    assert not (live.folder / "fleet.toml").exists()


def test_a_listing_that_is_refused_is_a_failed_run_and_no_file(live: Place) -> None:
    """Half a listing is no domain."""
    live.scenario(
        'schema = 1\n[[fault]]\noperation = "ListSpaces"\nkind = "error"\ncode = "AccessDeniedException"\n'
        'message = "no"\nstatus = 400\n'
    )

    ran = live.run(*ASKED, "--out", "fleet.toml")

    assert ran.code == 1
    assert "ListSpaces" in ran.err
    assert not (live.folder / "fleet.toml").exists()


def test_a_disk_that_is_full_leaves_no_file_and_no_half_of_one(live: Place) -> None:
    """The file is written beside its place and named only when it is whole."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        # Of a file that is cut short Python would keep its own compiled modules too, for every later run.
        ran = live.run(*ASKED, "--out", "new.toml", log=False, PYTHONDONTWRITEBYTECODE="1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert ran.code == 64, ran.err
    assert "cannot be written" in ran.err
    assert not list(live.folder.glob("*new*"))
    assert not list(live.folder.glob(".*new*"))


def test_a_simulated_domain_is_imported_beside_its_world(tmp_path: Path) -> None:
    """`--simulate` begins with an empty domain: a file without apps, which plans to nothing as well."""
    place = Place(tmp_path)

    ran = place.run(*ASKED, "--simulate", "--out", "fleet.toml", log=False)
    planned = place.run("plan", "--simulate", "--detailed-exitcode", log=False)

    assert ran.code == 0, ran.err
    assert "0 apps" in ran.err
    assert planned.code == 0, planned.err


def test_the_world_is_the_one_that_the_other_commands_use(place: Place, tmp_path: Path) -> None:
    """Where the file goes says nothing of which account is looked at."""
    assert place.run("apply", "--yes", "--simulate", AWS_ENDPOINT_URL="").code == 0
    out = tmp_path / "elsewhere" / "live.toml"
    out.parent.mkdir()

    ran = place.run(*ASKED, "--simulate", "--out", str(out), AWS_ENDPOINT_URL="")

    assert ran.code == 0, ran.err
    written = tomllib.loads(out.read_text())
    assert written["domains"]["main"]["account"] == ACCOUNT
    assert "4 apps" in ran.err
    (command,) = (line.strip() for line in ran.err.splitlines() if " plan " in line and line.startswith("  appfleet"))
    planned = place.run(*shlex.split(command)[1:], "--detailed-exitcode", AWS_ENDPOINT_URL="", log=False)
    assert planned.code == 0, planned.out  # the same world, so there is nothing to do


@pytest.mark.parametrize("first", [("apply", "--yes"), ("plan",), ()], ids=["a world", "a new world", "a fleet file"])
def test_a_domain_that_the_simulated_account_does_not_have_is_refused(place: Place, first: tuple[str, ...]) -> None:
    if first:
        assert place.run(*first, "--simulate", AWS_ENDPOINT_URL="").code == 0
    for domain_id, hint in ((DOMAIN_ID[:-1] + "x", f"Did you mean {DOMAIN_ID}?"), ("d-zzzz", f"It has: {DOMAIN_ID}")):
        asked = ("import", "--simulate", "--domain-id", domain_id, "--region", "eu-west-1", "--out", "live.toml")
        ran = place.run(*asked, AWS_ENDPOINT_URL="")
        assert ran.code == 64
        assert f"the simulated account has no domain {domain_id}. {hint}" in ran.err
        assert not (place.folder / "live.toml").exists()
    assert place.run(*ASKED, "--simulate", AWS_ENDPOINT_URL="").code == 0  # nothing was invented meanwhile
