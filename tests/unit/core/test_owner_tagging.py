"""The command that tags profiles and spaces: it can be copied into a shell, whole, whatever the names are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from engine.core.identity import Owner
from engine.core.limits import SHOWN_TEXT_MAX_CHARS
from engine.core.observed import ObservedOwner, Ownership
from engine.core.owner_tagging import tag_command, tag_findings
from engine.render.findings_text import findings_block
from engine.render.layout import Paint, split_command
from tests.unit.core.test_application import calls_of

if TYPE_CHECKING:
    from pathlib import Path

    from engine.core.finding import Finding

HEAD = "arn:aws:sagemaker:eu-west-1:111122223333:space/d-abcd1234efgh"
FLEETS = ["ml-platform", 'o\'brien "the" $HOME `id` \\ , ü']


def space(name: str, **more: object) -> ObservedOwner:
    row = ObservedOwner(Owner("research", "space", name), "InService", 1.0, arn=f"{HEAD}/{name}")
    for field, value in {"ownership": Ownership.NOBODY, **more}.items():
        object.__setattr__(row, field, value)
    return row


@pytest.mark.parametrize("fleet", FLEETS)
@pytest.mark.parametrize("names", [["ann-lab"], ["ann-lab", "bob-lab"]])
def test_the_command_tags_each_of_them_with_the_name_of_the_fleet(tmp_path: Path, names: list[str], fleet: str) -> None:
    calls = calls_of(tag_command(HEAD, names, fleet), tmp_path)
    assert [call[call.index("--resource-arn") + 1] for call in calls] == [f"{HEAD}/{name}" for name in names]
    for call in calls:
        assert call[:2] == ["sagemaker", "add-tags"]
        assert json.loads(call[call.index("--tags") + 1]) == [{"Key": "appfleet:managed-by", "Value": fleet}]


def test_whose_they_are_is_said_and_the_command_has_a_line_of_its_own() -> None:
    rows = [space("a"), space("b"), space("c", ownership=Ownership.FOREIGN, managed_by="old")]
    others, nobodys = sorted(tag_findings(rows, "new"), key=lambda one: "old" not in one.message)
    assert nobodys.message.startswith("2 spaces of domain research have no tag appfleet:managed-by. Once they carry")
    assert others.message.startswith("the fleet 'old' manages 1 space of domain research that this fleet declares: c. ")
    block = [line.strip() for line in findings_block([nobodys, others], Paint(False)).splitlines()]
    assert sum(line.startswith("for name in a b; do aws sagemaker add-tags") for line in block) == 1
    assert "appfleet apply --adopt --from-fleet old" in block


def test_many_are_named_in_several_findings_none_of_which_is_cut() -> None:
    names = [f"space-number-{number:03}" for number in range(200)]
    found = list(tag_findings(map(space, names), "ml"))
    assert all(len(one.message) <= SHOWN_TEXT_MAX_CHARS for one in found)
    commands = [split_command(one.message)[1] for one in found]
    assert [word for command in commands for word in command.split("; do")[0].split()[3:]] == names
    assert "(1 to " in found[0].message


@pytest.mark.parametrize("arn", ["", "arn:aws:sagemaker:eu-west-1:1:space/d-a/x", f"{HEAD}/$(id)/x"])
def test_what_is_no_arn_of_an_owner_reaches_no_shell(arn: str) -> None:
    assert list(tag_findings([space("x", arn=arn)], "ml")) == []


def test_what_nobody_has_read_is_not_said_to_be_anybodys() -> None:
    found: list[Finding] = list(tag_findings([space("x", ownership=Ownership.UNREAD)], "ml"))
    assert found == []
