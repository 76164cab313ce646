"""What is said of declared user profiles and spaces that could not be read, so that nobody takes them for compared.

Pure. Not here: reading them (`app.answers`), and what is done about those that were read (`owners`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.core.facts import Unknown
from engine.core.finding import SKIP, UNCOMPARED, Finding
from engine.core.identity import USER, Owner, OwnerKind, owner_word
from engine.core.observed import ObservedOwner
from engine.core.text import clean


def unread_findings(
    owners: Iterable[Owner], known: Mapping[Owner, ObservedOwner | Unknown | None], *, meant: bool
) -> tuple[Finding, ...]:
    """Return a finding for each of `owners` of which nobody knows how it is set.

    `meant`: a policy wants them kept as declared, or they are to move to this fleet, so a run that cannot look has not
    done what it was to do.
    """
    enforcement = SKIP if meant else "advisory"
    return tuple(
        Finding(UNCOMPARED, enforcement, str(owner), clean(f"{_said(owner)}: {why}. {way_to_read(owner.kind)}"))
        for owner in sorted(owners)
        if (why := _why_unread(known.get(owner)))
    )


def way_to_read(kind: OwnerKind) -> str:
    """Return what lets appfleet read a user profile or a space."""
    word = "UserProfile" if kind == USER else "Space"
    return f"Run again; if it stays so, allow the caller sagemaker:Describe{word} and sagemaker:List{word}s"


def _said(owner: Owner) -> str:
    return f"{owner_word(owner)} was not compared with the fleet file"


def _why_unread(fact: ObservedOwner | Unknown | None) -> str:
    if isinstance(fact, Unknown):
        return fact.why
    return fact.unread_because if fact is not None and fact.settings is None else ""
