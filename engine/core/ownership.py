"""The two tags that say whose something is, what they prove, and how it is said when something is not ours.

An app carries `appfleet:fleet`. A profile or a space that appfleet made carries `appfleet:managed-by`, since the tags
of owners spread to apps that people open by hand.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from engine.core.activity import NOT_READ, Activity
from engine.core.identity import AppKey
from engine.core.observed import Ownership
from engine.core.request import Request, allowing
from engine.core.selectors import Selectors
from engine.core.text import NAMES_SHOWN_MAX_COUNT, clean

FLEET_TAG: Final = "appfleet:fleet"
MANAGED_TAG: Final = "appfleet:managed-by"
EVERYTHING: Final = Selectors()


class Whose(NamedTuple):
    """What tags say: `fleet` is the value, also of another fleet's; empty where there is no tag or it is unread.

    `keep_until` is the value of the tag that keeps an app outside its hours. `activity` is what DescribeApp showed on
    the way to the tags; what an index of tags reports has none.
    """

    ownership: Ownership
    fleet: str = ""
    keep_until: str = ""
    activity: Activity = NOT_READ


class WhoseAre(NamedTuple):
    """The observed apps whose ownership is asked for, as they are spelled there, sorted.

    On `decisive` ones it depends what is done; of `telling` ones, which nobody declares, it is only said whose they
    are, and of `claimed` ones, which the fleet declares, whether another fleet owns them.
    """

    decisive: tuple[AppKey, ...]
    telling: tuple[AppKey, ...] = ()
    claimed: tuple[AppKey, ...] = ()


UNREAD: Final = Whose(Ownership.UNREAD)


def whose(value: str | None, ours: str) -> Whose:
    """Return what the value of an ownership tag proves to the fleet `ours`; None: the tag is not there."""
    if value is None:
        return Whose(Ownership.NOBODY)
    return Whose(Ownership.OURS if value == ours else Ownership.FOREIGN, value)


def tag_value(tags: Iterable[tuple[str, str]], tag: str) -> str | None:
    """Return the value of one tag, None where it is missing."""
    return dict(tags).get(tag)


def why_not_ours(tag: str, found: Whose, unread: str = "") -> str:
    """Return why something may not be touched, by what its tag says; `unread` is why it could not be read."""
    match found.ownership:
        case Ownership.FOREIGN:
            return f"its tag {tag} names the fleet {clean(found.fleet)!r}"
        case Ownership.NOBODY:
            return f"it has no tag {tag}"
        case Ownership.OURS:
            return f"its tag {tag} names this fleet"
        case _:
            return "its tags could not be read" + (f" ({unread})" if unread else "")


_TAKE_OUT: Final = "Take it out of one of the two fleets"
READ_TAGS: Final = "Run again; if it stays so, allow the caller sagemaker:DescribeApp and sagemaker:ListTags"


def way_to_move(fleet: str, selectors: Selectors) -> str:
    """Return what to do about declared apps that another fleet owns, for those that `selectors` leave."""
    chosen = replace(selectors, shards=())  # a shard alone is never applied
    is_long = len(chosen.pairs()) > NAMES_SHOWN_MAX_COUNT
    request = Request(EVERYTHING if is_long else chosen, adopt=True, from_fleet=fleet)
    command = shlex.join(["appfleet", "apply", *request.argv()])
    same = ", with the same selection" if is_long else ""
    return f"{_TAKE_OUT}, or move it into this one, if that fleet was renamed{same}: {command}"


def not_owned(found: Whose, verb: str, key: AppKey, selectors: Selectors = EVERYTHING) -> tuple[str, str]:
    """Return why an app is not `verb` (deleted, replaced, adopted), by what its tag says, and what to do about it."""
    why = why_not_ours(FLEET_TAG, found)
    if found.ownership is Ownership.FOREIGN:
        return why, _TAKE_OUT if verb == "deleted" else way_to_move(found.fleet, selectors)
    nobodys = found.ownership is Ownership.NOBODY
    if nobodys:
        why = f"{why}, so this fleet does not own it"
    if not nobodys:
        return why, READ_TAGS
    return (
        why,
        f"{allowing([str(key)])} deletes it anyway" if verb == "deleted" else "apply --adopt takes it over",
    )
