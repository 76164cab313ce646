"""Some of the deliberate bugs are found by the simulation; `make mutants` shows it for all of them."""

from __future__ import annotations

import inspect
import sys

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, hunt

# Each with the seed that the hunt begins at: a little before the first that finds it, of which some come late.
QUICK = {
    "unknown-create-is-resent": 0,
    "pace-is-ignored": 0,
    "gate-never-parks": 0,
    "delete-is-not-read-again": 0,
    "half-done-replace-is-forgotten": 5,
    "calls-in-doubt-are-forgotten": 0,
    "an-old-look-will-do": 0,
    "keep-until-is-not-read-again": 0,
}


def _names() -> dict[tuple[str, str], int]:
    """Return what each name of the product stands for, in its modules and its classes."""
    found: dict[tuple[str, str], int] = {}
    for module_name, module in list(sys.modules.items()):
        if not module_name.startswith(("engine.", "tests.simulation.memory_journal")):
            continue
        for name, value in vars(module).items():
            found[module_name, name] = id(value)
            if inspect.isclass(value) and value.__module__ == module_name:
                found |= {(f"{module_name}.{name}", inner): id(what) for inner, what in vars(value).items()}
    return found


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_deliberate_bug_changes_the_product_and_nothing_stays_changed(mutant: Mutant) -> None:
    before = _names()
    with mutant.apply():
        assert _names() != before
    assert _names() == before


@pytest.mark.parametrize("mutant", [one for one in MUTANTS if one.name in QUICK], ids=lambda mutant: mutant.name)
def test_a_deliberate_bug_is_found(mutant: Mutant) -> None:
    first = QUICK[mutant.name]
    found = hunt(mutant, range(first, first + 100))
    assert found.seed is not None, f"{mutant.name} was not found in {found.tried} seeds"
