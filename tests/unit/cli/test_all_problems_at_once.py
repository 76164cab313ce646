"""Files that are wrong in several places, or wrong in a way that TOML's own words hide, through `validate`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

FLEET = """schema = 1
name = "small"
[apps.lab]
type = "JupyterLab"
instance_type = "ml.t3.medium"
[apps.canvas]
type = "Canvas"
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
account = "111122223333"
[domains.research.users.alice]
apps = ["canvas"]
"""
RULE = '[[rule]]\nid = "r"\nenforcement = "manditory"\ncheck = "true"\n'
IMAGE = "arn:aws:sagemaker:{region}:{account}:image/data-science"
LIFECYCLE = "arn:aws:sagemaker:{region}:{account}:studio-lifecycle-config/setup"
TODAY = datetime.now(UTC).date()


def write(folder: Path, fleet: str = FLEET, policy: str = "[execution]\n") -> None:
    (folder / "fleet.toml").write_text(fleet, encoding="utf-8")
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "a.toml").write_text(policy, encoding="utf-8")


@pytest.mark.parametrize(
    "fleet",
    [
        FLEET.replace("type =", "tpye ="),
        FLEET + "[[[\n",
        FLEET + "[domains.research]\n",
        'policies = ["policies/*.toml"]\n' + FLEET + "x = 1\n",
    ],
)
@pytest.mark.parametrize("command", [("validate",), ("plan", "--simulate"), ("apply", "--yes", "--simulate")])
def test_policies_are_checked_although_the_fleet_is_wrong(
    run: Run, tmp_path: Path, fleet: str, command: tuple[str, ...]
) -> None:
    write(tmp_path, fleet, RULE)
    ran = run(*command)
    assert ran.code == 64
    assert "fleet.toml:" in ran.err
    assert (
        'policies/a.toml:3: rule[0].enforcement: "manditory" is not allowed here. Did you mean "mandatory"?' in ran.err
    )


def test_policies_that_a_broken_fleet_does_not_name_are_not_blamed(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "policies = []\n" + FLEET + "[[[\n", RULE)
    assert "manditory" not in run("validate").err


@pytest.mark.parametrize(
    ("written", "meant"),
    [('replace = "on_drift"', "on-drift"), ('replace = "nevr"', "never")],
)
def test_every_choice_has_the_nearest_word(run: Run, tmp_path: Path, written: str, meant: str) -> None:
    write(tmp_path, policy=f"[safety]\n{written}\n")
    assert f'Did you mean "{meant}"?' in run("validate").err


@pytest.mark.parametrize(
    ("fleet", "said"),
    [
        (
            FLEET + "<<<<<<< HEAD\n[apps.a]\n=======\n[apps.b]\n>>>>>>> topic\n",
            "fleet.toml:14: this is a Git conflict marker (<<<<<<< HEAD). Resolve the conflict",
        ),
        (
            FLEET.replace('["canvas"]', '[\n<<<<<<< HEAD\n"canvas"\n=======\n"lab"\n>>>>>>> topic\n]'),
            "fleet.toml:14: this is a Git conflict marker (<<<<<<< HEAD)",
        ),
        (FLEET + ">>>>>>> topic\r\n", "fleet.toml:14: this is a Git conflict marker (>>>>>>> topic)"),
        (
            FLEET.replace("type =", "type\u00a0=", 1),
            "fleet.toml:4: this is not a plain space but U+00A0 (no-break space) (column 5). Replace it",
        ),
        (FLEET.replace("type =", "\u200btype =", 1), "fleet.toml:4: this is not a plain space but U+200B (zero width"),
        (FLEET.replace('"Canvas"', "\u201cCanvas\u201d"), "fleet.toml:7: TOML does not accept this typographic quote"),
    ],
)
def test_what_toml_cannot_take_is_said_in_the_right_words(run: Run, tmp_path: Path, fleet: str, said: str) -> None:
    write(tmp_path, fleet)
    ran = run("validate")
    assert (ran.code, said in ran.err) == (64, True), ran.err


def test_a_conflict_in_a_members_file_is_named(run: Run, tmp_path: Path) -> None:
    write(tmp_path, FLEET + '[domains.research.teams.t]\nmembers_file = "t.csv"\n')
    (tmp_path / "t.csv").write_text("user\nana\n<<<<<<< HEAD\nbo\n=======\ncy\n>>>>>>> topic\n")
    assert "t.csv:3: this is a Git conflict marker (<<<<<<< HEAD)" in run("validate").err


def test_a_marker_inside_a_text_of_several_lines_is_text(run: Run, tmp_path: Path) -> None:
    write(
        tmp_path,
        policy='[[rule]]\nid = "r"\nenforcement = "advisory"\ncheck = "true"\ndescription = """\n=======\n"""\n',
    )
    write(tmp_path, policy=RULE.replace("manditory", "advisory") + 'description = """\n=======\n"""\n')
    assert run("validate").code == 0


def test_what_is_over_is_warned_about_and_told_by_the_plan(run: Run, tmp_path: Path) -> None:
    exception = '[[exception]]\nrule = "r"\nmatch = "true"\nreason = "paper"\nexpires = 2024-01-31\n'
    write(
        tmp_path,
        FLEET.replace('type = "Canvas"\n', 'type = "Canvas"\nexpires = 2024-02-29\n'),
        RULE.replace("manditory", "advisory") + exception,
    )
    past = "expires = 2024-02-29 is in the past, so 1 app is no longer wanted"
    for ran in (run("validate"), run("validate", "--strict")):
        assert ran.code == 0
        assert f"fleet.toml:8: warning: {past}" in ran.err
        assert (
            "policies/a.toml:5: warning: the exception to rule r ended on 2024-01-31, so the rule holds again"
            in ran.err
        )
        assert "2 warnings" in ran.out
    assert past in run("plan", "--simulate").out


@pytest.mark.parametrize(("people", "days", "is_warned"), [(11, 5, True), (10, 5, False), (11, 15, False)])
def test_many_apps_that_expire_on_one_day_are_warned_about_days_before(
    run: Run, tmp_path: Path, people: int, days: int, *, is_warned: bool
) -> None:
    names = ", ".join(f'"u{number}"' for number in range(people))
    day = TODAY + timedelta(days=days)
    team = f"[domains.research.teams.t]\nmembers = [{names}]\nexpires = {day}\nuser_apps = ['canvas']\n"
    more = ", ".join(f'"v{number}"' for number in range(40))
    write(tmp_path, FLEET + team + f"[domains.research.teams.s]\nmembers = [{more}]\nuser_apps = ['canvas']\n")
    said = f"11 apps expire on {day}, more than the 10 of [safety].destroy_max: the first run after it will be denied"
    for command in (("validate",), ("plan", "--simulate"), ("status", "--simulate")):
        ran = run(*command)
        assert (said in ran.out + ran.err) is is_warned, ran


def test_a_name_that_is_there_twice_is_warned_about(run: Run, tmp_path: Path) -> None:
    write(tmp_path, FLEET + '[domains.research.teams.t]\nmembers = ["ana", "bo", "ana"]\n')
    assert 'fleet.toml:15: warning: domains.research.teams.t.members[2]: "ana" appears twice' in run("validate").err


def test_an_empty_folder_is_told_of_init(run: Run) -> None:
    for command in (("validate",), ("plan", "--simulate")):
        ran = run(*command)
        assert (ran.code, "make one with: appfleet init" in ran.err) == (64, True)


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (
            f'[defaults]\nimage_arn = "{IMAGE.format(region="us-west-2", account="542918446943")}"\n',
            'fleet.toml:15: image_arn is of region "us-west-2", and domain research is in eu-west-1',
        ),
        (
            f'[defaults]\nlifecycle_config_arn = "{LIFECYCLE.format(region="us-east-1", account="111122223333")}"\n',
            'fleet.toml:15: lifecycle_config_arn is of region "us-east-1", and domain research is in eu-west-1',
        ),
        (
            f'[defaults]\nimage_arn = "{IMAGE.format(region="eu-west-1", account="1" * 12).replace("aws", "aws-cn")}"',
            'fleet.toml:15: image_arn is of partition "aws-cn", and eu-west-1 of aws',
        ),
        (
            '[domains.research.users.bo]\nexecution_role = "arn:aws-us-gov:iam::111122223333:role/studio"\n',
            'fleet.toml:14: execution_role is of partition "aws-us-gov", and eu-west-1 of aws',
        ),
    ],
)  # fmt: skip
def test_an_arn_that_the_domain_cannot_use_is_an_error_at_its_line(
    run: Run, tmp_path: Path, added: str, said: str
) -> None:
    write(tmp_path, FLEET + added)
    ran = run("validate")
    assert (ran.code, said in ran.err) == (64, True), ran.err


def test_a_default_image_over_two_regions_is_told_once_with_a_way_out(run: Run, tmp_path: Path) -> None:
    other = '[domains.us]\nid = "d-000000000000"\nregion = "us-east-1"\n[domains.us.users.bo]\napps = ["canvas"]\n'
    image = IMAGE.format(region="eu-west-1", account="885854791233")
    write(tmp_path, FLEET + other + f'[defaults]\nimage_arn = "{image}"\n')
    ran = run("validate")
    assert ran.err.count("image_arn is of region") == 1
    assert "where apps of several regions use it, set it for each domain" in ran.err


@pytest.mark.parametrize(
    ("role", "said"),
    [
        (
            "arn:aws:iam::999988887777:role/p",
            "the role is of account 999988887777, and the domain of account 111122223333",
        ),
        ("arn:aws-cn:iam::111122223333:role/p", 'the role is of partition "aws-cn", and eu-west-1 of aws'),
    ],
)
def test_a_role_of_another_account_or_partition_is_an_error(run: Run, tmp_path: Path, role: str, said: str) -> None:
    account = 'account = "111122223333"\n'
    write(tmp_path, FLEET.replace(account, f'{account}role_arn = "{role}"\n'))
    ran = run("validate")
    assert (ran.code, f"fleet.toml:12: domains.research.role_arn: {said}" in ran.err) == (64, True), ran.err


def test_an_image_of_another_account_is_legal_and_a_lifecycle_configuration_of_one_is_a_warning(
    run: Run, tmp_path: Path
) -> None:
    image = IMAGE.format(region="eu-west-1", account="542918446943")
    script = LIFECYCLE.format(region="eu-west-1", account="542918446943")
    cleared = 'image_version_arn = "None"\n'
    write(tmp_path, FLEET + f'[defaults]\nimage_arn = "{image}"\n{cleared}lifecycle_config_arn = "{script}"\n')
    ran = run("validate")
    assert ran.code == 0
    assert "fleet.toml:17: warning: lifecycle_config_arn is of account 542918446943" in ran.err
    assert "image_arn" not in ran.err


@pytest.mark.parametrize("command", ["validate", "plan", "status", "apply"])
def test_a_folder_in_the_place_of_the_fleet_file_says_what_to_type(run: Run, tmp_path: Path, command: str) -> None:
    words = (command, "--yes") if command == "apply" else (command,)
    (tmp_path / "a fleet").mkdir()
    (tmp_path / "a fleet" / "fleet.toml").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("a fleet")
    for folder, said in (
        ("a fleet", "a fleet is a folder. Name the fleet file in it: -f 'a fleet/fleet.toml'"),
        ("link", "link is a folder. Name the fleet file in it: -f link/fleet.toml"),
        ("empty", "empty is a folder. Name a file; to start a fleet there: appfleet init --out empty"),
        (".", ". is a folder. Name a file; to start a fleet there: appfleet init --out ."),
    ):
        ran = run(*words, "-f", folder)
        assert (ran.code, said in ran.err) == (64, True), ran.err


@pytest.mark.parametrize("words", [("-f", ""), ("--file", ""), ("--file=",)])
def test_an_empty_name_of_the_fleet_file_says_what_to_type(run: Run, words: tuple[str, ...]) -> None:
    ran = run("plan", *words)
    assert ran.code == 64
    assert "is empty. Name the fleet file, such as -f DIR/fleet.toml, or leave it out to use ./fleet.toml" in ran.err
