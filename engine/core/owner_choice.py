"""Which of the profiles and spaces that creates need are compared before these, where no policy updates.

One Describe each would hold the first CreateApp back, and nearly all of them are as declared. Not here: which are
compared whether or not anything is created in them (`app.owner_looks`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from zlib import crc32

from engine.core.change import MAKING, Change
from engine.core.drift import differing_fields
from engine.core.identity import SPACE, Lane, Owner
from engine.core.limits import OWNERS_COMPARED_MAX_COUNT, OWNERS_COMPARED_MAX_SECONDS


def unlike_the_last(changes: Iterable[Change]) -> frozenset[Owner]:
    """Name the spaces whose app is made otherwise than the last one that the service still shows there.

    Their default is what that one was made with, so it has to follow.
    """
    return frozenset(
        change.key.owner_key
        for change in changes
        if change.action in MAKING
        and change.key.owner_kind == SPACE
        and change.before is not None
        and change.after is not None
        and differing_fields(change.after, change.before.spec)
    )


def compared_first(
    owners: Iterable[Owner], urgent: frozenset[Owner], lanes: Mapping[str, Lane], read_rate: float, day: int
) -> frozenset[Owner]:
    """Choose those to compare: all that are `urgent`, then others in what time is left in their lane, others each day.

    `lanes` maps the names of domains, and `read_rate` is in calls per second.
    """
    each = max(1, int(read_rate * OWNERS_COMPARED_MAX_SECONDS))
    taken: set[Owner] = set()
    counts: Counter[Lane | None] = Counter()
    for owner in sorted(owners, key=lambda one: (one not in urgent, crc32(f"{day} {one}".encode()), one)):
        lane = lanes.get(owner.domain)
        if owner in urgent or counts[lane] < each:
            counts[lane] += 1
            taken.add(owner)
        if len(taken) == OWNERS_COMPARED_MAX_COUNT:
            break
    return frozenset(taken)
