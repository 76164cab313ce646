"""Troubles of whole domains: one fault has one code, and what is alike is one entry with the names."""

from __future__ import annotations

import pytest

from engine.core.errors import AppfleetError, NotFound, WrongAccountError
from engine.core.finding import LISTING, Finding
from engine.core.grouping import grouped_findings, grouped_troubles
from engine.core.trouble import Trouble, domain_troubles, first_of, of_domain


def _wrong(number: int) -> WrongAccountError:
    message = f"domain d{number} (a.csv:{number}) is in account {number:012}, the credentials are of 999988887777"
    return WrongAccountError(message, hint="Correct it")


def test_a_thousand_domains_of_other_accounts_are_one_entry() -> None:
    troubles = domain_troubles({f"d{number}": _wrong(number) for number in range(1_000)})
    (group,) = grouped_troubles(troubles)
    assert group.message == "domain … (a.csv…) is in account …, the credentials are of 999988887777"
    assert (group.code, group.hint, len(group.domains)) == ("AF503", "Correct it", 1_000)


def test_one_domain_keeps_its_own_words() -> None:
    (group,) = grouped_troubles(domain_troubles({"d1": _wrong(1)}))
    assert group.message == _wrong(1).message
    assert group.domains == ("d1",)


def test_what_is_about_no_domain_is_never_put_together() -> None:
    lost = [Trouble("AF504", "lock 111122223333"), Trouble("AF504", "lock 444455556666")]
    assert [group.message for group in grouped_troubles(lost)] == [one.message for one in lost]


@pytest.mark.parametrize(
    ("error", "code"),
    [(NotFound("gone", service_code="ResourceNotFound"), "ResourceNotFound"), (NotFound("gone"), "AF406"),
     (WrongAccountError("no"), "AF503")],
)  # fmt: skip
def test_the_code_is_the_services_own_where_there_is_one(error: AppfleetError, code: str) -> None:
    assert [one.code for one in domain_troubles({"a": error})] == [code]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("domain two (f:1) is wrong", "domain two (f:1) is wrong"),
        ("domain two-b is wrong", "domain two: domain two-b is wrong"),
        ("no answer", "domain two: no answer"),
    ],
)
def test_a_domain_is_named_once(text: str, told: str) -> None:
    assert of_domain("two", text) == told


def test_the_first_says_how_many_more_there_are() -> None:
    troubles = domain_troubles({"a": _wrong(1), "b": _wrong(2), "c": _wrong(3)})
    assert first_of(troubles[:1]) == troubles[0]
    assert first_of(troubles).message.endswith("(and 2 more errors)")


def test_findings_of_domains_with_other_counts_are_one() -> None:
    said = [Finding(LISTING, "skip", f"d{number}", f"{number} apps left alone: {_wrong(number)}") for number in (2, 3)]
    (group,) = grouped_findings(said)
    assert group.keys == ("d2", "d3")
    assert group.message.startswith(
        "… left alone: domain … (a.csv…) is in account …, the credentials are of 999988887777"
    )
