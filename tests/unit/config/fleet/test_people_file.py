"""Tables of people as identity providers and spreadsheets write them: who is a person, and which line is a header."""

from __future__ import annotations

import pytest

from engine.config.fleet.people_file import TableProblem, name_of, read_people
from engine.config.fleet.titles import HEADER_WORDS

TWO = ("ana.silva@acme.example", "bo.li@acme.example")


def people(text: str) -> list[str]:
    return [name_of(row.text) for row in read_people(text)]


@pytest.mark.parametrize("word", sorted(HEADER_WORDS))
def test_every_known_title_is_a_header_over_names_and_over_addresses(word: str) -> None:
    assert people(f"{word.upper()}\nzoe\n") == ["zoe"]
    assert people(f"{word}\n{TWO[0]}\n{TWO[1]}\n") == ["ana-silva", "bo-li"]


@pytest.mark.parametrize(
    "title",
    ["User Name", "User-Name", "user_name", "E-Mail", "e mail", "Email Address", "SamAccountName", "userPrincipalName",
     "User Profile Name", "Members", "UserID", "Login", "Employee", "user.name", "Username:", "Username*", "* username",
     "# user"],
)  # fmt: skip
def test_a_title_is_known_whatever_its_case_spaces_hyphens_and_underscores(title: str) -> None:
    assert people(f"{title}\nzoe\n") == ["zoe"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "userPrincipalName,displayName,surname,mail\nana.silva@a.example,Ana Silva,Silva,ana@b.example\n",
            [("ana-silva", "ana.silva@a.example")],
        ),
        (
            "mail,userPrincipalName\nana@b.example,ana@a.example\nbo@b.example,\n",
            [("ana", "ana@a.example"), ("bo", "bo@b.example")],
        ),
        ("login,email\nana.silva@a.example,ana@b.example\n", [("ana-silva", "ana.silva@a.example")]),
        ("login,firstName,email\nana.silva,Ana,ana.silva@a.example\n", [("ana-silva", "ana.silva@a.example")]),
        (
            "First Name [Required],Last Name [Required],Email Address [Required]\nAna,Silva,ana.silva@a.example\n",
            [("ana-silva", "ana.silva@a.example")],
        ),
        ("First Name;Last Name;User Name\nAna;Silva;ana\nBo;Li;bo\n", [("ana", ""), ("bo", "")]),
        ("Department\tName\nVision\tana\n", [("ana", "")]),
        (",username\n0,ana\n1,bo\n", [("ana", ""), ("bo", "")]),
        ("Person,Mail\nAna,ana@a.example\nBo,bo@a.example\n", [("ana", "ana@a.example"), ("bo", "bo@a.example")]),
        ("Zugang\nana@a.example\nbo@a.example\n", [("ana", "ana@a.example"), ("bo", "bo@a.example")]),
        ("Zugang,email\nx@a.example,ana@a.example\n", [("ana", "ana@a.example")]),
        ("username,login\nana,ana.silva@a.example\nbo,bo\n", [("ana", "ana.silva@a.example"), ("bo", "")]),
        ("email,login\nana@a.example,as7\n", [("ana", "ana@a.example")]),
        ("username,login\nana@a.example,as7\n", [("ana", "ana@a.example")]),
        ("username,sso_identity,mail\nana,ANA1,ana@a.example\n", [("ana", "ANA1")]),
        ("username,upn,mail\nana,ana@upn.example,ana@mail.example\n", [("ana", "ana@upn.example")]),
        ("alice,member\nbob,member\n", [("alice", ""), ("bob", "")]),
        ("Alice,member\nbob,member\n", [("Alice", ""), ("bob", "")]),
        ("Alice\nbob\nCarol\n", [("Alice", ""), ("bob", ""), ("Carol", "")]),
        ("david\ntrinidad\n", [("david", ""), ("trinidad", "")]),
        ("alice\nuser\n", [("alice", ""), ("user", "")]),
        ("jane.doe\njohn.roe\n", [("jane-doe", ""), ("john-roe", "")]),
        ("alice,Rome\nbob,Oslo\n", [("alice", ""), ("bob", "")]),
        ("alice\n", [("alice", "")]),
        ("username\n", []),
        ("\n\n", []),
    ],
)  # fmt: skip
def test_who_stands_in_a_table_and_how_they_sign_in(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(name_of(row.text), row.sso_identity) for row in read_people(text)] == expected


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("First Name [Required],Last Name [Required]\nana,silva\n", "First Name [Required]"),
        ("users\nzoe\n", "users"),
        ("Full name\nzoe\nbo\n", "Full name"),
        ("Benutzername\nzoe\n", "Benutzername"),
        ("displayName,department\nzoe,vision\n", "displayName"),
        *(
            (f"{title}\nzoe\n", title)
            for title in (
                "EmployeeID",
                "Employee Number",
                "LoginName",
                "User-Login",
                "UserEmail",
                "Work E-Mail",
                "Participants",
                "netid",
                "uid",
                "cn",
                "Owner",
                "students",
                "Team-Members",
                "mailNickname",
                "objectId",
                "users:",
                "Account.Name",
                "Utilisateur",
                "Usuario",
                "Teilnehmer",
                "Courriel",
            )
        ),
    ],
)
def test_a_first_line_that_looks_like_a_header_and_is_not_known_is_refused_by_name(text: str, cell: str) -> None:
    with pytest.raises(TableProblem) as refused:
        read_people("\n" + text)
    assert refused.value.line == 2
    assert refused.value.message == f'"{cell}" looks like a header, but not like one of the people\'s names'
    assert "username" in refused.value.hint


def test_a_first_line_that_may_be_a_header_or_a_person_is_refused_by_name() -> None:
    with pytest.raises(TableProblem, match='"Zugang" may be a header or a person: the same line says "Team"'):
        read_people("Zugang,Team\nzoe,vision\n")


def test_people_behind_a_column_that_is_the_same_in_all_lines_are_asked_for() -> None:
    with pytest.raises(TableProblem, match='every line begins with "vision"') as refused:
        read_people("vision,bln,ana\nvision,bln,ben\n")
    assert refused.value.line == 1
    assert "username" in refused.value.hint
    assert [row.text for row in read_people("team,city,user\nvision,bln,ana\nvision,bln,ben\n")] == ["ana", "ben"]
    assert [row.text for row in read_people("ana,bln\nana,bln\n")] == ["ana", "ana"]
    assert [row.text for row in read_people("ana,bln\n")] == ["ana"]


@pytest.mark.parametrize("text", ["<root_account>\nzoe\n", "a b\nc d\n", "a_b\n", "domain\\zoe\n"])
def test_what_is_no_header_and_no_name_is_left_to_the_check_of_names(text: str) -> None:
    assert read_people(text)[0].line == 1


def test_a_first_line_that_alone_has_capitals_is_refused_as_a_header_or_a_person() -> None:
    with pytest.raises(TableProblem, match='"Data-Scientologists" may be a header or a person') as refused:
        read_people("Data-Scientologists\nzoe\nbo\n")
    assert (refused.value.line, "username" in refused.value.hint) == (1, True)


def test_a_header_that_comes_again_in_a_table_is_no_person() -> None:
    with pytest.raises(TableProblem, match="repeats the header of line 1") as refused:
        read_people("username,team\nzoe,a\nusername,team\nbo,b\n")
    assert refused.value.line == 3
