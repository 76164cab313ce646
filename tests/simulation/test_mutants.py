"""Some of the deliberate bugs are found by the simulation; `make mutants` shows it for all of them."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, hunt

QUICK = ("unknown-create-is-resent", "pace-is-ignored", "gate-never-parks", "delete-is-not-read-again")


@pytest.mark.parametrize("mutant", [one for one in MUTANTS if one.name in QUICK], ids=lambda mutant: mutant.name)
def test_a_deliberate_bug_is_found(mutant: Mutant) -> None:
    found = hunt(mutant, range(100))
    assert found.seed is not None, f"{mutant.name} was not found in {found.tried} seeds"
