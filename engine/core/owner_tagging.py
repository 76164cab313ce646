"""How a fleet comes to manage user profiles and spaces that it did not make: a command for the AWS CLI tags them.

No command of appfleet does this, but for what an old name of the fleet made (`--from-fleet`): whoever tags a space lets
`offboard --owners` delete it with its volume. Not here: which owners carry which tag (`executor.ownership`).
"""

from __future__ import annotations

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from engine.core.finding import OWNERS, Finding
from engine.core.identity import OwnerKind
from engine.core.limits import ORPHANS_NAMED_MAX_COUNT, SHOWN_TEXT_MAX_CHARS
from engine.core.observed import ObservedOwner, Ownership
from engine.core.ownership import EVERYTHING, MANAGED_TAG, Whose, way_to_move
from engine.core.selectors import Selectors
from engine.core.text import clean, count_of, listed

_HEAD: Final = re.compile(r"arn:[a-z0-9-]+:sagemaker:[a-z0-9-]+:[0-9]{12}:(?:user-profile|space)/[A-Za-z0-9-]+")
_WORDS: Final[dict[OwnerKind, str]] = {"user": "user profile", "space": "space"}


class _Alike(NamedTuple):
    """Owners that one command tags: their ARNs begin alike, and their tags say the same."""

    domain: str
    kind: OwnerKind
    head: str
    whose: Whose


def tag_findings(rows: Iterable[ObservedOwner], fleet: str, selectors: Selectors = EVERYTHING) -> Iterator[Finding]:
    """Yield what says how `fleet` comes to manage the owners of `rows`, as many in a finding as have room in it."""
    alike: defaultdict[_Alike, list[str]] = defaultdict(list)
    for row in rows:
        head = row.arn.rpartition("/")[0]
        if row.ownership is not Ownership.UNREAD and _HEAD.fullmatch(head):
            whose = Whose(row.ownership, row.managed_by)
            alike[_Alike(row.owner.domain, row.owner.kind, head, whose)].append(row.owner.name)
    for group, names in sorted(alike.items()):
        if group.whose.ownership is Ownership.FOREIGN:
            yield Finding(OWNERS, "advisory", "", clean(_of_another(group, sorted(names), selectors)))
            continue
        for said in _in_portions(group, sorted(names), fleet):
            yield Finding(OWNERS, "advisory", "", clean(said, len(said)))


def tag_command(head: str, names: Sequence[str], fleet: str) -> str:
    """Return the one command, for a shell with the AWS CLI, that tags what has these names below an ARN."""
    tags = shlex.quote(json.dumps([{"Key": MANAGED_TAG, "Value": fleet}], ensure_ascii=False))
    add = f"aws sagemaker add-tags --region {head.split(':')[3]} --resource-arn"
    if len(names) == 1:
        return f"{add} {shlex.quote(f'{head}/{names[0]}')} --tags {tags}"
    listed = " ".join(map(shlex.quote, names))
    return f'for name in {listed}; do {add} "{head}/$name" --tags {tags}; done'


def _of_another(group: _Alike, names: Sequence[str], selectors: Selectors) -> str:
    """Say which fleet manages them, and how they move from it."""
    manages = f"the fleet {clean(group.whose.fleet)!r} manages {count_of(len(names), _WORDS[group.kind])}"
    return (
        f"{manages} of domain {group.domain} that this fleet declares: {listed(names, ORPHANS_NAMED_MAX_COUNT)}. "
        f"{way_to_move(group.whose.fleet, selectors)}"
    )


def _in_portions(group: _Alike, names: Sequence[str], fleet: str) -> Iterator[str]:
    first = 0
    while first < len(names):
        last = first + 1
        message = _message(group, names, first, last, fleet)
        while last < len(names):
            longer = _message(group, names, first, last + 1, fleet)
            if len(longer) > SHOWN_TEXT_MAX_CHARS:
                break
            last, message = last + 1, longer
        yield message
        first = last


def _message(group: _Alike, names: Sequence[str], first: int, last: int, fleet: str) -> str:
    shown = names[first:last]
    which = "" if len(shown) == len(names) else f" ({first + 1} to {last} of {len(names)})"
    has, carry, them = ("has", "it carries", "it") if len(shown) == 1 else ("have", "they carry", "them")
    return (
        f"{count_of(len(shown), _WORDS[group.kind])}{which} of domain {group.domain} {has} no tag {MANAGED_TAG}. Once "
        f"{carry} this fleet's name there, appfleet may update {them}, and offboard --owners may delete {them}. "
        f"To tag {them}: {tag_command(group.head, shown, fleet)}"
    )
