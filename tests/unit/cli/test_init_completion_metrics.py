"""`init`, `completion` and `--metrics-file`, from the command line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from engine.app import init as behind
from engine.app.loading import load
from engine.app.teams.team_file import TeamAsked, write_team
from engine.cli import init as module
from engine.core.errors import LockHeldError
from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.service.owner_operations import add_domain
from engine.simulator.world.world import World
from tests.architecture.files import ROOT
from tests.architecture.test_imports import LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Iterator

GIVEN = ("init", "--name", "ml-platform", "--domain-id", "d-abcd1234efgh", "--members", "alice, bob")


def test_what_init_writes_is_a_fleet_as_it_is(run: Any) -> None:
    ran = run(*GIVEN, "--account", "111122223333", "--team", "vision")
    assert ran.code == 0
    assert ran.out.splitlines()[:3] == [
        "wrote fleet.toml",
        "wrote policies/execution.toml",
        "wrote policies/rules.toml",
    ]
    loaded = load(Path("fleet.toml"), datetime.now(UTC).date())
    assert [str(app.key) for app in loaded.fleet.apps] == [
        "main/space/alice-lab/JupyterLab/default",
        "main/space/bob-lab/JupyterLab/default",
    ]
    assert loaded.fleet.domains[0].account == "111122223333"
    assert loaded.warnings == ()
    assert loaded.admitted.findings == ()


def test_what_init_writes_is_what_onboard_wants(run: Any) -> None:
    """The next step of every newcomer: a team more."""
    assert run(*GIVEN).code == 0
    written = write_team(Path("fleet.toml"), TeamAsked("vision", ("carol",), apps=("lab",)))
    assert written.is_new
    loaded = load(Path("fleet.toml"), datetime.now(UTC).date())
    assert {app.key.owner for app in loaded.fleet.apps} == {"alice-lab", "bob-lab", "carol-lab"}


@pytest.mark.parametrize("account", ["", "111122223333"])
@pytest.mark.parametrize("name", ["x", "a-name-that-is-longer-than-any-other"])
def test_comments_and_equals_signs_stand_in_one_column_of_each_block(run: Any, name: str, account: str) -> None:
    assert run("init", "--name", name, "--account", account).code == 0
    for block in Path("fleet.toml").read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if " = " in line]
        assert len({line.index("=") for line in lines}) <= 1, block
        assert len({line.rindex("  # ") for line in lines if "  # " in line}) <= 1, block


def test_each_file_of_init_leads_an_editor_to_its_schema_which_is_there(run: Any) -> None:
    """And fits it, as the file is; so does a team that is onboarded."""
    assert run(*GIVEN, "--out", "new").code == 0
    write_team(Path("new/fleet.toml"), TeamAsked("vision", ("carol",), apps=("lab",)))
    files = sorted(Path("new").rglob("*.toml"))
    assert len(files) == 5
    for path in files:
        first, rest = path.read_text().split("\n", 1)
        schema = path.parent / first.removeprefix("#:schema ")
        assert schema.is_file(), first
        Draft202012Validator(json.loads(schema.read_text())).validate(tomllib.loads(rest))


def test_schemas_that_are_there_are_kept_and_only_schema_writes_them_again(run: Any) -> None:
    Path("schemas").mkdir()
    Path("schemas/fleet.schema.json").write_text("{}\n")
    assert run(*GIVEN).code == 0
    assert Path("schemas/fleet.schema.json").read_text() == "{}\n"
    ran = run("schema", "--out", "schemas")
    assert ran.out.splitlines() == [f"wrote schemas/{kind}.schema.json" for kind in ("fleet", "included", "policy")]
    assert Path("schemas/fleet.schema.json").read_text() == run("schema", "fleet").out


@pytest.mark.parametrize("words", [(), ("fleet", "--out", "x")])
def test_schema_prints_one_kind_or_writes_all(run: Any, words: tuple[str, ...]) -> None:
    ran = run("schema", *words)
    assert (ran.code, "appfleet schema --out schemas" in " ".join(ran.err.split())) == (64, True)


def test_without_schemas_a_team_names_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fleet.toml").write_text(
        'schema = 1\nname = "x"\ninclude = ["teams/*.toml"]\n[domains.main]\nid = "d-abcd1234efgh"\n'
        'region = "eu-west-1"\n[apps.lab]\ntype = "JupyterLab"\ninstance_type = "ml.t3.medium"\n'
    )
    write_team(Path("fleet.toml"), TeamAsked("vision", ("carol",), apps=("lab",)))
    assert Path("teams/vision.toml").read_text().startswith("# Written by appfleet onboard.")


def test_init_hides_from_git_what_runs_leave_and_keeps_a_projects_own_list(run: Any) -> None:
    assert run(*GIVEN).code == 0
    assert {".appfleet/", "report*.html"} <= set(Path(".gitignore").read_text().splitlines())
    Path("new").mkdir()
    Path("new/.gitignore").write_text("mine\n")
    assert run(*GIVEN, "--out", "new").code == 0
    assert Path("new/.gitignore").read_text() == "mine\n"


def test_no_file_of_init_names_a_page_that_is_not_installed_with_it(run: Any) -> None:
    assert run(*GIVEN).code == 0
    for path in Path().rglob("*.*"):
        if path.is_file():
            assert "docs/" not in path.read_text()


def test_init_overwrites_nothing_and_writes_nothing_beside_it(run: Any) -> None:
    Path("policies").mkdir()
    Path("policies/rules.toml").write_text("mine")
    ran = run(*GIVEN)
    assert ran.code == 64
    assert "policies/rules.toml in .: already there" in ran.err
    assert not Path("fleet.toml").exists()


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--domain-id", 'd"]', "is not a domain id"),
        ("--account", "12", "account"),
        ("--team", "a b", "team"),
        ("--members", "al ice", "al ice"),
        ("--name", "", "init needs --name"),
    ],
)
def test_an_answer_that_makes_no_valid_fleet_is_refused(run: Any, flag: str, value: str, words: str) -> None:
    ran = run(*GIVEN, flag, value)
    assert ran.code == 64
    assert words in ran.err
    assert list(Path().iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused(run: Any) -> None:
    Path("file").write_text("")
    assert "cannot be written" in run(*GIVEN, "--out", "file/below").err


def test_without_a_terminal_what_is_missing_is_an_example_that_is_named(run: Any) -> None:
    ran = run("init", "--name", "x")
    assert ran.code == 0
    assert "Replace these example values in the files: domain id d-abcd1234efgh, members alice, bob" in ran.out
    assert load(Path("fleet.toml"), datetime.now(UTC).date()).fleet.name == "x"
    assert run("validate").code == 0


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be reachable, without looking for it, and no profile be there."""

    async def nothing(*_: Any) -> None:
        return None

    monkeypatch.setattr(behind, "offered", nothing)
    monkeypatch.setattr(behind, "profiles_to_choose", lambda: ())
    monkeypatch.setattr(behind, "home_region", lambda _: "")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    def type_lines(*lines: str) -> None:
        monkeypatch.setattr(module, "can_ask", lambda: True)
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    return type_lines


