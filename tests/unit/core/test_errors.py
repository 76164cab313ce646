from __future__ import annotations

import re

import pytest

from engine.core import errors
from engine.core.diagnostics import Diagnostic
from engine.core.errors import (
    AppfleetError,
    BugError,
    CloudError,
    ConfigError,
    ExitCode,
    PolicyError,
    QuotaExceeded,
    QuotaFacts,
    all_error_classes,
)


def test_every_class_has_a_code_of_its_own_and_a_first_line() -> None:
    classes = list(all_error_classes())
    codes = [item.code for item in classes]
    assert classes[0] is AppfleetError
    assert len(set(codes)) == len(codes)
    for item in classes:
        assert re.fullmatch(r"AF\d{3}", item.code)
        assert item.__doc__


def test_the_tree_at_the_top_of_the_module_names_every_class_and_code() -> None:
    tree = errors.__doc__ or ""
    for item in all_error_classes():
        code = "AF4xx" if item is CloudError else item.code
        if item is not AppfleetError:
            assert re.search(rf"{item.__name__}\s+{code}", tree), item


def test_every_exception_of_the_module_is_in_the_tree() -> None:
    defined = {item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, Exception)}
    assert defined == set(all_error_classes())


@pytest.mark.parametrize(
    ("name", "exit_code"),
    [
        ("UsageError", 64),
        ("ConfigError", 64),
        ("PolicyError", 64),
        ("DeniedError", 4),
        ("StalePlanError", 1),
        ("CloudError", 1),
        ("LockHeldError", 5),
        ("StateError", 1),
        ("WrongAccountError", 1),
        ("BugError", 70),
    ],
)
def test_exit_codes_are_pinned(name: str, exit_code: int) -> None:
    assert getattr(errors, name).exit_code == exit_code


def test_exit_codes_are_the_documented_ones() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "CHANGES": 2,
        "INCOMPLETE": 3,
        "DENIED": 4,
        "LOCKED": 5,
        "USAGE": 64,
        "BUG": 70,
        "INTERRUPTED": 130,
    }


def test_an_error_says_what_and_then_what_to_do() -> None:
    assert str(AppfleetError("it broke", hint="Mend it")) == "it broke. Mend it"
    assert str(AppfleetError("it broke")) == "it broke"


def test_what_the_service_says_is_cleaned() -> None:
    error = CloudError("red \x1b[31m", hint="a\nb", service_code="Bad\x00Code", request_id="r\r1")
    assert str(error) == "red \\u001b[31m. a b"
    assert error.service_code == "Bad\\u0000Code"
    assert error.request_id == "r 1"
    assert (error.operation, error.retry_after_s) == ("", None)


def test_a_wrong_file_counts_its_problems() -> None:
    problem = Diagnostic("AF102", "fleet.toml", 1, "", "wrong", "")
    assert str(ConfigError((problem,))) == "1 problem found; nothing was called"
    two = PolicyError((problem, problem))
    assert str(two) == "2 problems found; nothing was called"
    assert two.diagnostics == (problem, problem)


@pytest.mark.parametrize(
    ("facts", "never"),
    [
        (QuotaFacts(), False),
        (QuotaFacts(value=0), True),
        (QuotaFacts(value=1), False),
        (QuotaFacts(value=3, requested=4), True),
        (QuotaFacts(value=4, requested=4), False),
        (QuotaFacts(value=0, requested=0), True),
    ],
)
def test_a_limit_below_the_request_never_fits(facts: QuotaFacts, *, never: bool) -> None:
    assert facts.never_fits is never
    assert QuotaExceeded("full", facts=facts, operation="CreateApp").facts is facts


def test_a_bug_says_that_it_is_ours_and_what_to_report() -> None:
    assert str(BugError("two plans")) == (
        "this is a bug in appfleet: two plans. "
        "Please report it with the log of this run; the result shows what was done"
    )
