"""What is said of an app whose instance types were all tried: every one of them, with what each needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.core.errors import NO_CAPACITY
from engine.core.trouble import Trouble
from engine.executor.kinds.fallbacks import after_fallbacks
from tests.unit.executor.parts import an_operation

if TYPE_CHECKING:
    from engine.executor.kinds.apps import AppOperation

EMPTY = Trouble(NO_CAPACITY, "there is none", "Wait")
RAISE = "Waiting does not help. To raise it: aws service-quotas request-service-quota-increase --quota-code {}"


def tried(*troubles: Trouble) -> AppOperation:
    """Return an operation that is at the last of its types, with what the ones before it met."""
    kinds = ("ml.g5.xlarge", "ml.g6.xlarge", "ml.t3.large")[: len(troubles) + 1]
    operation = an_operation(instance_type=kinds[0], fallback=kinds[1:])
    operation.refused = list(zip(kinds, troubles, strict=False))
    operation.choice = len(troubles)
    return operation


def quota(code: str) -> Trouble:
    return Trouble("ResourceLimitExceeded", f"{code} is full", RAISE.format(code))


def test_an_app_with_one_type_and_an_app_that_ended_well_are_told_as_they_are() -> None:
    assert after_fallbacks(an_operation(), EMPTY) is EMPTY
    assert after_fallbacks(tried(EMPTY), None) is None


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "ml.g5.xlarge and its fallback ml.g6.xlarge had no capacity"),
        (2, "ml.g5.xlarge and its fallbacks ml.g6.xlarge, ml.t3.large had no capacity"),
    ],
)
def test_where_no_type_had_capacity_one_sentence_names_them_all(count: int, words: str) -> None:
    told = after_fallbacks(tried(*[EMPTY] * count), EMPTY)
    assert told is not None
    assert (told.code, told.message) == (NO_CAPACITY, words)
    assert "fallback" in told.hint


def test_types_that_met_different_troubles_each_say_theirs_and_the_one_command_is_kept() -> None:
    told = after_fallbacks(tried(quota("L-1")), EMPTY)
    assert told == Trouble(
        NO_CAPACITY, "ml.g5.xlarge: L-1 is full; its fallback ml.g6.xlarge: there is none", RAISE.format("L-1")
    )


def test_where_no_hint_has_a_command_the_last_one_stands() -> None:
    refused = Trouble("ValidationException", "it is not supported", "Take another type")
    told = after_fallbacks(tried(EMPTY), refused)
    assert told is not None
    assert told.hint == "Take another type"


def test_each_full_quota_is_raised_by_its_own_command() -> None:
    told = after_fallbacks(tried(quota("L-1"), quota("L-2")), quota("L-1"))
    assert told is not None
    commands = [RAISE.format(code).partition("it: ")[2] for code in ("L-1", "L-2")]
    assert told.hint == f"No instance type has room in its quota. To raise them: {' && '.join(commands)}"


def test_the_advice_of_the_service_does_not_crowd_out_the_last_type_that_was_tried() -> None:
    advice = (
        "Please use AWS Service Quotas to request an increase for this quota. If it is not available, contact support."
    )
    full = [
        Trouble("ResourceLimitExceeded", f"the limit '{name}' is 0. {advice}", RAISE.format(name)) for name in "ABC"
    ]
    told = after_fallbacks(tried(*full[:2]), full[2])
    assert told is not None
    assert told.message == (
        "ml.g5.xlarge: the limit 'A' is 0; its fallback ml.g6.xlarge: the limit 'B' is 0; "
        "its fallback ml.t3.large: the limit 'C' is 0"
    )