def test_on_a_terminal_what_is_missing_is_asked(run: Any, typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    offline(monkeypatch)
    typed("", "d-abcd1234efgh", "", "vision", "alice")
    ran = run("init", "--name", "x", "--out", "new")
    assert ran.code == 0
    assert "Region of the SageMaker domain [eu-west-1]: " in ran.err
    assert "  appfleet -f new/fleet.toml validate\n" in ran.out
    loaded = load(Path("new/fleet.toml"), datetime.now(UTC).date())
    assert loaded.fleet.domains[0].region == "eu-west-1"
    assert loaded.fleet.domains[0].account is None


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of an account with domains in two of three regions."""
    world = World(account="111122223333")
    for number in range(12):
        add_domain(world, f"d-second{number:05}", "us-east-1", world.account, name=f"lab-{number}")
    add_domain(world, "d-first0000001", "eu-west-1", world.account, name="research")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(behind, "regions_to_search", lambda _: ("eu-north-1", "eu-west-1", "us-east-1"))
    with SimulatorThread(world) as simulator:
        yield simulator.url


def test_domains_of_every_region_are_offered(run: Any, typed: Any, account: str) -> None:
    """The first that is found is what is meant unless something else is typed."""
    typed("", "", "", "vision", "alice")
    ran = run("--endpoint-url", account, "init", "--name", "x")
    assert ran.code == 0
    assert "Looking for domains in 3 regions (at most 10 s) ...\n" in ran.err
    assert "Domains of account 111122223333:\n  eu-west-1  d-first0000001  research\n  us-east-1  d-second0" in ran.err
    assert "  and 3 more\n" in ran.err
    assert "Region of the SageMaker domain [eu-west-1]: " in ran.err
    assert "Id of the domain, such as d-abcd1234efgh [d-first0000001]: " in ran.err
    loaded = load(Path("fleet.toml"), datetime.now(UTC).date())
    assert (loaded.fleet.domains[0].domain_id, loaded.fleet.domains[0].account) == ("d-first0000001", "111122223333")


def test_the_domain_of_the_region_that_is_typed_is_offered(run: Any, typed: Any, account: str) -> None:
    typed("us-east-1", "", "", "vision", "alice")
    assert run("--endpoint-url", account, "init", "--name", "x").code == 0
    (domain,) = load(Path("fleet.toml"), datetime.now(UTC).date()).fleet.domains
    assert (domain.region, domain.domain_id) == ("us-east-1", "d-second00000")


def test_with_a_region_that_is_given_only_that_is_looked_at(run: Any, typed: Any, account: str) -> None:
    typed("d-abcd1234efgh", "", "vision", "alice")
    ran = run("--endpoint-url", account, "init", "--name", "x", "--region", "eu-north-1")
    assert ran.code == 0
    assert "No domain of account 111122223333 in eu-north-1 can be listed.\n" in ran.err


def test_a_profile_of_this_machine_is_offered_and_asked_for_again_until_it_is_one(
    run: Any, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its region is the one that is meant."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    Path("config").write_text("[default]\n[profile ml-prod]\nregion = eu-central-1\n[profile ml-test]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", "config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    seen: list[Any] = []

    async def offered(regions: Any, _url: Any, profile: str) -> None:
        seen.append((regions[0], profile))

    monkeypatch.setattr(behind, "offered", offered)
    typed("ml-prd", "ml-prod", "", "d-abcd1234efgh", "", "vision", "alice")
    ran = run("init", "--name", "x")
    assert ran.code == 0
    assert "AWS profiles: default, ml-prod, ml-test\n" in ran.err
    assert "This machine has no such AWS profile. It has: default, ml-prod, ml-test" in ran.err
    assert "Region of the SageMaker domain [eu-central-1]: " in ran.err
    assert seen == [("eu-central-1", "ml-prod")]
    (domain,) = load(Path("fleet.toml"), datetime.now(UTC).date()).fleet.domains
    assert (domain.profile, domain.region) == ("ml-prod", "eu-central-1")


def test_a_profile_may_be_given_that_another_machine_has(run: Any) -> None:
    assert run(*GIVEN, "--profile", "ml-prod").code == 0
    assert load(Path("fleet.toml"), datetime.now(UTC).date()).fleet.domains[0].profile == "ml-prod"
    assert Path("fleet.toml").read_text().count("profile") == 2


def test_what_takes_too_long_offers_what_was_found_until_then(
    run: Any, typed: Any, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without credentials in time there is no offer at all."""
    monkeypatch.setattr(behind, "OFFER_MAX_SECONDS", 0)
    typed("", "d-abcd1234efgh", "", "vision", "alice")
    ran = run("--endpoint-url", account, "init", "--name", "x")
    assert ran.code == 0
    assert "Could not list domains with your credentials.\n" in ran.err


def test_where_nothing_can_be_listed_the_question_is_asked_all_the_same(
    run: Any, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    typed("", "d-abcd1234efgh", "", "vision", "alice")
    ran = run("--endpoint-url", "http://127.0.0.1:1", "init", "--name", "x")
    assert ran.code == 0
    assert "Could not list domains with your credentials.\n" in ran.err


def test_the_end_of_input_ends_the_questions(run: Any, typed: Any) -> None:
    typed()
    ran = run("init")
    assert ran.code == 130
    assert "To continue" not in ran.err  # nothing was answered


def test_each_question_is_asked_again_until_its_answer_is_right(
    run: Any, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(monkeypatch)
    typed(
        "", "bad\x7f", "ml",
        "acme", "EU-WEST-1", "eu-west-1",
        "", "acme", "d-abcd1234efgh",
        "eu-west-1", "12", "111122223333",
        "a b", "vision",
        "", "al ice", "alice",
    )  # fmt: skip
    ran = run("init")
    assert ran.code == 0
    assert [ran.err.count(question) for question, _ in module.QUESTIONS.values()] == [3, 0, 3, 3, 3, 2, 3]
    for words in ("An answer is needed.", '"acme" is not an AWS region', '"acme" is not a domain id', "account of 12"):
        assert words in ran.err
    assert "error" not in ran.err
    loaded = load(Path("fleet.toml"), datetime.now(UTC).date())
    assert [str(app.key) for app in loaded.fleet.apps] == ["main/space/alice-lab/JupyterLab/default"]


def test_the_answers_of_questions_that_were_broken_off_are_kept(
    run: Any, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(monkeypatch)
    typed("my fleet", "eu-west-1", "d-abcd1234efgh")
    ran = run("init", "--out", "new")
    assert ran.code == 130
    command = "appfleet init --name 'my fleet' --region eu-west-1 --domain-id d-abcd1234efgh --out new"
    assert f"Nothing was written. To continue with these answers:\n  {command}\n" in ran.err
    assert not Path("new").exists()


def test_files_that_are_there_are_told_before_the_first_question(run: Any, typed: Any) -> None:
    typed()
    Path("fleet.toml").write_text("mine")
    ran = run("init")
    assert ran.code == 64
    assert "fleet.toml in .: already there" in ran.err
    assert "Name of the fleet" not in ran.err


def test_a_flag_that_is_wrong_is_told_before_the_first_question(run: Any, typed: Any) -> None:
    typed()
    ran = run("init", "--region", "acme")
    assert ran.code == 64
    assert '"acme" is not an AWS region' in ran.err
    assert "Name of the fleet" not in ran.err


def test_answers_that_cannot_be_written_are_kept_in_the_hint(run: Any, typed: Any, monkeypatch: Any) -> None:
    offline(monkeypatch)
    Path("file").write_text("")
    typed("ml", "", "d-abcd1234efgh", "", "", "alice")
    ran = run("init", "--out", "file/below")
    assert ran.code == 64
    assert "To use your answers: appfleet init --name ml --region eu-west-1 --domain-id d-abcd1234efgh" in ran.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_imports_nothing_heavy(shell: str) -> None:
    script = (
        "import sys\nfrom engine.cli.main import main\nmain(['completion', sys.argv[1]])\n"
        "print('MODULES', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, shell], cwd=ROOT, capture_output=True, text=True, check=True, timeout=180
    )
    text, _, modules = ran.stdout.partition("MODULES ")
    assert "_APPFLEET_COMPLETE=complete_" in text
    assert set(modules.split()) & LIBRARIES == set()


@pytest.mark.parametrize(
    ("words", "position", "answer"),
    [("appfleet va", "1", "validate"), ("appfleet plan --det", "2", "--detailed-exitcode"), ("appfleet xx", "1", "")],
)
def test_bash_is_told_how_a_line_may_go_on(
    run: Any, monkeypatch: pytest.MonkeyPatch, words: str, position: str, answer: str
) -> None:
    monkeypatch.setenv("_APPFLEET_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", position)
    ran = run()
    assert ran.out.strip() == answer


def test_the_script_for_bash_is_one(run: Any) -> None:
    Path("complete.sh").write_text(run("completion", "bash").out)
    subprocess.run(["/bin/bash", "-n", "complete.sh"], check=True, timeout=180)


def test_a_run_leaves_its_metrics(run: Any, engine: Any) -> None:
    assert run("apply", "--yes", "--metrics-file", "m.prom").code == engine.report.exit_code
    assert f'appfleet_last_run_exit_code{{fleet="{engine.report.fleet}"}}' in Path("m.prom").read_text()


def test_a_run_that_could_not_begin_leaves_its_exit_code(run: Any, engine: Any) -> None:
    engine.report = LockHeldError("held")
    Path("fleet.toml").write_text('name = "ml-platform"\n')
    assert run("apply", "--yes", "--metrics-file", "m.prom").code == 5
    assert 'appfleet_last_run_exit_code{fleet="ml-platform"} 5.0' in Path("m.prom").read_text()
    Path("fleet.toml").write_text("name = \n")
    run("apply", "--yes", "--metrics-file", "m.prom")
    known = 'appfleet_last_run_exit_code{fleet="ml-platform"} 5.0'
    assert known in Path("m.prom").read_text(), "a fleet file that cannot be read changes no label"


def test_metrics_that_cannot_be_written_change_nothing_but_are_told(run: Any, engine: Any) -> None:
    ran = run("apply", "--yes", "--metrics-file", "no/folder/m.prom")
    assert ran.code == engine.report.exit_code
    assert "cannot write the metrics to no/folder/m.prom: there is no folder no/folder. Name a file" in ran.err
