"""The command that assigns users by hand: it can be copied into a shell, whole, whatever the names are."""

from __future__ import annotations

import html
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from engine.core.application import Application, Why, assign_command, unassigned, why_of
from engine.core.errors import AccessDenied, Unreachable
from engine.core.finding import Finding
from engine.core.limits import FINDINGS_SHOWN_MAX_COUNT, SHOWN_TEXT_MAX_CHARS
from engine.render.findings_text import findings_block
from engine.render.layout import Paint, split_command
from engine.render.markdown import with_command

if TYPE_CHECKING:
    from pathlib import Path

ARN = "arn:aws:sso::111122223333:application/ssoins-0123456789abcdef/apl-0123456789abcdef"
KNOWN = Application("eu-west-1", ARN, "d-1234567890")
UNKNOWN = Application("eu-west-1", ARN, "", Why("no"))
# A stand-in for the AWS CLI: it notes its arguments, and answers a question with what it was asked for.
AWS = """#!/bin/sh
printf '%s\\0' "$@" >> "$CALLS"
printf '\\n' >> "$CALLS"
case "$2" in
  list-instances) printf '%s\\n' d-found00000 ;;
  get-user-id) printf '%s\\n' "id-of-$8" ;;
esac
"""


def calls_of(command: str, folder: Path) -> list[list[str]]:
    """Run a command as a shell does; return the arguments of each call of `aws`."""
    aws = folder / "aws"
    aws.write_text(AWS)
    aws.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "CALLS": str(folder / "calls")}
    subprocess.run(["/bin/sh", "-c", command], check=True, timeout=180, env=environment)
    return [line.split("\0")[:-1] for line in (folder / "calls").read_text().splitlines()]


def asked_for(call: list[str]) -> str:
    """Return the user name of a call of get-user-id."""
    identifier = json.loads(call[call.index("--alternate-identifier") + 1])
    assert identifier["UniqueAttribute"]["AttributePath"] == "userName"
    return str(identifier["UniqueAttribute"]["AttributeValue"])


@pytest.mark.parametrize(
    "users",
    [
        ["ana@corp.example"],
        ["ana@corp.example", "bo@corp.example"],
        ['o\'brien "the" $HOME `id` \\ ü@x'],
        ['o\'brien "the" $HOME `id` \\ ü@x', "bo li@x"],
    ],
)
def test_the_command_assigns_exactly_these_users(users: list[str], tmp_path: Path) -> None:
    calls = calls_of(assign_command(KNOWN, users), tmp_path)
    assert [asked_for(call) for call in calls if call[1] == "get-user-id"] == users
    made = [call for call in calls if call[1] == "create-application-assignment"]
    assert [call[call.index("--application-arn") + 1] for call in made] == [ARN] * len(users)
    ids = [call[call.index("--principal-id") + 1] for call in made]
    assert [json.loads(one.removeprefix("id-of-"))["UniqueAttribute"]["AttributeValue"] for one in ids] == users
    assert all(call[call.index("--region") + 1] == "eu-west-1" for call in calls)


def test_an_identity_store_that_is_not_known_is_found_out_by_the_command(tmp_path: Path) -> None:
    calls = calls_of(assign_command(UNKNOWN, ["ana@x"]), tmp_path)
    assert [call[1] for call in calls] == ["list-instances", "get-user-id", "create-application-assignment"]
    assert calls[1][calls[1].index("--identity-store-id") + 1] == "d-found00000"
    query = calls[0][calls[0].index("--query") + 1]
    assert query == "Instances[?ends_with(InstanceArn, '/ssoins-0123456789abcdef')].IdentityStoreId"


def test_a_finding_has_as_many_users_as_its_command_can_show_whole_and_none_is_lost(tmp_path: Path) -> None:
    users = [f"user{number:03}@corp.example" for number in range(FINDINGS_SHOWN_MAX_COUNT - 1)]
    findings = list(unassigned("research", UNKNOWN, Why("why " * 200), users))
    assert all(len(finding.message) <= SHOWN_TEXT_MAX_CHARS for finding in findings)
    named: list[str] = []
    for number, finding in enumerate(findings):
        folder = tmp_path / str(number)
        folder.mkdir()
        named += map(
            asked_for,
            (call for call in calls_of(split_command(finding.message)[1], folder) if call[1] == "get-user-id"),
        )
    assert named == users
    others = Finding("owners", "skip", "research/user/user000", "it is not there")  # its name stands in a command
    shown = findings_block([others, *findings], Paint(on=False))
    for finding in findings:
        command = split_command(finding.message)[1]
        assert f"\n      {command}\n" in shown
        assert command in html.unescape(with_command(finding.message))


def test_one_user_whose_name_is_as_long_as_names_get_has_a_finding_of_its_own() -> None:
    users = ["x" * 256, "y" * 256]
    findings = list(unassigned("research", KNOWN, Why("it is denied."), users))
    assert all(len(finding.message) <= SHOWN_TEXT_MAX_CHARS for finding in findings)
    assert [
        finding.message.startswith(f"1 user ({n} to {n} of 2) of new profiles") for n, finding in enumerate(findings, 1)
    ] == [True, True]
    assert all(finding.message.endswith('--output text)"') for finding in findings)


def test_without_an_application_there_is_no_command() -> None:
    (finding,) = unassigned("research", Application("eu-west-1"), Why("it has none."), ["bo@x", "ana@x"])
    assert finding.message == (
        "2 users of new profiles in domain research are not assigned to its application in IAM Identity Center, and "
        "cannot sign in: it has none. Assign them in the SageMaker console: ana@x, bo@x"
    )
    assert Application("eu-west-1").instance == ""


def test_the_cause_is_told_once_and_the_commands_name_the_call_that_failed() -> None:
    said = " ".join(["GetUserId failed with AccessDeniedException: you may not."] * 4)
    error = AccessDenied(said, hint="Allow it", operation="GetUserId", service_code="AccessDeniedException")
    cause, *findings = unassigned("research", KNOWN, why_of(error), [f"user{number:02}@x" for number in range(40)])
    assert cause.message.endswith("you may not. Allow it")
    assert len(findings) < 5
    assert all("cannot sign in: GetUserId failed with AccessDeniedException. An" in one.message for one in findings)
    assert why_of(Unreachable("It is silent.", hint="Wait")) == ("It is silent.", "It is silent. Wait")
