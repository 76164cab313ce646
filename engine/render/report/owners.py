"""User profiles and spaces in the page of a run: how many ended how, and each that is not as declared, with why."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from engine.core.counted import owners_counted
from engine.core.outcome import GOOD_OUTCOMES, Outcome
from engine.ports.history import OwnerRecord
from engine.render.words import outcome_words

_KNOWN: Final = tuple(outcome.value for outcome in Outcome)


def owner_lines(owners: Sequence[OwnerRecord]) -> list[str]:
    """Return `40 user profiles and 40 spaces created` for each outcome, in the order of the outcomes."""
    ordered = sorted(owners, key=lambda record: (_place(record.outcome), record.outcome, record.owner))
    return [
        f"{owners_counted([record.owner for record in group])} {outcome_words(outcome)}"
        for outcome, group in groupby(ordered, key=lambda record: record.outcome)
    ]


def owners_not_well(owners: Sequence[OwnerRecord]) -> list[tuple[str, str, str, str, str]]:
    """Return (owner, outcome, code, message, hint) of those that are not as declared, in the order of the outcomes.

    One that is unchanged has a reason where it could not be updated yet.
    """
    found = [record for record in owners if record.outcome not in GOOD_OUTCOMES or record.error_code]
    return [
        (str(one.owner), one.outcome.replace("_", " "), one.error_code, one.error_message, one.error_hint)
        for one in sorted(found, key=lambda record: (_place(record.outcome), record.owner))
    ]


def _place(outcome: str) -> int:
    return _KNOWN.index(outcome) if outcome in _KNOWN else len(_KNOWN)
