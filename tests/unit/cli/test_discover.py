"""`discover` on the command line: what is refused before anything is called, and what is said of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.app import discover as app_discover
from engine.app.discover import Discovered, Discovery
from engine.config.fleet.found_domains import FoundDomain, domains_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

FOUND = [FoundDomain(f"{number:012}", "eu-west-1", f"d-{number}", "studio") for number in range(22)]
WORDS = ("discover", "--regions", "eu-west-1, us-east-1")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Discovery]:
    """Let the engine find domains, and remember what it was asked for."""
    asked: list[Discovery] = []

    async def discover(_options: Any, what: Discovery, out: Any, _emit: Any, *, check: bool) -> Discovered:
        asked.append(what)
        table = domains_table(FOUND, "name,id,region,account\nx,d-x,eu-west-1,9\n" if out else "")
        return Discovered(table, differs=not check or out is None, failures=("account 1, region r: no",) if out else ())

    monkeypatch.setattr(app_discover, "discover", discover)
    return asked


def test_the_table_goes_to_standard_output_and_what_is_new_beside_it(run: Run, asked: list[Discovery]) -> None:
    ran = run(*WORDS, "--domain-tag", "studio=yes")
    assert ran.code == 0
    assert ran.out.startswith("name,id,region,account\nstudio,d-0,eu-west-1,000000000000\n")
    assert "appfleet: new: d-0 in account 000000000000, region eu-west-1" in ran.err
    assert "appfleet: new: 2 more" in ran.err
    assert asked == [Discovery(("eu-west-1", "us-east-1"), domain_tags=(("studio", "yes"),))]


def test_a_check_ends_with_what_it_found(run: Run, asked: list[Discovery]) -> None:
    ran = run(*WORDS, "--out", "a.csv", "--check")
    assert ran.code == 0
    assert "appfleet: a.csv is up to date: 22 domains" in ran.err
    assert "appfleet: gone: d-x in account 9, region eu-west-1" in ran.err
    assert "appfleet: not listed, rows kept: account 1, region r: no" in ran.err
    ran = run(
        *WORDS,
        "--organization",
        "--role",
        "appfleet",
        "--external-id",
        "tenant:7/prod",
        "--ou",
        "ou-abcd-11112222",
        "--account-tag",
        "a=b=c",
        "--out",
        "a.csv",
    )
    assert (ran.code, ran.out) == (0, "wrote a.csv: 22 domains\n")
    assert asked[1] == Discovery(
        ("eu-west-1", "us-east-1"),
        organization=True,
        role="appfleet",
        external_id="tenant:7/prod",
        units=("ou-abcd-11112222",),
        account_tags=(("a", "b=c"),),
    )


def test_a_file_that_would_change_is_exit_code_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def discover(*_: Any, check: bool) -> Discovered:
        return Discovered(domains_table(FOUND), differs=check)

    monkeypatch.setattr(app_discover, "discover", discover)
    ran = run(*WORDS, "--out", "a.csv", "--check")
    assert ran.code == 2
    assert "appfleet: a.csv would change: 22 domains" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--check",), "--check needs a file to compare with"),
        (("--organization",), "--organization needs the role to assume in each account"),
        (("--role", "x"), "--role is for the accounts of an organization"),
        (("--organization", "--role", "arn:aws:iam::1:role/x"), "is not the name of a role"),
        (("--external-id", "abc"), "--external-id is sent when a role is assumed"),
        (("--organization", "--role", "x", "--external-id", "a"), "--external-id: 'a' is not an external id"),
        (("--ou", "ou-abcd-11112222"), "--ou is for the accounts of an organization"),
        (("--organization", "--role", "x", "--ou", "ml"), "--ou: 'ml' is not the id of a unit"),
        (("--account-tag", "a=b"), "--account-tag is for the accounts of an organization"),
        (("--domain-tag", "a"), "--domain-tag: 'a' is not KEY=VALUE"),
        (("--regions", "Europe"), "'Europe' is not a region"),
        (("--regions", ","), "--regions is empty"),
        (("--out", "no/such/folder/a.csv"), "--out no/such/folder/a.csv cannot be written"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_called(
    run: Run, asked: list[Discovery], words: tuple[str, ...], said: str
) -> None:
    ran = run(*WORDS, *words)
    assert ran.code == 64
    assert said in ran.err
    assert asked == []
