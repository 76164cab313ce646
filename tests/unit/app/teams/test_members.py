"""Names for onboarding: from flags and files, with everything that is wrong named in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.app.teams.members import members_of
from engine.core.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_names_come_from_the_flag_and_then_from_the_file_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text('\ufeffUserName;Mail\n\n"bob";b@x\ncarol;c@x\n', encoding="utf-8")
    assert members_of(["alice", " "], file) == ("alice", "bob", "carol")


def test_an_address_stands_for_its_local_part_with_hyphens() -> None:
    assert members_of(["ann.lee+ml@example.com"], None) == ("ann-lee-ml",)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", "b", "a"], "'a' is named twice"),
        (["ann", "Ann"], "differ only in case"),
        (["a.b@x", "a-b@y"], "both become a-b"),
        (["no name"], "'no name' is not a valid name"),
        (["a\x1b[2J"], "is not a valid name"),
        ([], "no members are named"),
    ],
)
def test_what_is_wrong_is_named(names: list[str], said: str) -> None:
    with pytest.raises(UsageError, match="members") as caught:
        members_of(names, None)
    assert said in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_all_of_it_is_named_in_one_go(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("ann\nAnn\nann\nb_b\n")
    with pytest.raises(UsageError) as caught:
        members_of([], file)
    assert all(f"people.csv:{line}" in str(caught.value) for line in (2, 3, 4))


def test_a_name_to_sign_in_with_that_is_none_is_named_in_its_line(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f"username,sso_identity\nann,\x1b[31m@x\nbob,{'b' * 300}\ncarol,c@x\n")
    with pytest.raises(UsageError) as caught:
        members_of([], file)
    for line in (2, 3):
        assert f"people.csv:{line}: " in str(caught.value)
    assert str(caught.value).count("is not a user name of the identity provider") == 2
    assert "\x1b" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--members-file: there is no file"):
        members_of([], tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(b"\xe4\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        members_of([], tmp_path / "latin.csv")
    (tmp_path / "torn.csv").write_text('"ann\n')
    with pytest.raises(UsageError, match="not a row of cells"):
        members_of([], tmp_path / "torn.csv")
    (tmp_path / "large.csv").write_bytes(b"a" * 5_000_001)
    with pytest.raises(UsageError, match="larger than"):
        members_of([], tmp_path / "large.csv")


@pytest.mark.parametrize("title", ["userPrincipalName", "Email", "SamAccountName", "login", "E-Mail", "id", "Employee"])
def test_a_title_is_nobody(tmp_path: Path, title: str) -> None:
    (tmp_path / "people.csv").write_text(f"{title}\nana.silva@acme.example\nbo.li@acme.example\n")
    members = members_of([], tmp_path / "people.csv")
    assert tuple(members) == ("ana-silva", "bo-li")
    assert members.identities == {"ana-silva": "ana.silva@acme.example", "bo-li": "bo.li@acme.example"}


def test_a_title_that_is_not_known_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("users\nana\n")
    with pytest.raises(UsageError, match=r'people\.csv:1: "users" looks like a header'):
        members_of([], tmp_path / "people.csv")


def test_a_name_with_dots_becomes_one_with_hyphens() -> None:
    assert members_of(["jane.doe"], None) == ("jane-doe",)
