"""User profiles and spaces in a status, for every format made for people: counts, then those that need attention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from engine.core.limits import ORPHANS_NAMED_MAX_COUNT
from engine.core.owner_settings import STATUS, Difference
from engine.core.owner_status import OwnerCondition, OwnerLine, OwnersView
from engine.core.text import NAMES_SHOWN_MAX_COUNT, clean, listed
from engine.render.layout import Paint, wrapped
from engine.render.owners_text import differences_text, owners_in_domain

OWNERS_TITLE: Final = "User profiles and spaces"
OWNER_WORDS: Final = {
    OwnerCondition.AS_DECLARED: ("as declared", "as declared"),
    OwnerCondition.CHANGING: ("being changed", "being changed"),
    OwnerCondition.DIFFERS: ("differs", "differ"),
    OwnerCondition.MISSING: ("missing", "missing"),
    OwnerCondition.ANOTHERS: ("somebody else's", "somebody else's"),
    OwnerCondition.OTHER_TYPE: ("of another app type", "of another app type"),
    OwnerCondition.FAILED: ("failed", "failed"),
    OwnerCondition.UNKNOWN: ("not known", "not known"),
}


class OwnersAmiss(NamedTuple):
    """Owners in one condition with one way out: a title with their count, and (what, names) of those that are alike."""

    title: str
    hint: str
    lines: tuple[tuple[str, str], ...]


def owners_count_line(view: OwnersView) -> str:
    """Return `168 as declared, 30 differ, 1 missing`."""
    parts = [f"{count:,} {OWNER_WORDS[condition][count != 1]}" for condition, count in view.summary.items()]
    return ", ".join(parts) or "the fleet declares none of those selected"


def owners_amiss(view: OwnersView, *, every: bool) -> list[OwnersAmiss]:
    """Return what needs attention, the worst first. Without `every`, the first lines and names alone."""
    groups: dict[tuple[OwnerCondition, str], list[OwnerLine]] = {}
    for condition in OwnerCondition:
        for row in view.rows:
            if row.condition is condition and condition is not OwnerCondition.AS_DECLARED:
                groups.setdefault((condition, row.hint), []).append(row)
    return [
        OwnersAmiss(
            f"{OWNER_WORDS[condition][len(rows) != 1].capitalize()} ({len(rows):,})",
            clean(hint),
            tuple(_lines(rows, every=every)),
        )
        for (condition, hint), rows in groups.items()
    ]


def _lines(rows: Sequence[OwnerLine], *, every: bool) -> Iterable[tuple[str, str]]:
    alike: dict[tuple[str, str, str], list[OwnerLine]] = {}
    for row in rows:
        alike.setdefault((row.owner.domain, row.owner.kind, owner_said(row)), []).append(row)
    groups = [*alike.items()]
    shown = groups if every else groups[:ORPHANS_NAMED_MAX_COUNT]
    for (_, _, said), members in shown:
        names_max = len(members) if every else NAMES_SHOWN_MAX_COUNT
        where = owners_in_domain([row.owner for row in members])
        yield f"{where}: {said}" if said else where, listed([row.owner.name for row in members], names_max)
    hidden = sum(len(members) for _, members in groups[len(shown) :])
    if hidden:
        yield f"and {hidden:,} more", "--all names them"


def owner_said(row: OwnerLine) -> str:
    """Return what is amiss with an owner: its status and why, then the fields that differ."""
    unwell = row.condition in (OwnerCondition.FAILED, OwnerCondition.CHANGING)
    parts = [clean(row.status)] if unwell else []
    fields = fields_that_differ(row)
    parts += [differences_text(fields)] if fields else []
    why = clean(row.why)
    return f"{', '.join(parts)} ({why})" if parts and why else ", ".join(parts) or why


def fields_that_differ(row: OwnerLine) -> list[Difference]:
    """Return what differs but its status, which is shown already."""
    return [one for one in row.differs if one.field != STATUS]


def owners_block(view: OwnersView, paint: Paint, width: int, *, every: bool) -> str:
    """Return the block of a terminal of `width` characters."""
    lines = [f"{paint('bold', OWNERS_TITLE)}: {owners_count_line(view)}"]
    for group in owners_amiss(view, every=every):
        lines.append(f"  {paint('bold', group.title)}" + (f": {group.hint}" if group.hint else ""))
        lines += [f"    {what}: {names}" for what, names in group.lines]
    return "\n".join(wrapped(line, width) for line in lines)
